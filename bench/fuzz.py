#!/usr/bin/env python3
"""fuzz.py BUILD DOCS [SECONDS [NAME...]]: every parser of evidence fuzzed for SECONDS (600), one
after the other. What was found is kept and minimised in CASEMATE_FUZZ_CORPUS (.deps/fuzz), which
`./do fuzz` starts from. Seeds are minted; recorded evidence (CASEMATE_VECTORS) joins them here and
is never copied into the tree. Writes DOCS/fuzz.md and DOCS/bench/fuzz.json; what is not named keeps
the figures it had. Ends with 1 when something was found."""
import datetime
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

BUILD, DOCS = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
SECONDS = int(sys.argv[3]) if len(sys.argv) > 3 else 600
ONLY = sys.argv[4:]
ROOT = pathlib.Path(__file__).resolve().parent.parent
CACHE = pathlib.Path(os.environ.get("CASEMATE_FUZZ_CORPUS", ROOT / ".deps/fuzz"))
TEE = pathlib.Path(os.environ.get("CASEMATE_VECTORS", ROOT / "../shared/vectors")) / "tee"
PROGRAM = BUILD / "tests/fuzz/fuzz_evidence"
# Programs of their own, with the parsers that have one.
OTHERS = {
    "attest": "all kinds of evidence, signatures verified",
    "bundle": "files beside evidence, known by what they hold",
    "cbor_lax": "CBOR as attesters write it",
    "collateral": "collateral as it is imported, and its bundles",
    "ear": "result tokens, read and written again",
    "policy": "policies (YAML)",
    "rcar": "messages of the key broker, and its JWE",
    "reference": "CoRIMs and reference manifests, signatures verified",
    "rim": "imported RIMs, read and written again",
    "rim_xml": "XML and its canonical form",
    "tpm_sealed": "sealed blobs of a TPM",
    "trustee": "evidence in Confidential Containers' JSON",
}
WHAT = {
    "snp": "SEV-SNP report, VCEK and VLEK chains, lists",
    "tdx": "TDX quote (4, 5) with statements, lists and CCEL",
    "sgx": "SGX quote (3 to 5) with statements and lists",
    "nitro": "Nitro document (CBOR) and chain",
    "nvidia": "report of a GPU or switch, and chain",
    "tpm": "TPM quote, signature, public area, registers, log",
    "azure-vtpm": "Azure's report, its JSON, both quotes",
    "android": "Android chain and its extension",
    "app-attest": "App Attest object",
    "app-assertion": "App Attest assertion",
    "ratls": "RA-TLS certificate",
    "intel-tcb": "TCB info and QE identity (JSON)",
    "crl": "revocation lists of each vendor",
    "status-list": "Android's status list (JSON)",
    "rim": "imported RIMs before a report",
    "eventlog": "CCEL and TPM event logs",
    "pck": "SGX extension of a PCK certificate",
    "ocsp": "OCSP answers",
    "credential": "EK certificate and AK, credential made",
    "pack": "packs and sets of evidence",
    "nsm": "answers of Nitro's module",
    "tsm": "answers of configfs-tsm, table of certificates",
    "rim-xml": "RIM (XML), imported",
    "ear": "result tokens (EAR), JWT and CWT, verified",
    "ref-manifest": "signed reference manifests",
    "corim": "CoRIMs, signed and not",
}


# ---- recorded evidence as pieces (tests/fuzz/evidence.h)

def piece(tag, data):
    return tag.encode() + len(data).to_bytes(3, "little") + data


def knobs(when, flags=0):
    return piece("k", bytes([flags]) + when.to_bytes(8, "big"))


def files(tag, paths):
    return b"".join(piece(tag, p.read_bytes()) for p in sorted(paths) if p.is_file())


COLLATERAL = {"tcb_info.json": "t", "tcb_info.sig": "T", "qe_identity.json": "q",
              "qe_identity.sig": "Q", "tcbInfo.response.json": "t", "qeIdentity.response.json": "q"}


def beside(folder):
    """What belongs to an Intel quote."""
    out = b""
    for p in sorted(folder.glob("collateral/*")):
        tag = COLLATERAL.get(p.name) or ("l" if p.suffix == ".crl" else
                                         "c" if p.suffix == ".pem" else None)
        out += piece(tag, p.read_bytes()) if tag else b""
    return out + files("v", folder.glob("ccel_data.bin"))


def recorded():
    """format, name, bytes of each."""
    amd = files("c", TEE.glob("snp/roots/*/*.der"))
    for p in TEE.glob("snp/*/report.bin"):
        yield "snp", p.parent.name, (knobs(1780272000) + files("e", [p]) +
                                     files("c", p.parent.glob("*.der")) + amd)
    for kind in ("tdx", "sgx"):
        for p in TEE.glob(f"{kind}/*/quote.bin"):
            data = knobs(1751328000, 2) + files("e", [p]) + beside(p.parent)
            yield kind, p.parent.name, data
            if b"tcb" in data:
                number = bytes([{"tdx": 3, "sgx": 4}[kind]])
                yield "intel-tcb", p.parent.name, data + piece("K", number)
    for p in TEE.glob("nitro/*/doc.cbor"):
        yield "nitro", p.parent.name, knobs(1616018520, 2) + files("e", [p])
    for p in TEE.glob("nvidia/*/report.bin"):
        yield "nvidia", p.parent.name, (knobs(1755777600) + files("e", [p]) +
                                        files("c", p.parent.glob("chain.pem")) +
                                        files("o", p.parent.glob("ocsp/*.der")))
    for p in TEE.glob("nvidia/*/ocsp/*.der"):
        yield "ocsp", p.name, files("o", [p])
    for p in TEE.glob("nvidia/*/rim/*.xml"):
        yield "rim-xml", p.name, files("e", [p])
    for p in TEE.glob("android/**/*.pem"):
        yield "android", p.parent.name + p.name, knobs(1780272000, 2) + files("e", [p])
    for p in TEE.glob("appattest/*"):
        for name, data, kind in (("attestation", "client_data", "app-attest"),
                                 ("assertion", "assertion_client_data", "app-assertion")):
            if (p / f"{name}.cbor").exists():
                yield kind, p.name, (knobs(1615000000, 2) + files("e", [p / f"{name}.cbor"]) +
                                     files("f", [p / f"{data}.bin"]))
    for p in TEE.glob("azure-vtpm/*"):
        yield "azure-vtpm", p.name, (
            knobs(1751328000) + files("e", [p / "hcl_report.bin"]) + files("c", p.glob("*.der")) +
            amd + files("1", [p / "tpm_quote.msg"]) + files("2", [p / "tpm_quote.sig"]) +
            files("4", [p / "pcrs_sha256.bin"]) + files("6", [p / "td_quote.bin"]))
    for p in TEE.glob("tpm2/swtpm-*"):
        ak = files("3", [p / "ak_tpm2b_public.bin"])
        yield "tpm", p.name, (knobs(1780272000) + files("e", [p / "quote.msg"]) +
                              files("2", [p / "quote.sig"]) + ak +
                              files("4", [p / "quote_pcrs.bin"]) + files("f", [p / "nonce.bin"]))
        for cert in p.glob("ek_*_cert.der"):
            yield "credential", cert.name, files("c", [cert]) + ak
    for p in TEE.glob("ratls/*.pem"):
        yield "ratls", p.name, knobs(1700000000, 2) + files("e", [p])
    for p in TEE.glob("**/*ccel_data.bin"):
        yield "eventlog", p.parent.name, files("v", [p])
    for p in TEE.glob("tpm2/eventlogs/*"):
        yield "eventlog", p.name, files("v", [p])
    for p in TEE.glob("rats/corim*.cbor"):
        yield "corim", p.name, files("e", [p])


def write_seeds(to):
    subprocess.run([PROGRAM], check=True, stderr=subprocess.DEVNULL,
                   env={**os.environ, "CASEMATE_FUZZ_SEEDS": str(to), "CASEMATE_FUZZ_DEFECTS": "1"})
    count = 0
    for kind, name, data in recorded():
        if len(data) < 1 << 17:
            (to / kind).mkdir(exist_ok=True)
            (to / kind / f"recorded-{name}").write_bytes(data)
            count += 1
    return count


# ---- runs

def formats():
    out = subprocess.run([PROGRAM], capture_output=True, text=True,
                         env={k: v for k, v in os.environ.items() if "FUZZ" not in k})
    return out.stderr.split(":", 1)[1].split()


def stat(text, name):
    found = re.findall(rf"stat::{name}:\s+(\d+)", text)
    return int(found[-1]) if found else 0


def fuzz(name, program, env, given):
    kept = CACHE / name
    kept.mkdir(parents=True, exist_ok=True)
    common = ["-timeout=20", "-rss_limit_mb=2048", "-max_len=131072",
              f"-artifact_prefix={CACHE}/crash-{name}-"]
    begin = time.monotonic()
    run = subprocess.run(
        [program, f"-max_total_time={SECONDS}", "-print_final_stats=1", *common, kept, *given],
        env=env, capture_output=True, text=True, errors="replace")
    took = time.monotonic() - begin
    edges = re.findall(r"cov: (\d+)", run.stderr)
    if run.returncode == 0:
        with tempfile.TemporaryDirectory(dir=CACHE) as less:
            done = subprocess.run([program, "-merge=1", *common, less, kept, *given], env=env,
                                  capture_output=True)
            if done.returncode == 0:
                shutil.rmtree(kept)
                shutil.copytree(less, kept)
    return {"seconds": round(took), "executions": stat(run.stderr, "number_of_executed_units"),
            "edges": int(edges[-1]) if edges else 0, "rss_mb": stat(run.stderr, "peak_rss_mb"),
            "corpus": len(list(kept.iterdir())), "found": run.returncode != 0,
            "date": datetime.date.today().isoformat(), "log": run.stderr[-3000:]}


def add(before, one):
    """Runs of one parser go on from each other: seconds and executions are of all of them."""
    one["longest"] = one["seconds"]
    if before:
        one["longest"] = max(one["longest"], before["longest"])
        for key in ("seconds", "executions"):
            one[key] += before[key]
        one["rss_mb"] = max(one["rss_mb"], before["rss_mb"])
    return one


# ---- the page

def page(r):
    rows = ["| parser | what | ran, s | longest run, s | executions | edges | peak RSS, MiB | "
            "inputs kept |", "|---|---|---|---|---|---|---|---|"]
    for name, what in [*WHAT.items(), *((f"fuzz_{k}", v) for k, v in OTHERS.items())]:
        if name in r:
            g = r[name]
            rows.append(f"| {name} | {what} | {g['seconds']:,} | {g['longest']:,} | "
                        f"{g['executions']:,} | {g['edges']:,} | {g['rss_mb']:,} | {g['corpus']:,} |"
                        + (" FOUND |" if g["found"] else ""))
    total = sum(g["executions"] for g in r.values())
    full = sum(g["longest"] >= 600 for g in r.values())
    return "\n".join([
        "# Parsers of evidence, fuzzed", "",
        "Written by `./do bench fuzz [SECONDS]` (600 a parser; about six hours), which runs one "
        "after the other under AddressSanitizer and UndefinedBehaviorSanitizer, with at most "
        "2 GiB and 20 s an input. All figures: [fuzz.json](bench/fuzz.json).", "",
        "- The first rows are one program (`tests/fuzz/evidence.c`) that is told its format. "
        "An input is pieces: evidence, certificates, lists, statements, what the policy expects; "
        "one changes at a time, inside of DER one value with the lengths around it. In this program "
        "*every signature holds*, so what stands behind a signature check is reached as well; no "
        "other program is linked so. The rows that begin with fuzz_ are programs of their own, with "
        "signatures as they are.",
        "- Seeds: every minted set and each of its defects, and recorded evidence where "
        "`CASEMATE_VECTORS` has it. In the tree are minted ones alone. What is found is minimised "
        "and kept in `.deps/fuzz` (`CASEMATE_FUZZ_CORPUS`), where `./do fuzz` and later runs go on.",
        "- Edges are those of this library's code; OpenSSL is not instrumented.", "",
        *rows, "",
        f"{len(r)} parsers, {total:,} executions, {sum(g['found'] for g in r.values())} finds. {full} "
        "of them ran for 600 s or longer at once, the others as long as the table says and no "
        "longer.", "",
    ])


def main():
    CACHE.mkdir(parents=True, exist_ok=True)
    result = DOCS / "bench/fuzz.json"
    r = json.loads(result.read_text()) if result.exists() else {}
    bad = False
    with tempfile.TemporaryDirectory() as temp:
        seeds = pathlib.Path(temp)
        print(f"{write_seeds(seeds)} recorded inputs", flush=True)
        for name in [*formats(), *(f"fuzz_{k}" for k in OTHERS)]:
            if ONLY and name not in ONLY:
                continue
            env, program = dict(os.environ), BUILD / "tests/fuzz" / name
            given = [ROOT / "tests/fuzz/corpus" / name.removeprefix("fuzz_")]
            if name in WHAT:
                env["CASEMATE_FUZZ_FORMAT"], program = name, PROGRAM
                given = [d for d in (seeds / name, ROOT / "tests/fuzz/corpus/evidence" / name)
                         if d.exists()]
            one = fuzz(name, program, env, given)
            log = one.pop("log")
            bad |= one["found"]
            r[name] = one = add(r.get(name), one)
            print(name, json.dumps(one), flush=True)
            if one["found"]:
                print(log, flush=True)
            result.write_text(json.dumps(r, indent=1, sort_keys=True) + "\n")
            (DOCS / "fuzz.md").write_text(page(r))
    sys.exit(bad)


main()
