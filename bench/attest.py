#!/usr/bin/env python3
"""attest.py BUILD DOCS: recorded evidence verified on one core, chain and all, beside
OpenSSL's own signature checks, and the size of the verifiers. Writes DOCS/bench-attest.md and
DOCS/bench/attest.json; below 60 seconds. Evidence: CASEMATE_VECTORS (../shared/vectors)."""
import json
import os
import pathlib
import subprocess
import sys

BUILD, DOCS = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[-1])
TEE = pathlib.Path(os.environ.get("CASEMATE_VECTORS", "../shared/vectors")) / "tee"
BENCH = BUILD / "bench/bench_attest"
# name, what, time, evidence, files beside it, the raw check of its signature
SETS = (
    ("snp", "SEV-SNP report (Genoa), VCEK chain", 1780272000, "snp/v3-genoa-aci/report.bin",
     ["snp/v3-genoa-aci/vcek.der", "snp/roots/genoa/ark.der", "snp/roots/genoa/ask.der"],
     "P-384, SHA-384"),
    ("tdx", "TDX quote with all collateral", 1751328000, "tdx/v4-uptodate/quote.bin",
     ["tdx/v4-uptodate/collateral"], "P-256, SHA-256"),
    ("sgx", "SGX quote with all collateral", 1751328000, "sgx/v3-sgx/quote.bin",
     ["sgx/v3-sgx/collateral"], "P-256, SHA-256"),
    ("nitro", "Nitro document, five certificates", 1616018520, "nitro/prod-2021/doc.cbor", [],
     "P-384, SHA-384"),
    ("android", "Android chain (StrongBox, RSA)", 1780272000,
     "android/blueline/sdk28/SB_RSA_NONE.pem", [], None),
    ("nvidia", "NVIDIA report, five certificates, OCSP", 1755777600,
     "nvidia/hopper-550.90.07-full/report.bin",
     ["nvidia/hopper-550.90.07-full/chain.pem", "nvidia/hopper-550.90.07-full/ocsp"],
     "P-384, SHA-384"),
)


def run(*args):
    out = subprocess.run([str(a) for a in args], check=True, capture_output=True, text=True)
    return [json.loads(line) for line in out.stdout.splitlines()]


def files(names):
    for name in names:
        path = TEE / name
        yield from sorted(path.iterdir()) if path.is_dir() else [path]


def text_size():
    """Of the verifiers' archive: code and constants, without symbols."""
    out = subprocess.run(["size", "-t", str(BUILD / "libcm_attest.a")], check=True,
                         capture_output=True, text=True).stdout
    return int(out.splitlines()[-1].split()[0])


PAYLOAD, CASEMATE = BUILD / "tests/testlib", BUILD / "cmd/casemate/casemate"
STARTS = 15


def start_ms(kind):
    """From the call to the program's first instruction: the least of some, and the middle one."""
    args = [CASEMATE, "enclave", "run", "--pcr", "none", "--json", "--",
            PAYLOAD / f"enclave-payload-{kind}", "true"]
    got = sorted(next(x["start_ms"] for x in run(*args) if x["event"] == "started")
                 for _ in range(STARTS))
    return {"least_ms": got[0], "median_ms": got[STARTS // 2]}


def enclaves():
    """Absent where programs can't be locked in, or their payloads were not built."""
    if not (PAYLOAD / "enclave-payload-static").exists():
        return None
    try:
        starts = {kind: start_ms(kind) for kind in ("static", "dynamic")}
    except subprocess.CalledProcessError as e:
        print("SKIP: no enclaves here:", e.stderr.strip().splitlines()[-1:], file=sys.stderr)
        return None
    return {"starts": starts, "load": os.getloadavg()[0]}


def enclave_rows(e):
    if not e:
        return []
    names = {"static": "a static program", "dynamic": "one with its loader and libraries"}
    return ["## Programs locked in", "",
            f"`casemate enclave run` (docs/enclave.md), from the call to the program's first "
            f"instruction, {STARTS} times, at a load of {e['load']:.1f} on {os.cpu_count()} processors.",
            "",
            "| | least | middle |", "|---|---|---|",
            *(f"| {names[k]} | {v['least_ms']:.1f} ms | {v['median_ms']:.1f} ms |"
              for k, v in e["starts"].items()), ""]


def page(r):
    raw = r["raw"]
    rows = ["| evidence | a second, one core | µs | the same, chains remembered | its own signature "
            "alone, OpenSSL | ratio | chains remembered |", "|---|---|---|---|---|---|---|"]
    for name, what, _, _, _, sig in SETS:
        got, cached = r["sets"][name], r["cached"][name]
        beside = "none but its certificates' | | "
        if sig:
            alone = raw[sig]["cpu_us"]
            beside = (f"{sig}: {alone:,.0f} µs | {got['cpu_us'] / alone:.2f} | "
                      f"{cached['cpu_us'] / alone:.2f}")
        rows.append(f"| {what} | {got['per_second']:,.0f} | {got['cpu_us']:,.0f} | "
                    f"{cached['cpu_us']:,.0f} | {beside} |")
    tdx, size = r["sets"]["tdx"]["per_second"], r["text"]
    snp = r["cached"]["snp"]["cpu_us"] / raw["P-384, SHA-384"]["cpu_us"]
    return "\n".join([
        "# Verification of evidence, measured", "",
        "Written by `./do bench attest`; all figures: [attest.json](bench/attest.json). Times are "
        "of the processor, of one thread. Every run reads the evidence and its certificates anew and "
        "checks every one up to the pinned root. *Chains remembered*: a cache knows which "
        "certificates' signatures were verified before (spec/attest.md, AT-12); dates, lists and "
        "verdicts are never kept.", "",
        *rows, "",
        "| target | measured | |", "|---|---|---|",
        f"| 500 TDX quotes a second and core | {tdx:,.0f} | {'met' if tdx >= 500 else 'MISSED'} |",
        f"| the verifiers' text at most 400 KiB, without OpenSSL | {size / 1024:,.0f} KiB | "
        f"{'met' if size <= 400 << 10 else 'MISSED'} |",
        f"| an SEV-SNP report at most 1.3 of the raw P-384 check, its chain cached | {snp:.2f} | "
        f"{'met' if snp <= 1.3 else 'MISSED'} |", "",
        "No peer: the verifiers in Go that vendors publish are not among Debian's packages.", "",
        *enclave_rows(r["enclaves"])])


def main():
    if not TEE.is_dir():
        sys.exit(f"SKIP: no recorded evidence at {TEE}")
    r = {"raw": {x["name"]: x for x in run(BENCH, "raw")}, "sets": {}, "cached": {},
         "text": text_size()}
    for name, _, at, evidence, beside, _ in SETS:
        for how, kept in (("verify", "sets"), ("cached", "cached")):
            r[kept][name] = run(BENCH, how, name, at, TEE / evidence, *files(beside))[0]
            if r[kept][name]["result"] != "verified":
                sys.exit(f"{name} was refused")
    r["enclaves"] = enclaves()
    (DOCS / "bench").mkdir(parents=True, exist_ok=True)
    (DOCS / "bench/attest.json").write_text(json.dumps(r, indent=1) + "\n")
    (DOCS / "bench-attest.md").write_text(page(r))


if __name__ == "__main__":
    main()
