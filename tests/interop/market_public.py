#!/usr/bin/python3
"""market_public.py RECORDS PROBE...: what programs get through <casemate/market.h>, from the whole
library and from the small verifier: every record verifies, every altered one is refused, both say
the same, and the goldens of $CASEMATE_VECTORS/seeds come out."""
import json
import os
import random
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from market_outside import keccak  # noqa: E402


def ask(probe, lines):
    r = subprocess.run([probe], input="".join(line + "\n" for line in lines), capture_output=True,
                       text=True, check=True)
    return r.stdout.splitlines()


def line(what, *fields):
    return f"{what} {len(fields)} " + " ".join(f or "-" for f in fields)


def goldens(probes):
    path = os.path.join(os.environ.get("CASEMATE_VECTORS", ""), "seeds", "seeds-vectors.json")
    if not os.path.exists(path):
        print("SKIP: no goldens at", path)
        return 0
    with open(path) as f:
        v = json.load(f)
    words = ("intent", "model", "prompt", "block", "output", "runtime")
    hashed = {w: keccak(w.encode()).hex() for w in words}
    rd = v["report_data"]
    claim = ["%064x" % rd["taskId"]] + [hashed[w] for w in ("intent", "model", "prompt", "block")]
    claim.append("11" * 20)
    lines = [line("c", "", "", *claim), line("d", hashed["output"], hashed["runtime"], *claim),
             line("k", "", "", hashed["model"], hashed["prompt"], hashed["output"]),
             line("b", "", "", v["receipt"]["receipt_hex"]),
             line("b", "", "", v["receipt"]["receipt_hex"][:-2])]
    want = ["OKAY " + rd["challenge"], "OKAY " + rd["reportData"], "OKAY " + rd["computationKey"],
            "OKAY " + v["receipt"]["receipt_hash"], "MARKET_MALFORMED"]
    for p in probes:
        got = ask(p, lines)
        assert got == want, (p, got, want)
    return len(want)


def main():
    records = [json.loads(x) for x in subprocess.run([sys.argv[1]], stdout=subprocess.PIPE,
                                                     check=True).stdout.splitlines()]
    r, lines, good = random.Random(7), [], []
    for x in records:
        kind = "r" if x["kind"] == "receipt" else "s"
        lines.append(line(kind, x["secp"], x["mldsa"], x["record"]))
        good.append(True)
        raw = bytes.fromhex(x["record"])
        for i in range(12):
            bad = bytearray(raw)
            at = r.randrange(len(raw)) if i % 2 else r.randrange(min(len(raw), 430))
            bad[at] ^= 1 << r.randrange(8)
            lines.append(line(kind, x["secp"], x["mldsa"], bad.hex()))
            good.append(False)
        for bad in (raw[:-1], raw + b"\0", b""):
            lines.append(line(kind, x["secp"], x["mldsa"], bad.hex()))
            good.append(False)
        # a signature taken off, another key
        lines.append(line(kind, "" if x["mldsa"] else records[0]["secp"][:-2] + "00", x["mldsa"],
                          x["record"]))
        good.append(not x["secp"])
    answers = [ask(p, lines) for p in sys.argv[2:]]
    for a in answers:
        assert len(a) == len(lines), len(a)
        for text, ok, asked in zip(a, good, lines):
            assert text.startswith("OKAY ") == ok, (text, ok, asked[:80])
        assert a == answers[0]
    n = goldens(sys.argv[2:])
    print(f"{good.count(True)} records verify, {good.count(False)} altered ones are refused, "
          f"{n} goldens, the same by {len(answers)} libraries")


main()
