#!/usr/bin/python3
"""market_python.py PROBE: amounts of 256 bits against Python's integers."""
import random
import subprocess
import sys

LIMIT = 1 << 256


def expected(op, a, b, d):
    if op == "-" and b > a:
        return "AMOUNT_UNDERFLOW"
    if (op == "/" and b == 0) or (op == "m" and d == 0):
        return "AMOUNT_DIVISION"
    rest = a % b if op == "/" else 0
    value = {"+": a + b, "-": a - b, "*": a * b,
             "/": a // b if b else 0, "m": a * b // d if d else 0}[op]
    return "AMOUNT_OVERFLOW" if value >= LIMIT else f"{value} {rest}"


def number(r):
    kind = r.randrange(6)
    if kind == 0:
        return r.choice([0, 1, 2, 10, 2**64 - 1, 2**64, 2**128 - 1, 2**128, 2**255, LIMIT - 1])
    if kind == 1:
        return (1 << r.randrange(256)) - r.randrange(2)
    return r.getrandbits(r.randrange(1, 257))


def main():
    r = random.Random(5)
    cases = [(r.choice("+-*/m"), number(r), number(r), number(r)) for _ in range(20000)]
    lines = "".join(f"{op} {a} {b} {d}\n" for op, a, b, d in cases)
    want = [expected(*c) for c in cases]
    for text, name in (("01", "FORM"), ("-1", "FORM"), ("1e3", "FORM"), (str(LIMIT), "OVERFLOW"),
                       ("0x10", "FORM"), (str(LIMIT * 10), "OVERFLOW"), ("+1", "FORM")):
        lines += f"+ {text} 0 0\n"
        want.append("AMOUNT_" + name)
    got = subprocess.run([sys.argv[1]], input=lines, capture_output=True, text=True,
                         check=True).stdout.splitlines()
    assert len(got) == len(want), (len(got), len(want))
    for g, w, c in zip(got, want, cases + [None] * 7):
        assert g == w, (c, g, w)
    print(f"{len(want)} amounts agree")


main()
