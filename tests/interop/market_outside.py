#!/usr/bin/python3
"""market_outside.py RECORDS: receipts and settlements by a reader made from spec/market.md alone,
with nothing but the standard library: encoding, key ids, Keccak digests, secp256k1 recovery,
inclusion paths. ML-DSA signatures are looked at for their length; others verify those.
market_outside.py --file LINES: the same over records from elsewhere; of a settlement, "receipt" is
the record of the receipt that it has to name (M-15)."""
import hashlib
import json
import subprocess
import sys

# ---- Keccak-256, padding 01 ----

MASK = (1 << 64) - 1


def rol(v, n):
    return ((v << n) | (v >> (64 - n))) & MASK if n else v


def constants():
    out, r = [], 1
    for _ in range(24):
        rc = 0
        for j in range(7):
            if r & 1:
                rc ^= 1 << ((1 << j) - 1)
            r <<= 1
            if r & 0x100:
                r ^= 0x171
        out.append(rc)
    return out


RC = constants()


def permute(a):
    for rc in RC:
        c = [a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20] for x in range(5)]
        d = [c[(x + 4) % 5] ^ rol(c[(x + 1) % 5], 1) for x in range(5)]
        a = [a[i] ^ d[i % 5] for i in range(25)]
        b, x, y = [0] * 25, 1, 0
        b[0] = a[0]
        for t in range(24):
            b[y + 5 * ((2 * x + 3 * y) % 5)] = rol(a[x + 5 * y], (t + 1) * (t + 2) // 2 % 64)
            x, y = y, (2 * x + 3 * y) % 5
        a = [b[i] ^ (~b[i - i % 5 + (i + 1) % 5] & MASK & b[i - i % 5 + (i + 2) % 5])
             for i in range(25)]
        a[0] ^= rc
    return a


def keccak(data):
    data = bytearray(data + b"\x01" + bytes(-(len(data) + 1) % 136))
    data[-1] |= 0x80
    a = [0] * 25
    for at in range(0, len(data), 136):
        for i in range(17):
            a[i] ^= int.from_bytes(data[at + 8 * i:at + 8 * i + 8], "little")
        a = permute(a)
    return b"".join(w.to_bytes(8, "little") for w in a[:4])


# ---- secp256k1 ----

P = 2**256 - 2**32 - 977
N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
G = (0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
     0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8)


def add(a, b):
    if a is None or b is None:
        return a or b
    if a[0] == b[0]:
        if (a[1] + b[1]) % P == 0:
            return None
        m = 3 * a[0] * a[0] * pow(2 * a[1], -1, P)
    else:
        m = (b[1] - a[1]) * pow(b[0] - a[0], -1, P)
    x = (m * m - a[0] - b[0]) % P
    return x, (m * (a[0] - x) - a[1]) % P


def mul(k, p):
    r = None
    while k:
        if k & 1:
            r = add(r, p)
        p, k = add(p, p), k >> 1
    return r


def recover(digest, sig):
    r, s, v = int.from_bytes(sig[:32], "big"), int.from_bytes(sig[32:64], "big"), sig[64]
    assert v in (27, 28) and 0 < r < N and 0 < s <= N // 2, "M-9"
    y = pow(r**3 + 7, (P + 1) // 4, P)
    assert (y * y - r**3 - 7) % P == 0, "M-9"
    if y % 2 != v - 27:
        y = P - y
    z = int.from_bytes(digest, "big")
    inverse = pow(r, -1, N)
    x, y = add(mul(s * inverse % N, (r, y)), mul(-z * inverse % N, G))
    return b"\x04" + x.to_bytes(32, "big") + y.to_bytes(32, "big")


# ---- spec/market.md ----

KINDS = {b"CMPA": (324, b"casemate/poai/receipt/v1", 3600000),
         b"CMHS": (280, b"casemate/hmm/settlement/v1", 86400000),
         b"CMPB": (164, b"casemate/poai/batch/v1", 3600000)}


class Refused(Exception):
    pass


def demand(holds, tag):
    if not holds:
        raise Refused(tag)


def number(b, at, n):
    return int.from_bytes(b[at:at + n], "big")


def statement(b, magic):
    size, _, term = KINDS[magic]
    demand(len(b) == size and b[:4] == magic and number(b, 4, 2) == 1, "M-1")
    demand(number(b, 8, 2) == 1, "M-4")
    own = number(b, 10, 2)
    issued, expires = number(b, 12, 8), number(b, 20, 8)
    demand(0 < issued < expires and any(b[60:92]) and any(b[92:124]), "M-3")
    demand(expires - issued <= term, "M-12")
    algs = number(b, 6, 2)
    demand(algs in (1, 2, 3) or (algs == 4 and magic == b"CMPA"), "M-3")
    if magic == b"CMPA":
        demand(own < 8 and bool(own & 1) == any(b[260:292]) and bool(own & 2) == any(b[292:324]),
               "M-7")
        demand(all(any(b[at:at + 32]) for at in (132, 164, 196, 228)), "M-7")
    elif magic == b"CMHS":
        demand(own == 1, "M-4")
        demand(any(b[124:156]) and any(b[156:176]) and any(b[176:196]) and any(b[248:280]), "M-8")
    else:
        demand(own == 0 and 0 < number(b, 124, 8) <= 1 << 20, "M-1")
    return algs


def key_id(secp, mldsa):
    algs = (1 if secp else 0) | (2 if mldsa else 0)
    return algs, keccak(b"casemate/market/key/v1" + algs.to_bytes(2, "big") + secp[1:] + mldsa)


def signatures(b, magic, sigs, secp, mldsa):
    algs, kid = key_id(secp, mldsa)
    demand(b[60:92] == kid and number(b, 6, 2) == algs, "M-5")
    demand(len(sigs) == (65 if secp else 0) + (3309 if mldsa else 0), "record")
    if secp:
        demand(recover(keccak(KINDS[magic][1] + b), sigs[:65]) == secp, "M-9")


def path_root(leaf, index, size, path):
    """RFC 9162, 2.1.3.2"""
    fn, sn, r = index, size - 1, leaf
    demand(index < size, "M-30")
    for p in path:
        demand(sn != 0, "M-30")
        if fn & 1 or fn == sn:
            r = hashlib.sha256(b"\x01" + p + r).digest()
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = hashlib.sha256(b"\x01" + r + p).digest()
        fn, sn = fn >> 1, sn >> 1
    demand(sn == 0, "M-30")
    return r


def verify(kind, record, secp, mldsa):
    magic = {"receipt": b"CMPA", "settlement": b"CMHS"}[kind]
    size = KINDS[magic][0]
    b, rest = record[:size], record[size:]
    if statement(b, magic) != 4:
        return signatures(b, magic, rest, secp, mldsa)
    demand(len(rest) >= 9 and rest[8] <= 20, "M-30")
    hashes = [rest[9 + 32 * i:41 + 32 * i] for i in range(rest[8])]
    rest, index = rest[9 + 32 * rest[8]:], number(rest, 0, 8)
    head, sigs = rest[:164], rest[164:]
    statement(head, b"CMPB")
    demand(b[60:92] == head[60:92] and b[28:60] == head[28:60], "M-31")
    root = path_root(hashlib.sha256(b"\x00" + b).digest(), index, number(head, 124, 8), hashes)
    demand(root == head[132:164], "M-30")
    return signatures(head, b"CMPB", sigs, secp, mldsa)


def refused(*what):
    try:
        verify(*what)
    except (Refused, AssertionError, ValueError, KeyError, TypeError):
        return True
    return False


def names(settlement, receipt):
    demand(settlement[248:280] == keccak(KINDS[b"CMPA"][1] + receipt[:324]), "M-15")
    demand(settlement[28:60] == receipt[28:60], "M-15")


def main():
    assert keccak(b"").hex().startswith("c5d2460186f7233c927e7db2dcc703c0")
    if sys.argv[1] == "--file":
        with open(sys.argv[2]) as f:
            lines = f.read().splitlines()
    else:
        lines = subprocess.run([sys.argv[1]], stdout=subprocess.PIPE, check=True).stdout.splitlines()
        assert len(lines) == 48 + 22
    altered = 0
    for n, text in enumerate(lines):
        x = json.loads(text)
        record, secp, mldsa = (bytes.fromhex(x[k]) for k in ("record", "secp", "mldsa"))
        verify(x["kind"], record, secp, mldsa)
        if "receipt" in x:
            names(record, bytes.fromhex(x["receipt"]))
        if secp:  # one changed bit, at another place in each
            at = n * 97 % (len(record) - (3309 if mldsa else 0))
            bad = bytearray(record)
            bad[at] ^= 1
            assert refused(x["kind"], bytes(bad), secp, mldsa), (n, at)
            altered += 1
    assert lines
    print(f"{len(lines)} records verified from the specification, {altered} altered ones refused")


if __name__ == "__main__":
    main()
