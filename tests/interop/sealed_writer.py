"""Writes sealed models from the text of spec/ alone: honest ones, and with `wrong` such as only one
who holds the content key can make, every tag and hash in order except for what is asked."""
import os

from argon2.low_level import Type, hash_secret_raw
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

import sealed_reader as r
from sealed_reader import cbor_head, sha256, u


def cbor(value):
    """Maps are sorted by their encoded keys."""
    if value is True or value is False:
        return b"\xf5" if value else b"\xf4"
    if isinstance(value, int):
        return cbor_head(0, value)
    if isinstance(value, bytes):
        return cbor_head(2, len(value)) + value
    if isinstance(value, str):
        return cbor_head(3, len(value.encode())) + value.encode()
    if isinstance(value, list):
        return cbor_head(4, len(value)) + b"".join(map(cbor, value))
    pairs = sorted((cbor(k), cbor(v)) for k, v in value.items())
    return cbor_head(5, len(pairs)) + b"".join(k + v for k, v in pairs)


def floe_segments(floe, plain, full_end):
    at = range(0, max(len(plain), 1) if full_end else len(plain) + 1, floe.plain)
    return [plain[i : i + floe.plain] for i in at]


def floe_seal(floe, plain, full_end=False):
    """full_end leaves out the short segment at the end: FLOE has it so, S-5 and S-16 do not."""
    iv = os.urandom(32)
    header, message_key = floe.start(iv)
    out, segments = [header], floe_segments(floe, plain, full_end)
    for n, data in enumerate(segments):
        last, nonce = n == len(segments) - 1, os.urandom(12)
        size = u(len(data) + 32, 4) if last else b"\xff" * 4
        key = floe.segment_key(message_key, iv, n)
        out.append(size + nonce + key.encrypt(nonce, data, u(n, 8) + bytes([last])))
    return b"".join(out)


def passphrase_stanza(key, context, passphrase, cost):
    salt, nonce = os.urandom(16), os.urandom(12)
    memory, passes, lanes = cost
    wrap = hash_secret_raw(passphrase, salt, passes, max(memory, 8 * lanes), lanes, 32, Type.ID, 0x13)
    body = nonce + AESGCM(wrap).encrypt(nonce, key, r.stanza_info(2, context))
    return {1: 2, 2: salt, 3: body, 5: list(cost)}


def table(files):
    """Plaintext of a directory: [(path, executable, bytes)], in the order given."""
    rows = cbor([[path, len(data), executable] for path, executable, data in files])
    out = b"CSMDIR01" + u(len(rows), 4) + rows
    for _, _, data in files:
        out += bytes(-len(out) % 4096) + data
    return out + bytes(-len(out) % 4096)


class Writer:
    """Each step takes what `wrong` gives for it in place of what it should make."""

    def __init__(self, passphrase, **wrong):
        self.passphrase, self.wrong = passphrase, wrong
        self.key = os.urandom(32)

    def choose(self, name, right):
        """wrong[name] is a value, or a function of the right one."""
        value = self.wrong.get(name, right)
        return value(right) if callable(value) else value

    def floe(self, use, plain_size, plain):
        name = b"casemate-sealed-v1 " + use + b"\0" + self.hd
        floe = r.Floe(r.expand(hashes.SHA384(), self.key, name, 32), name, plain_size)
        return floe_seal(floe, plain, self.wrong.get("full_end") == use)

    def envelope(self):
        context = b"casemate-sealed-v1\0" + self.hd
        stanzas = [passphrase_stanza(self.key, context, self.passphrase,
                                     self.choose("cost", (8192, 1, 1)))]
        stanzas = self.choose("stanzas", stanzas)
        proof = r.commitment(self.key, context, cbor(stanzas))
        return cbor(self.choose("envelope", {1: 1, 2: stanzas, 3: self.choose("commitment", proof)}))

    def slot(self, size):
        data = self.envelope()
        head = u(7, 8) + u(len(data), 4)
        return (b"CSLT" + head + sha256(head, data) + data).ljust(size, b"\0")

    def front(self, directory):
        core = {1: os.urandom(16), 2: 1, 3: 0, 4: 65536, 5: 4096, 6: int(directory)}
        if self.wrong.get("salt"):
            nonce = os.urandom(12)
            wrap = r.expand(hashes.SHA384(), self.key, b"casemate-sealed-v1 salt\0" + core[1], 32)
            core[8] = nonce + AESGCM(wrap).encrypt(nonce, self.wrong["salt"], core[1])
        core = cbor(self.choose("core", core))
        self.hd = sha256(core)
        slots = 4096 * ((64 + len(core) + 4095) // 4096)
        prelude = b"\x89CSM1\r\n\x1a" + u(1, 4) + u(len(core), 4) + u(4096, 4) + u(0, 4)
        prelude += u(slots + 8192, 8)
        front = (prelude + sha256(prelude, core) + core).ljust(slots, b"\0")
        return front + self.choose("slots", self.slot(4096) + bytes(4096))

    def seal(self, plain, kind="raw"):
        front = self.front(kind == "directory")
        salt = self.wrong.get("salt", b"")
        levels = r.tree_levels([plain[i : i + 65536] for i in range(0, len(plain), 65536)], 4096, salt)
        index = {1: 1, 2: os.urandom(32), 4: []}
        index = self.choose("index_bytes", cbor(self.choose("index", index)))
        body = self.floe(b"body", 65536, self.choose("body", plain))
        tree = self.floe(b"tree", 32768, self.choose("tree", r.tree_bytes(levels)))
        manifest = {1: 1, 2: self.hd, 3: r.tree_root(levels[-1]), 4: -(-len(plain) // 4096),
                    5: len(plain), 6: "outside", 7: "1", 8: kind, 9: sha256(index), 10: 1700000000}
        manifest = self.choose("manifest_bytes", cbor(self.choose("manifest", manifest)))
        return front + self.back(body, tree, self.floe(b"index", 65536, index), manifest)

    def back(self, body, tree, index, manifest):
        sign = self.wrong.get("sign")
        signatures = sign(manifest) if sign else self.choose("signatures", b"\x80")
        footer = b"CSMEND01" + u(len(body), 8) + u(len(tree), 8) + u(len(index), 8)
        footer += u(len(manifest), 4) + u(len(signatures), 4)
        return body + tree + index + manifest + signatures + footer + sha256(footer)[:24]
