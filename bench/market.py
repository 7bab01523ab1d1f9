#!/usr/bin/env python3
"""market.py BUILD CLIENTS DOCS: receipts signed by the key server over gRPC beside SoftHSM2, batches,
stored days, the check of a product beside the product; each pair in one run. Writes
DOCS/bench-market.md and DOCS/bench/market.json; below four minutes with the defaults.

KMS_SECONDS     of each load (4)
MARKET_DAY      receipts of the stored day in batches (1000000)
MARKET_SINGLE   and of the one whose receipts are signed each (100000)
MARKET_PRODUCT  dimension of the matrices (4096)"""
import json
import os
import pathlib
import re
import tempfile

import hsm
import kms
import kms_report

BENCH = kms.BUILD / "bench/bench_market"
DAY, SINGLE, DIMENSION = (int(os.environ.get("MARKET_" + name, n)) for name, n in (
    ("DAY", "1000000"), ("SINGLE", "100000"), ("PRODUCT", "4096")))
ITEMS = 100
# Fields of BatchRequest, BatchItem and PoAIItem, and the number of sign_poai (docs/kms.proto).
OPERATION, ITEM, POAI, DIGESTS, SIGN_POAI = 6, 7, 5, (6, 7, 8, 9), 7


def batch_body():
    digests = kms.proto(*((n, bytes([n] * 32)) for n in DIGESTS))[5:]
    item = kms.proto((POAI, digests))[5:]
    whole = kms.proto((1, b"default"), (2, b"k1"))[5:] + bytes([OPERATION << 3, SIGN_POAI]) + \
        kms.proto(*ITEMS * [(ITEM, item)])[5:]
    return b"\0" + len(whole).to_bytes(4, "big") + whole


def served(folder):
    """Receipts a second, signed by a key server: TLS, policy, nonces, log and all."""
    server = kms.Server(folder)
    try:
        server.ready()
        return {"secp256k1 over gRPC": hsm.whole(server, lambda: kms.load(
            server, "/casemate.kms.v1.Kms/Batch", batch_body(), grpc=True, streams=2,
            items=ITEMS))}
    finally:
        server.stop()


def softhsm(folder):
    return {"secp256k1, SoftHSM2": hsm.alone(folder, "k1-direct")}


def batches(_):
    got = hsm.lines(kms.run(BENCH, "batch"))
    last = kms.run(kms.OPENSSL, "speed", "-seconds", "1", "ML-DSA-65").strip().splitlines()[-1]
    rates = [float(x) for x in last.split() if re.fullmatch(r"[\d.]+", x)]
    return dict(got, **{"ML-DSA-65 verify, OpenSSL": {"per_second": rates[-1],
                                                      "cpu_us": 1e6 / rates[-1]}})


def days(folder):
    out = {}
    for kind, n in (("batch", DAY), ("secp", SINGLE)):
        file = folder / kind
        kms.run(BENCH, "make", file, n, kind)
        out["day, " + kind] = json.loads(kms.run(BENCH, "day", file))
        file.unlink()
    return out


def product(_):
    return hsm.lines(kms.run(BENCH, "product", DIMENSION))


# ---- the page --------------------------------------------------------------------------------


def row(what, ours, beside, ratio, target, met):
    verdict = "" if met is None else "met" if met else "**missed**"
    return f"| {what} | {ours} | {beside} | {ratio} | {target} | {verdict} |"


def each(got):
    return f"{got['per_second']:,.0f}/s, {got['cpu_us']:,.1f} µs"


def signing(r):
    ours, beside = r["secp256k1 over gRPC"], r["secp256k1, SoftHSM2"]
    cpu = beside["cpu_us"] / ours["cpu_us"]
    return [row(f"PoAI sign, secp256k1, gRPC, batches of {ITEMS}, whole request", each(ours),
                f"SoftHSM2 {each(beside)}", f"{ours['per_second'] / beside['per_second']:.1f} wall",
                "≥ 10,000/s", ours["per_second"] >= 10000),
            row("the same, processor", f"{ours['cpu_us']:,.0f} µs", f"{beside['cpu_us']:,.0f} µs",
                f"{cpu:.1f}", "≥ 5", cpu >= 5)]


def batch_rows(r):
    sign, out = r["batch, signed"], r["batch, signed and handed out"]
    new, one = r["verify alone, new key"], r["ML-DSA-65 verify, new key"]
    alone, theirs = r["verify alone"], r["ML-DSA-65 verify, OpenSSL"]
    ratio = alone["cpu_us"] / theirs["cpu_us"]
    return [row("ML-DSA-65 batch of 131,072, one processor", each(sign), "", "", "≥ 100,000/s",
                sign["per_second"] >= 1e5),
            row("the same, each receipt's record written", each(out), "", "", "≥ 100,000/s",
                out["per_second"] >= 1e5),
            row("one receipt verified alone: signature, path, all", f"{alone['cpu_us']:.1f} µs",
                f"one ML-DSA-65 verify, OpenSSL's {theirs['cpu_us']:.1f} µs", f"{ratio:.2f}",
                "≤ 1.1", ratio <= 1.1),
            row("the same beside our own ML-DSA verify", f"{alone['cpu_us']:.1f} µs",
                f"{r['ML-DSA-65 verify']['cpu_us']:.1f} µs",
                f"{alone['cpu_us'] / r['ML-DSA-65 verify']['cpu_us']:.2f}", "", None),
            row("both from the key's bytes, by somebody who has one receipt",
                f"{new['cpu_us']:.1f} µs", f"{one['cpu_us']:.1f} µs",
                f"{new['cpu_us'] / one['cpu_us']:.2f}", "", None)]


def day_row(r, kind, what):
    d = r["day, " + kind]
    return row(f"a stored day, {what}: {d['receipts']:,} receipts, {d['bytes'] / 2**20:,.0f} MiB",
               f"{d['per_second']:,.0f}/s, {d['cpu_us']:.2f} µs",
               f"{d['threads']} threads, {d['rss_mib']:.0f} MiB of memory",
               f"ten million: {1e7 / d['per_second']:,.0f} s", "streaming, bounded memory",
               d["rss_mib"] < 64)


def product_row(r):
    got, whole = r["Freivalds"]["cpu_us"], r["product"]["cpu_us"]
    more = r["opening, whole check"]["cpu_us"] / 1e3
    return row(f"Freivalds, {DIMENSION} x {DIMENSION}, two challenges", f"{got / 1e3:,.0f} ms "
               f"({more:,.0f} with the opening's hash)", f"the product {whole / 1e6:,.1f} s",
               f"1/{whole / got:.0f}", "≤ 1/50", whole >= 50 * got)


def page(results):
    m, r = results["machine"], results["results"]
    return "\n".join([
        "# Receipts, measured", "",
        f"Written by `./do bench market` on {m['when']}; all figures: "
        "[market.json](bench/market.json).", "",
        f"**Machine**: {m['cpu']}, {m['cores']} cores, {m['memory_gib']} GiB, Linux "
        f"{m['kernel']}, {m['system']}; {m['openssl']}; {m['casemate']}. Load when it began: "
        f"{', '.join(map(str, m['load']))}.", "",
        f"**How**: {results['seconds']} s a load; h2load runs on the same processors as the "
        "server. Microseconds are of processor, for one receipt, server and client together.", "",
        "| job | ours | beside | ratio | target | |", "|---|---|---|---|---|---|",
        *signing(r), *batch_rows(r), day_row(r, "batch", "ML-DSA-65 batches of 100,000"),
        day_row(r, "secp", "secp256k1 each"), product_row(r)]) + "\n"


def main():
    results = {"machine": kms_report.machine(kms.OPENSSL), "seconds": kms.SECONDS, "results": {}}
    with tempfile.TemporaryDirectory() as tmp:
        for work in (served, softhsm, batches, days, product):
            folder = pathlib.Path(tmp) / work.__name__
            folder.mkdir()
            results["results"].update(work(folder))
    (kms.DOCS / "bench").mkdir(parents=True, exist_ok=True)
    (kms.DOCS / "bench/market.json").write_text(json.dumps(results, indent=1) + "\n")
    text, notes = page(results), kms.DOCS / "bench/market-notes.md"
    if notes.exists():
        text += "\n" + notes.read_text()
    (kms.DOCS / "bench-market.md").write_text(text)


if __name__ == "__main__":
    main()
