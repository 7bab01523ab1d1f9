#!/usr/bin/env python3
"""An exported log and a receipt, checked by a program made from the C2SP texts alone.

log_python.py MAKE_LOG CASEMATE: hashing by hashlib, signatures by OpenSSL's command line and, where
it is installed, Ed25519 by python3-cryptography.
"""
import base64
import hashlib
import os
import struct
import subprocess
import sys
import tempfile

try:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
except ImportError:
    Ed25519PublicKey = None
    print("SKIP python3-cryptography is not installed: Ed25519 by OpenSSL alone")

OPENSSL = os.environ.get("CASEMATE_OPENSSL", "openssl")
OURS = b"\xffcasemate/ml-dsa-65/v1"
OIDS = {"ed25519": bytes.fromhex("06032b6570"),
        "ml-dsa-44": bytes.fromhex("0609608648016503040311"),
        "ml-dsa-65": bytes.fromhex("0609608648016503040312")}


def die(why):
    print("FAILED:", why)
    sys.exit(1)


def sha256(data):
    return hashlib.sha256(data).digest()


# ---- RFC 6962

def leaf(data):
    return sha256(b"\0" + data)


def root(hashes):
    if not hashes:
        return sha256(b"")
    if len(hashes) == 1:
        return hashes[0]
    k = 1
    while 2 * k < len(hashes):
        k *= 2
    return sha256(b"\1" + root(hashes[:k]) + root(hashes[k:]))


def root_by_path(index, size, h, path):
    """RFC 9162, 2.1.3.2."""
    fn, sn = index, size - 1
    for p in path:
        if sn == 0:
            die("a proof is too long")
        if fn & 1 or fn == sn:
            h = sha256(b"\1" + p + h)
            while not fn & 1 and fn:
                fn >>= 1
                sn >>= 1
        else:
            h = sha256(b"\1" + h + p)
        fn >>= 1
        sn >>= 1
    return h if sn == 0 else None


# ---- signatures

def der(tag, body):
    if len(body) < 128:
        return bytes([tag, len(body)]) + body
    n = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(n)]) + n + body


def spki(name, key):
    return der(0x30, der(0x30, OIDS[name]) + der(3, b"\0" + key))


def openssl_verify(name, key, message, signature, context=b""):
    with tempfile.TemporaryDirectory() as d:
        path = {}
        for what, data in ("key", spki(name, key)), ("msg", message), ("sig", signature):
            path[what] = os.path.join(d, what)
            with open(path[what], "wb") as f:
                f.write(data)
        args = [OPENSSL, "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", path["key"],
                "-rawin", "-in", path["msg"], "-sigfile", path["sig"]]
        if context:
            args += ["-pkeyopt", "hexcontext-string:" + context.hex()]
        return subprocess.run(args, capture_output=True).returncode == 0


def check_line(vkey, text, raw):
    """raw: what stands behind the key ID."""
    name, material = vkey
    origin, size, root_text = text.decode().split("\n")[:3]
    if material[:1] == b"\x01":  # signed-note
        good = openssl_verify("ed25519", material[1:], text, raw)
        if Ed25519PublicKey:
            Ed25519PublicKey.from_public_bytes(material[1:]).verify(raw, text)
        return "Ed25519", good
    if material[:1] == b"\x06":  # tlog-cosignature: cosigned_message
        time, signature = raw[:8], raw[8:]
        message = (b"subtree/v1\n\0" + bytes([len(name)]) + name.encode() + time +
                   bytes([len(origin)]) + origin.encode() + struct.pack(">QQ", 0, int(size)) +
                   base64.b64decode(root_text))
        return "ML-DSA-44", openssl_verify("ml-dsa-44", material[1:], message, signature)
    if material.startswith(OURS):
        return "ML-DSA-65", openssl_verify("ml-dsa-65", material[len(OURS):], text, raw,
                                           b"casemate/checkpoint/v1")
    die("a key of an unknown type")


def check_note(note, vkeys):
    """All keys have signed; origin, size and root."""
    text, _, lines = note.rpartition(b"\n\n")
    text += b"\n"
    seen = set()
    for line in lines.decode().splitlines():
        dash, name, blob = line.split(" ")
        raw = base64.b64decode(blob, validate=True)
        if dash != "\u2014" or (name, raw[:4]) not in vkeys:
            die("a line of nobody: " + line[:60])
        what, good = check_line((name, vkeys[name, raw[:4]]), text, raw[4:])
        if not good:
            die(what + " does not verify")
        seen.add((name, raw[:4]))
    if seen != set(vkeys):
        die("a key has not signed")
    origin, size, hash_, rest = text.decode().split("\n", 3)
    if rest:
        die("extension lines")
    return origin, int(size), base64.b64decode(hash_)


def read_vkeys(text):
    keys = {}
    for line in text.split():
        name, id_, material = line.split("+", 2)
        material = base64.b64decode(material, validate=True)
        if sha256(name.encode() + b"\n" + material)[:4].hex() != id_:
            die("a key ID does not fit")
        keys[name, bytes.fromhex(id_)] = material
    return keys


# ---- tlog-tiles

def tile_path(level, n, width):
    name = "%03d" % (n % 1000)
    while n >= 1000:
        n //= 1000
        name = "x%03d/%s" % (n % 1000, name)
    return "tile/%s/%s%s" % (level, name, "" if width == 256 else ".p/%d" % width)


def check_export(folder, vkeys):
    def get(name):
        with open(os.path.join(folder, name), "rb") as f:
            return f.read()

    _, size, want = check_note(get("checkpoint"), vkeys)
    entries, hashes = [], []
    for n in range((size + 255) // 256):
        width = min(256, size - 256 * n)
        bundle, count = get(tile_path("entries", n, width)), 0
        while bundle:
            length = struct.unpack(">H", bundle[:2])[0]
            entries.append(bundle[2:2 + length])
            if len(entries[-1]) != length:
                die("a bundle is cut off")
            bundle = bundle[2 + length:]
            count += 1
        if count != width:
            die("a bundle of %d, not %d" % (count, width))
    level, hashes = 0, [leaf(e) for e in entries]
    if root(hashes) != want:
        die("the root is another")
    while hashes:
        for n in range((len(hashes) + 255) // 256):
            run = hashes[256 * n:256 * n + 256]
            if get(tile_path(level, n, len(run))) != b"".join(run):
                die("tile %d/%d is another" % (level, n))
        hashes = [root(hashes[i:i + 256]) for i in range(0, len(hashes) // 256 * 256, 256)]
        level += 1
    return entries


def check_receipt(text, vkeys, entries):
    """tlog-proof."""
    head, _, note = text.partition(b"\n\n")
    lines = head.decode().split("\n")
    if lines[0] != "c2sp.org/tlog-proof@v1" or not lines[1].startswith("extra "):
        die("the receipt's head")
    entry = base64.b64decode(lines[1][6:], validate=True)
    index = int(lines[2].removeprefix("index "))
    path = [base64.b64decode(x, validate=True) for x in lines[3:]]
    _, size, want = check_note(note, vkeys)
    if entries[index] != entry or root_by_path(index, size, leaf(entry), path) != want:
        die("the receipt of entry %d" % index)


def main():
    make_log, casemate = sys.argv[1:3]
    for size in 1, 255, 256, 257, 700, 66000:
        with tempfile.TemporaryDirectory() as d:
            db, out, receipt = (os.path.join(d, x) for x in ("log.db", "out", "receipt"))
            made = subprocess.run([make_log, db, "7", "0", str(size - 1), receipt], check=True,
                                  capture_output=True, text=True)
            subprocess.run([casemate, "audit", "export", "--store", db, "--quiet", out], check=True)
            vkeys = read_vkeys(made.stdout)
            if len(vkeys) != 3:
                die("not three keys")
            entries = check_export(out, vkeys)
            if len(entries) != size:
                die("%d entries, not %d" % (len(entries), size))
            with open(receipt, "rb") as f:
                check_receipt(f.read(), vkeys, entries)
            for index in {0, size // 2, size - 1}:
                proof = subprocess.run([casemate, "audit", "prove", str(index), out], check=True,
                                       capture_output=True).stdout
                check_receipt(proof, vkeys, entries)
        print("PASS a log of %d entries" % size)


main()
