"""Evidence as Confidential Containers' attesters write it in JSON, made from the bytes that hardware
signed. Written from AMD's table and the crates' structures, not from this project's reader."""
import base64
import struct

# AMD 56860, ATTESTATION_REPORT: what the sev crate has from version 6 on.
PLAIN = [("version", 0, "I"), ("guest_svn", 4, "I"), ("policy", 8, "Q"), ("family_id", 16, 16),
         ("image_id", 32, 16), ("vmpl", 48, "I"), ("sig_algo", 52, "I"), ("current_tcb", 56, "tcb"),
         ("plat_info", 64, "Q"), ("key_info", 72, "I"), ("report_data", 80, 64),
         ("measurement", 144, 48), ("host_data", 192, 32), ("id_key_digest", 224, 48),
         ("author_key_digest", 272, 48), ("report_id", 320, 32), ("report_id_ma", 352, 32),
         ("reported_tcb", 384, "tcb"), ("cpuid_fam_id", 392, "cpu"), ("cpuid_mod_id", 393, "cpu"),
         ("cpuid_step", 394, "cpu"), ("chip_id", 416, 64), ("committed_tcb", 480, "tcb"),
         ("current", 488, "version"), ("committed", 492, "version"), ("launch_tcb", 496, "tcb"),
         ("launch_mit_vector", 504, "mit"), ("current_mit_vector", 512, "mit"),
         ("signature", 672, "signature")]


def rows(r, at, n):
    return list(r[at:at + n])


def tcb(r, at, turin):
    b = r[at:at + 8]
    if turin:
        return {"fmc": b[0], "bootloader": b[1], "tee": b[2], "snp": b[3], "microcode": b[7]}
    return {"fmc": None, "bootloader": b[0], "tee": b[1], "snp": b[6], "microcode": b[7]}


def member(r, at, form, turin):
    version = struct.unpack_from("<I", r)[0]
    if isinstance(form, int):
        return rows(r, at, form)
    if form in ("I", "Q"):
        return struct.unpack_from("<" + form, r, at)[0]
    if form == "tcb":
        return tcb(r, at, turin)
    if form == "cpu":
        return r[at] if version >= 3 else None
    if form == "mit":
        return struct.unpack_from("<Q", r, at)[0] if version >= 5 else None
    if form == "version":
        return {"major": r[at + 2], "minor": r[at + 1], "build": r[at]}
    return {"r": rows(r, at, 72), "s": rows(r, at + 72, 72)}


def report(r, turin=False):
    """AttestationReport of the crate's versions 6 and 7."""
    return {name: member(r, at, form, turin) for name, at, form in PLAIN}


def old_report(r):
    """AttestationReport of the crate's versions 1 to 5: reserved bytes and all."""
    def old_tcb(at):
        b = r[at:at + 8]
        return {"bootloader": b[0], "tee": b[1], "_reserved": list(b[2:6]), "snp": b[6],
                "microcode": b[7]}
    out = {}
    for name, at, form in PLAIN:
        if name == "key_info":
            out["_author_key_en"], out["_reserved_0"] = struct.unpack_from("<II", r, 72)
        elif name == "cpuid_fam_id":
            out["_reserved_1"] = rows(r, 392, 24)
        elif form == "tcb":
            out[name] = old_tcb(at)
        elif form == "version":
            for i, part in enumerate(("build", "minor", "major")):
                out[f"{name}_{part}"] = r[at + i]
            out["_reserved_2" if name == "current" else "_reserved_3"] = r[at + 3]
        elif name == "launch_mit_vector":
            out["_reserved_4"] = rows(r, 504, 168)
        elif form == "signature":
            out[name] = {"r": rows(r, at, 72), "s": rows(r, at + 72, 72),
                         "_reserved": rows(r, at + 144, 368)}
        elif form not in ("cpu", "mit"):
            out[name] = member(r, at, form, False)
    return out


def snp(r, certs, turin=False, old=False):
    chain = [{"cert_type": kind, "data": list(der)} for kind, der in certs]
    return {"attestation_report": old_report(r) if old else report(r, turin), "cert_chain": chain}


def url(b):
    return base64.urlsafe_b64encode(b).decode()


def std(b):
    return base64.b64encode(b).decode()


def azure(hcl, message, signature, pcrs, vcek=None, td=None, version=2):
    quote = {"signature": signature.hex(), "message": message.hex(),
             "pcrs": [pcrs[i:i + 32].hex() for i in range(0, len(pcrs), 32)]}
    out = {"version": version, "tpm_quote": quote, "hcl_report": url(hcl)}
    out.update({"vcek": url(vcek)} if vcek else {"td_quote": url(td)})
    return out


def first_azure(hcl, message, signature, pcrs, pem=None, td=None):
    quote = {"message": list(message), "signature": list(signature),
             "pcrs": [list(pcrs[i:i + 32]) for i in range(0, len(pcrs), 32)]}
    if td:
        return {"tpm_quote": quote, "hcl_report": list(hcl), "td_quote": list(td)}
    return {"quote": quote, "report": list(hcl), "vcek": pem}


def tdx(quote, log=None):
    return {"cc_eventlog": std(log) if log else None, "quote": std(quote)}


def nvidia(devices, arch="HOPPER", hexed=False):
    return {"device_evidence_list": [
        {"arch": arch, "uuid": "unknown", "evidence": report.hex() if hexed else std(report),
         "certificate": std(chain)} for report, chain in devices]}
