#!/usr/bin/python3
"""curve_python.py PROBE: quotes of the HMM curve against exact rationals (spec/market.md, 8). The
new reserve is found by the quadratic's root, not by search."""
import math
import random
import subprocess
import sys
from fractions import Fraction

E18 = 10**18
MAX = 2**96


def least(w, l, a, q):
    """The least b >= 0 with 2 w a b + l (a^2 + b^2) >= q."""
    if l * a * a >= q:
        return 0
    if l == 0:
        return -(-q // (2 * w * a))
    # l b^2 + 2 w a b + (l a^2 - q) = 0
    b = (math.isqrt((w * a) ** 2 - l * (l * a * a - q)) - w * a) // l
    while 2 * w * a * b + l * (a * a + b * b) < q:
        b += 1
    return b


def price(w, l, a, b):
    return Fraction(w * b + l * a, w * a + l * b)


def quote(x, y, w, l, fee, risk, from_y, n):
    if not (0 < x < MAX and 0 < y < MAX and max(w, l, fee, risk) <= E18 and w + l):
        return "CURVE_PARAMETERS"
    a, b = (y, x) if from_y else (x, y)
    if n >= MAX:
        return "AMOUNT_OVERFLOW"
    rate = Fraction(fee + math.ceil(Fraction(risk * n, a)), E18)
    if n == 0 or rate >= 1 or math.ceil(n * rate) >= n:
        return "CURVE_FEE"
    taken = math.ceil(n * rate)
    new = a + n - taken
    if new >= MAX:
        return "AMOUNT_OVERFLOW"
    rest = least(w, l, new, 2 * w * a * b + l * (a * a + b * b))
    if rest == 0:
        return "CURVE_EMPTY"
    out, expected = b - rest, math.floor(n * price(w, l, a, b))
    slip = math.ceil(Fraction((expected - out) * 10000, expected)) if out < expected else 0
    return (f"{out} {taken} {math.floor(price(w, l, a, b) * E18)} "
            f"{math.floor(price(w, l, new, rest) * E18)} {slip}")


def case(r):
    size = lambda bits: r.getrandbits(r.randrange(1, bits + 1))
    l = r.choice([0, size(60), r.randrange(E18 // 1000)])
    return (size(96), size(96), r.choice([E18, size(60), r.randrange(E18)]), l,
            r.choice([0, r.randrange(E18 // 20)]), r.choice([0, r.randrange(E18)]),
            r.randrange(2), size(r.choice([40, 80, 97])))


def main():
    r = random.Random(11)
    cases = [case(r) for _ in range(2500)]
    text = "".join(" ".join(map(str, c)) + "\n" for c in cases)
    got = subprocess.run([sys.argv[1]], input=text, capture_output=True, text=True,
                         check=True).stdout.splitlines()
    want = [quote(*c) for c in cases]
    assert len(got) == len(want), (len(got), len(want))
    for g, w, c in zip(got, want, cases):
        assert g == w, (c, g, w)
    kinds = {}
    for w in want:
        kind = w if w[0].isalpha() else "quotes"
        kinds[kind] = kinds.get(kind, 0) + 1
    assert kinds["quotes"] > 500 and len(kinds) == 5, kinds
    print("agree:", kinds)


main()
