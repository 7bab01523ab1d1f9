#!/usr/bin/python3
"""Recorded evidence in the JSON of Confidential Containers' attesters: it is judged as the bytes are
that it was made of, and nothing else passes for it (AT-155 to AT-157)."""
import base64
import copy
import json
import os
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import trustee_json as tj  # noqa: E402

CASEMATE = sys.argv[1]
TEE = os.path.join(os.environ.get("CASEMATE_VECTORS", "../shared/vectors"), "tee")
SETS = [("v2-milan-gosev", "milan", "vcek", "ask"), ("v2-milan-trustee", "milan", "vcek", "ask"),
        ("v3-milan-vlek-aws", "milan-vlek", "vlek", "asvk"),
        ("v3-milan-dstack", "milan", "vcek", "ask"), ("v3-milan-aci", "milan", "vcek", "ask"),
        ("v3-genoa-aci", "genoa", "vcek", "ask"), ("v5-turin-aci", "turin", "vcek", "ask")]


def slurp(*path):
    with open(os.path.join(TEE, *path), "rb") as f:
        return f.read()


class Here:
    """Files of one run."""

    def __init__(self, folder):
        self.folder, self.n = folder, 0

    def put(self, data):
        self.n += 1
        path = os.path.join(self.folder, f"{self.n}")
        with open(path, "wb") as f:
            f.write(data if isinstance(data, bytes) else json.dumps(data).encode())
        return path

    def verify(self, files, *options):
        """The events of each piece without the names of files, and the exit status."""
        paths = [self.put(f) for f in files]
        p = subprocess.run([CASEMATE, "attest", "verify", "--alone", "--json", *options, *paths],
                           capture_output=True, timeout=300, check=False)
        out = [json.loads(line) for line in p.stdout.splitlines()]
        events = [e for e in out if e.get("event") == "attest"]
        for e in events:
            e.pop("file")
        return events, p.returncode, p.stderr.decode() + p.stdout.decode()


def ask(name, roots, vek, ask_name):
    report = slurp("snp", name, "report.bin")
    certs = [(vek.upper(), slurp("snp", name, vek + ".der")),
             ("ASK", slurp("snp", "roots", roots, ask_name + ".der")),
             ("ARK", slurp("snp", "roots", roots, "ark.der"))]
    return report, certs, roots == "turin"


def snp(here):
    for row in SETS:
        report, certs, turin = ask(*row)
        at = "--at=2025-06-01" if row[0] == "v3-milan-vlek-aws" else "--at=2026-08-01"
        beside = [f"--collateral={here.put(der)}" for _, der in certs]
        want, code, _ = here.verify([report], at, "--may-skip=all", *beside)
        for old in (False, True):
            text = tj.snp(report, certs, turin, old)
            got, status, why = here.verify([text], at, "--may-skip=all")
            assert got == want and status == code and len(got) == 1, (row, old, why)
        refused = want[0]["verdict"] == "refused"
        assert refused == (row[0] in ("v2-milan-gosev", "v3-milan-vlek-aws")), row
        assert {c["check"]: c["verdict"] for c in want[0]["checks"]}["signature"] == "PASS"


def changed(v):
    """Every value that differs from v in one place."""
    if v is None:
        return []
    if isinstance(v, int):
        return [v ^ 1]
    if isinstance(v, list):
        return [v[:i] + [v[i] ^ 1] + v[i + 1:] for i in (0, len(v) - 1)]
    return [{**v, k: w} for k in v for w in changed(v[k])]


def one_field(here):
    """AT-155: whichever member is another, the signature is wrong."""
    for row, old in ((SETS[5], False), (SETS[6], False), (SETS[4], True)):
        report, certs, turin = ask(*row)
        good = tj.snp(report, certs, turin, old)
        texts, judged = [], 0
        for name, value in good["attestation_report"].items():
            for w in changed(value) if name != "version" else []:
                text = copy.deepcopy(good)
                text["attestation_report"][name] = w
                texts.append(text)
        events = []
        for i in range(0, len(texts), 8):
            more, status, why = here.verify(texts[i:i + 8], "--at=2026-08-01", "--may-skip=all")
            assert status != 0, why
            events += more
        assert len(events) == len(texts)
        for text, e in zip(texts, events):
            assert e["verdict"] == "refused", text
            judged += 1
        assert judged > 40
        for version in range(7):
            text = copy.deepcopy(good)
            text["attestation_report"]["version"] = version
            _, status, _ = here.verify([text], "--at=2026-08-01", "--may-skip=all")
            assert (status == 0) == (version == report[0]), version


def with_members_of(mine, other):
    """A structure with each single member that another form alone has."""
    for name, value in other.items():
        if name not in mine:
            yield {**mine, name: value}
        elif isinstance(value, dict):
            yield from ({**mine, name: inner} for inner in with_members_of(mine[name], value))


def hostile(here):
    """What is not the structure is not read at all."""
    report, certs, turin = ask(*SETS[5])
    good = tj.snp(report, certs, turin)
    r, c = good["attestation_report"], good["cert_chain"]
    v2, c2, _ = ask(*SETS[1])
    old = tj.snp(report, certs, old=True)
    bad = [{**good, "attestation_report": {k: x for k, x in r.items() if k != gone}}
           for gone in r if gone not in ("launch_mit_vector", "current_mit_vector")]
    bad += [{**good, "attestation_report": {**r, k: x}} for k, x in (
        ("more", 0), ("version", "3"), ("version", 3.0), ("version", 1 << 32), ("vmpl", -1),
        ("report_data", r["report_data"] + [0]), ("report_data", r["report_data"][1:]),
        ("report_data", bytes(64).hex()), ("host_data", [256] + [0] * 31), ("host_data", None),
        ("cpuid_step", None), ("launch_mit_vector", 0), ("current_mit_vector", 1),
        ("current_tcb", {**r["current_tcb"], "fmc": 0}), ("current_tcb", None),
        ("current", {"major": 1, "minor": 2}), ("signature", {**r["signature"], "t": []}))]
    bad += [{**good, "more": 0}, {"cert_chain": c}, {**good, "cert_chain": {}},
            {**good, "cert_chain": [{"cert_type": "VCEK"}]},
            {**good, "cert_chain": [{**c[0], "data": "00"}]},
            {**good, "cert_chain": [{**c[0], "data": []}]},
            {**good, "cert_chain": c * 7},
            {**good, "cert_chain": [{**c[0], "data": [1] * 20000}]},
            {**old, "attestation_report": {**old["attestation_report"], "_reserved_5": 0}},
            tj.snp(v2, c2)["attestation_report"], {"attestation_report": []}, {}]
    mixed = [m for pair in ((r, old["attestation_report"]), (old["attestation_report"], r))
             for m in with_members_of(*pair)]
    assert len(mixed) == 29, len(mixed)
    bad += [{**good, "attestation_report": m} for m in mixed]
    v2 = tj.snp(v2, c2)
    v2["attestation_report"]["cpuid_step"] = 0
    bad.append(v2)
    texts = [json.dumps(b).encode() for b in bad]
    one = json.dumps(good)
    texts += [one.replace('"vmpl"', '"vmpl": 0, "vmpl"', 1).encode(), one[:-1].encode(),
              (one + "{}").encode(), b"{" * 40, one.replace('"vmpl": 0', '"vmpl": 00').encode()]
    assert here.verify([b"\n \t" + one.encode()], "--at=2026-08-01", "--may-skip=all")[1] == 0
    for text in texts:
        events, status, why = here.verify([text])
        assert not events and status != 0 and "ATTEST_JSON" in why, (text[:200], why)
    # What a host put into the table beside certificates counts for nothing.
    more = c + [{"cert_type": "CRL", "data": [1]}, {"cert_type": {"OTHER": "0" * 32}, "data": []},
                {"cert_type": "Empty", "data": []}]
    events, status, _ = here.verify([{**good, "cert_chain": more}], "--at=2026-08-01",
                                    "--may-skip=all")
    assert status == 0 and events[0]["verdict"] == "verified"
    events, status, _ = here.verify([{**good, "cert_chain": None}], "--at=2026-08-01",
                                    "--may-skip=all")
    assert status != 0 and events[0]["verdict"] == "refused"


def azure(here):
    for name, root in (("snp-genoa", "genoa"), ("snp-milan-v1", "milan"), ("tdx", None)):
        hcl, msg, sig, pcrs = (slurp("azure-vtpm", name, f) for f in (
            "hcl_report.bin", "tpm_quote.msg", "tpm_quote.sig", "pcrs_sha256.bin"))
        vcek = slurp("azure-vtpm", name, "vcek.der") if root else None
        td = None if root else slurp("azure-vtpm", name, "td_quote.bin")
        body = base64.b64encode(vcek or b"").decode()
        lines = [body[i:i + 64] for i in range(0, len(body), 64)]
        pem = "\n".join(["-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", ""])
        beside = [f"--collateral={here.put(slurp('snp', 'roots', root, f))}"
                  for f in ("ask.der", "ark.der")] if root else []
        parts = [f"--part=quote={here.put(msg)}", f"--part=signature={here.put(sig)}",
                 f"--part=pcrs={here.put(pcrs)}"]
        parts += [f"--collateral={here.put(vcek)}"] if root else [f"--part=td-quote={here.put(td)}"]
        want, code, why = here.verify([hcl], "--at=2025-06-01", "--may-skip=all", *beside, *parts)
        assert len(want) == 1, why
        for text in (tj.azure(hcl, msg, sig, pcrs, vcek, td), tj.azure(hcl, msg, sig, pcrs, vcek, td, 1),
                     tj.first_azure(hcl, msg, sig, pcrs, pem, td)):
            got, status, why = here.verify([text], "--at=2025-06-01", "--may-skip=all", *beside)
            assert got == want and status == code, (name, why)
        good = tj.azure(hcl, msg, sig, pcrs, vcek, td)
        quote = good["tpm_quote"]
        for bad in ({**good, "version": 3}, {**good, "more": 1},
                    {**good, "tpm_quote": {**quote, "pcrs": quote["pcrs"] + quote["pcrs"][:1]}},
                    {**good, "tpm_quote": {**quote, "pcrs": [quote["pcrs"][0][2:]]}},
                    {**good, "tpm_quote": {**quote, "message": ""}},
                    {**good, "hcl_report": good["hcl_report"] + "!"}):
            events, status, why = here.verify([bad])
            assert not events and status and "ATTEST_JSON" in why, why


def quotes(here):
    for folder, log in (("tdx/v4-uptodate", None), ("tdx/v4-ccel-cos113", "ccel_data.bin")):
        quote = slurp(*folder.split("/"), "quote.bin")
        want, code, _ = here.verify([quote], "--at=2025-07-01", "--may-skip=all")
        got, status, why = here.verify([tj.tdx(quote)], "--at=2025-07-01", "--may-skip=all")
        assert got == want and status == code, (folder, why)
        if log:
            text = tj.tdx(quote, slurp(*folder.split("/"), log))
            got, _, _ = here.verify([text], "--at=2025-07-01", "--may-skip=all")
            checks = {c["check"]: c["verdict"] for c in got[0]["checks"]}
            assert checks["events"] == "PASS", checks
    quote = slurp("sgx", "v3-sgx", "quote.bin")
    want, code, _ = here.verify([quote], "--at=2025-07-01", "--may-skip=all")
    got, status, why = here.verify([{"quote": tj.std(quote)}], "--at=2025-07-01", "--may-skip=all")
    assert got == want and status == code, why


def devices(here):
    pairs = [(slurp("nvidia", d, "report.bin"), slurp("nvidia", d, "chain.pem"))
             for d in ("hopper-550.90.07-full", "nvswitch-ls10")]
    want = []
    for report, chain in pairs:
        events, _, why = here.verify([report], "--at=2025-06-01", "--may-skip=all",
                                     f"--collateral={here.put(chain)}")
        assert len(events) == 1, why
        want += events
    for hexed in (False, True):
        got, _, why = here.verify([tj.nvidia(pairs, hexed=hexed)], "--at=2025-06-01",
                                  "--may-skip=all")
        assert got == want, why
    good = tj.nvidia(pairs)
    first = good["device_evidence_list"][0]
    for bad in ({"device_evidence_list": []}, {"device_evidence_list": [first] * 17},
                {"device_evidence_list": [{**first, "more": 1}]},
                {"device_evidence_list": [{**first, "evidence": "*"}]},
                {"device_evidence_list": first}):
        events, status, why = here.verify([bad])
        assert not events and status and "ATTEST_JSON" in why, why


def main():
    if not os.path.isdir(os.path.join(TEE, "snp")):
        print("SKIP: no recorded evidence below", TEE)
        sys.exit(77)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["CASEMATE_HOME"] = folder + "/home"
        for part in (snp, one_field, hostile, azure, quotes, devices):
            part(Here(tempfile.mkdtemp(dir=folder)))
            print("ok", part.__name__)


main()
