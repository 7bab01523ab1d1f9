"""A reader of sealed models written from the text of spec/ alone, with other people's cryptography.

It is slow, reads whole files and is no example of how to guard secrets. What it is for: where it
and the program differ, one of them or the text is wrong. Errors are ValueError.
"""
import base64
import hashlib
import hmac
import os
import subprocess
import tempfile

from argon2.low_level import Type, hash_secret_raw
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

OPENSSL = os.environ.get("CASEMATE_OPENSSL", "")
if not os.path.exists(OPENSSL):
    OPENSSL = "openssl"
X_WING, ML_KEM_768, ML_KEM_1024 = 0x647A, 0x0041, 0x0042
MODEL_CONTEXT = b"casemate/model/v1"


def need(truth, what):
    if not truth:
        raise ValueError(what)


def u(value, size):
    return value.to_bytes(size, "big")


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def expand(algorithm, key, info, size):
    return HKDFExpand(algorithm, size, info).derive(key)


def gcm_open(key, sealed, aad):
    """nonce, ciphertext, tag"""
    try:
        return AESGCM(key).decrypt(sealed[:12], sealed[12:], aad)
    except InvalidTag:
        raise ValueError("AES-GCM tag") from None


# ---- CBOR ------------------------------------------------------------------------------------


class Cbor:
    """The deterministic form and nothing else."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, n):
        need(self.at + n <= len(self.data), "CBOR ends early")
        self.at += n
        return self.data[self.at - n : self.at]

    def head(self):
        first = self.take(1)[0]
        major, value = first >> 5, first & 31
        if major == 7:
            need(value in (20, 21), "CBOR simple value")
            return major, value
        if value >= 24:
            need(value <= 27, "CBOR indefinite or reserved length")
            size = 1 << (value - 24)
            value = int.from_bytes(self.take(size), "big")
            need(value >= (24 if size == 1 else 1 << (4 * size)), "CBOR length not shortest")
        return major, value

    def value(self, depth=0):
        need(depth < 8, "CBOR depth")
        major, n = self.head()
        if major == 0:
            return n
        if major == 2:
            return self.take(n)
        if major == 3:
            return self.take(n).decode("utf-8")
        if major == 4:
            return [self.value(depth + 1) for _ in range(n)]
        if major == 5:
            return self.map(n, depth)
        need(major == 7, "CBOR type")
        return n == 21

    def map(self, n, depth):
        out, last = {}, b""
        for _ in range(n):
            start = self.at
            key = self.value(depth + 1)
            raw = self.data[start : self.at]
            need(raw > last, "CBOR keys out of order")
            last = raw
            out[key] = self.value(depth + 1)
        return out


def cbor(data):
    reader = Cbor(data)
    value = reader.value()
    need(reader.at == len(data), "bytes behind CBOR")
    return value


def same(value, kind):
    """Of this very type: True is not 1."""
    return type(value) is kind


def record(value, must, may=None):
    """A map with unsigned keys; must and may give the type of each."""
    may = may or {}
    need(same(value, dict), "not a record")
    for key, item in value.items():
        want = must.get(key, may.get(key))
        need(want is not None, f"unknown key {key}")
        need(same(item, want), f"type of key {key}")
    need(set(must) <= set(value), "a key is missing")
    return value


# ---- keys ------------------------------------------------------------------------------------


def openssl(*arguments, secret=()):
    """Run it; files for `secret` ("name", bytes) go to a private folder, {name} names them."""
    with tempfile.TemporaryDirectory() as folder:
        paths = {"out": os.path.join(folder, "out")}
        for name, data in secret:
            paths[name] = os.path.join(folder, name)
            with open(paths[name], "wb") as f:
                f.write(data)
        command = [OPENSSL] + [a.format(**paths) for a in arguments]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        need(done.returncode == 0, "openssl: " + done.stdout.decode(errors="replace").strip())
        if os.path.exists(paths["out"]):
            with open(paths["out"], "rb") as f:
                return f.read()
        return done.stdout


def der(tag, *parts):
    body = b"".join(parts)
    if len(body) < 128:
        return bytes([tag, len(body)]) + body
    size = u(len(body), (len(body).bit_length() + 7) // 8)
    return bytes([tag, 0x80 | len(size)]) + size + body


def oid(text):
    arcs = [int(a) for a in text.split(".")]
    out = bytes([arcs[0] * 40 + arcs[1]])
    for arc in arcs[2:]:
        groups = [arc & 127]
        while arc := arc >> 7:
            groups.append(arc & 127 | 128)
        out += bytes(reversed(groups))
    return der(0x06, out)


def spki(algorithm, key):
    return der(0x30, der(0x30, oid(algorithm)), der(0x03, b"\0", key))


class Der:
    def __init__(self, data):
        self.data, self.at = data, 0

    def next(self, tag):
        need(self.at + 2 <= len(self.data) and self.data[self.at] == tag, f"DER tag {tag:02x}")
        n, at = self.data[self.at + 1], self.at + 2
        if n >= 128:
            size = n - 128
            n, at = int.from_bytes(self.data[at : at + size], "big"), at + size
        need(at + n <= len(self.data), "DER ends early")
        need(self.data[self.at : at + n] == der(tag, self.data[at : at + n]), "DER length")
        self.at = at + n
        return self.data[at : self.at]

    def done(self):
        return self.at == len(self.data)


def pem_blocks(text):
    out, lines = [], text.decode().splitlines()
    while lines:
        line = lines.pop(0)
        if line.startswith("-----BEGIN "):
            label, body = line[11:-5], ""
            while lines[0] != f"-----END {label}-----":
                body += lines.pop(0)
            lines.pop(0)
            out.append((label, base64.b64decode(body, validate=True)))
    return out


SIG_OIDS = {1: "2.16.840.1.101.3.4.3.17", 2: "2.16.840.1.101.3.4.3.18",
            3: "2.16.840.1.101.3.4.3.19", 6: "1.3.101.112"}
KEM_OIDS = {ML_KEM_768: "2.16.840.1.101.3.4.4.2", ML_KEM_1024: "2.16.840.1.101.3.4.4.3",
            X_WING: "1.3.6.1.4.1.62253.25722"}
PUBLIC_SIZES = {1: 1312, 2: 1952, 3: 2592, 6: 32, 10: 1984, 11: 2624}
SIGNATURE_SIZES = {1: 2420, 2: 3309, 3: 4627, 6: 64, 10: 3373, 11: 4691}
DUAL = {10: 2, 11: 3}


def protected_der(data, passphrase):
    """CASEMATE ENCRYPTED PRIVATE KEY: K-43 to K-45"""
    r = record(cbor(data), {1: int, 2: int, 3: int, 4: int, 5: int, 6: bytes, 7: bytes, 8: int,
                            9: bytes, 10: bytes})
    need((r[1], r[2], r[8]) == (1, 1, 1), "version or algorithm of the key file")
    out = hash_secret_raw(passphrase, r[6], r[4], r[3], r[5], 64, Type.ID, 0x13)
    need(out[32:] == r[7], "wrong passphrase for the key file")
    tail = b"\x0a" + cbor_head(2, len(r[10])) + r[10]
    aad = b"casemate key file\xa9" + data[1 : -len(tail)]
    return gcm_open(out[:32], r[9] + r[10], aad)


def cbor_head(major, n):
    if n < 24:
        return bytes([major << 5 | n])
    for code, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if n < 1 << (8 * size):
            return bytes([major << 5 | code]) + u(n, size)
    raise ValueError("too large for CBOR")


class Identity:
    """A private key that opens: X-Wing, ML-KEM-768 or ML-KEM-1024."""

    def __init__(self, text, passphrase=b""):
        ((label, data),) = pem_blocks(text)
        if label == "CASEMATE ENCRYPTED PRIVATE KEY":
            label, data = "PRIVATE KEY", protected_der(data, passphrase)
        need(label == "PRIVATE KEY", "label " + label)
        outer = Der(data)
        key = Der(outer.next(0x30))
        need(outer.done() and key.next(0x02) in (b"\0", b"\1"), "OneAsymmetricKey")
        name = key.next(0x30)
        self.kem = {oid(o): k for k, o in KEM_OIDS.items()}[name]
        secret = key.next(0x04)
        if self.kem == X_WING:
            need(len(secret) == 32, "X-Wing seed")
            wide = hashlib.shake_256(secret).digest(96)
            self.inner, self.seed = ML_KEM_768, wide[:64]
            self.x = X25519PrivateKey.from_private_bytes(wide[64:])
        else:
            self.inner, self.seed, self.x = self.kem, Der(secret).next(0x80), None
            need(len(self.seed) == 64, "ML-KEM seed")
        pub = openssl("pkey", "-in", "{key}", "-inform", "DER", "-pubout", "-outform", "DER",
                      "-out", "{out}", secret=[("key", self.mlkem_der())])
        self.public = pub[-(1184 if self.inner == ML_KEM_768 else 1568) :]
        if self.x:
            self.xpub = self.x.public_key().public_bytes(serialization.Encoding.Raw,
                                                         serialization.PublicFormat.Raw)
            self.public += self.xpub
        self.id = sha256(u(self.kem, 2), self.public)[:16]

    def mlkem_der(self):
        return der(0x30, b"\x02\x01\0", der(0x30, oid(KEM_OIDS[self.inner])),
                   der(0x04, der(0x80, self.seed)))

    def decapsulate(self, enc):
        cut = 1088 if self.inner == ML_KEM_768 else 1568
        shared = openssl("pkeyutl", "-decap", "-inkey", "{key}", "-keyform", "DER", "-in", "{ct}",
                         "-secret", "{out}", secret=[("key", self.mlkem_der()), ("ct", enc[:cut])])
        if not self.x:
            return shared
        ss = self.x.exchange(X25519PublicKey.from_public_bytes(enc[cut:]))
        return hashlib.sha3_256(shared + ss + enc[cut:] + self.xpub + b"\\.//^\\").digest()


def public_key(text):
    """(algorithm number, raw public key) of a publisher's file: one block or a dual key's two."""
    found = []
    for label, data in pem_blocks(text):
        need(label == "PUBLIC KEY", "label " + label)
        outer = Der(Der(data).next(0x30))
        name, bits = outer.next(0x30), outer.next(0x03)
        need(outer.done() and bits[0] == 0, "SubjectPublicKeyInfo")
        found.append(({oid(o): n for n, o in SIG_OIDS.items()}[name], bits[1:]))
    if len(found) == 2:
        need(found[1][0] == 6, "second half of a dual key")
        number = {v: k for k, v in DUAL.items()}[found[0][0]]
        return number, found[0][1] + found[1][1]
    return found[0]


# ---- signatures ------------------------------------------------------------------------------


def verify_one(algorithm, key, message, signature, context=None):
    options = ["-pkeyopt", "hexcontext-string:" + context.hex()] if context is not None else []
    openssl("pkeyutl", "-verify", "-pubin", "-inkey", "{key}", "-keyform", "DER", "-rawin", "-in",
            "{message}", "-sigfile", "{signature}", *options,
            secret=[("key", spki(SIG_OIDS[algorithm], key)), ("message", message),
                    ("signature", signature)])


def verify(algorithm, key, message, signature, context):
    """K-2 to K-6"""
    need(algorithm in PUBLIC_SIZES, f"signature algorithm {algorithm}")
    need(len(key) == PUBLIC_SIZES[algorithm], "length of the public key")
    need(len(signature) == SIGNATURE_SIZES[algorithm], "length of the signature")
    if algorithm in (1, 2, 3):
        verify_one(algorithm, key, message, signature, context)
        return
    statement = (b"casemate-sig-v1\0" + bytes([algorithm, len(context)]) + context + sha256(key) +
                 message)
    if algorithm == 6:
        verify_one(6, key, statement, signature)
        return
    first = DUAL[algorithm]
    verify_one(first, key[:-32], statement, signature[:-64], b"casemate-dual-v1")
    verify_one(6, key[-32:], statement, signature[-64:])


# ---- envelope --------------------------------------------------------------------------------


def hpke_open(kem, shared, ct, info):
    """RFC 9180 base mode, HKDF-SHA256, AES-256-GCM, first message, empty aad."""
    suite = b"HPKE" + u(kem, 2) + u(1, 2) + u(2, 2)

    def extract(salt, label, key):
        return hmac.new(salt, b"HPKE-v1" + suite + label + key, "sha256").digest()

    def widen(key, label, info, size):
        return expand(hashes.SHA256(), key, u(size, 2) + b"HPKE-v1" + suite + label + info, size)

    context = b"\0" + extract(b"", b"psk_id_hash", b"") + extract(b"", b"info_hash", info)
    secret = extract(shared, b"secret", b"")
    key, nonce = widen(secret, b"key", context, 32), widen(secret, b"base_nonce", context, 12)
    return gcm_open(key, nonce + ct, b"")


def stanza_info(kind, context):
    return b"casemate-envelope-v1\0" + bytes([kind]) + sha256(context)


def open_stanza(s, context, identities, passphrase):
    """The content key, or None when the stanza is not for us."""
    kind = s.get(1)
    info = stanza_info(kind, context)
    if kind == 1:
        record(s, {1: int, 2: bytes, 3: bytes, 4: int})
        need(len(s[2]) == 16, "recipient id")
        for i in identities:
            if (i.kem, i.id) == (s[4], s[2]):
                n = {X_WING: 1120, ML_KEM_768: 1088, ML_KEM_1024: 1568}[s[4]]
                return hpke_open(s[4], i.decapsulate(s[3][:n]), s[3][n:], info)
    if kind == 2:
        record(s, {1: int, 2: bytes, 3: bytes, 5: list})
        memory, passes, lanes = s[5]
        need(len(s[2]) == 16 and len(s[3]) == 60, "passphrase stanza")
        need(8192 <= memory <= 1 << 20 and 1 <= passes <= 16 and 1 <= lanes <= 16, "Argon2id cost")
        if passphrase is not None:
            key = hash_secret_raw(passphrase, s[2], passes, memory, lanes, 32, Type.ID, 0x13)
            try:
                return gcm_open(key, s[3], info)
            except ValueError:
                return None
    return None


def commitment(key, context, stanzas):
    mac = expand(hashes.SHA256(), key, b"casemate-envelope-v1 commitment", 32)
    return hmac.digest(mac, b"casemate-envelope-v1\x01" + sha256(context) + stanzas, "sha256")


def open_envelope(data, context, identities, passphrase):
    e = record(cbor(data), {1: int, 2: list, 3: bytes})
    need(e[1] == 1 and 1 <= len(e[2]) <= 1024 and len(e[3]) == 32, "form of the envelope")
    reader = Cbor(data)
    need(reader.head() == (5, 3) and [reader.value() for _ in range(3)] == [1, 1, 2], "envelope")
    start = reader.at
    reader.value()
    stanzas = data[start : reader.at]
    for s in e[2]:
        key = open_stanza(s, context, identities, passphrase)
        if key is not None:
            need(commitment(key, context, stanzas) == e[3], "commitment of the envelope")
            return key
    raise ValueError("not addressed to these identities")


# ---- FLOE ------------------------------------------------------------------------------------


class Floe:
    """The published specification; `plain` bytes in each full segment."""

    HEADER = 74

    def __init__(self, key, aad, plain):
        self.key, self.aad, self.plain, self.enc = key, aad, plain, plain + 32
        self.params = b"\0\0" + u(self.enc, 4) + u(32, 4)

    def kdf(self, key, iv, purpose, size):
        return expand(hashes.SHA384(), key, self.params + iv + purpose + self.aad, size)

    def start(self, iv):
        """header, message key"""
        return (self.params + iv + self.kdf(self.key, iv, b"HEADER_TAG:", 32),
                self.kdf(self.key, iv, b"MESSAGE_KEY:", 48))

    def segment_key(self, message_key, iv, n):
        return AESGCM(self.kdf(message_key, iv, b"DEK:" + u(n >> 20 << 20, 8), 32))

    def pieces(self, data):
        """Encrypted segments. S-16: the last one is shorter than the others."""
        need(len(data) >= self.HEADER + 32, "a FLOE message ends early")
        return [data[at : at + self.enc] for at in range(self.HEADER, len(data), self.enc)]

    def open(self, data):
        iv = data[10:42]
        header, message_key = self.start(iv)
        need(hmac.compare_digest(header, data[: self.HEADER]), "FLOE header tag")
        out, pieces = [], self.pieces(data)
        need(len(pieces[-1]) < self.enc, "the last segment is full")
        for n, piece in enumerate(pieces):
            last = n == len(pieces) - 1
            need(len(piece) >= 32, "a segment is too short")
            need(piece[:4] == (u(len(piece), 4) if last else b"\xff" * 4), "length of a segment")
            try:
                out.append(self.segment_key(message_key, iv, n).decrypt(
                    piece[4:16], piece[16:], u(n, 8) + bytes([last])))
            except InvalidTag:
                raise ValueError(f"tag of segment {n}") from None
        return out


# ---- digest ----------------------------------------------------------------------------------


def tree_root(nodes):
    """RFC 6962, over hashed leaves."""
    if not nodes:
        return sha256()
    while len(nodes) > 1:
        odd = nodes[-1:] if len(nodes) % 2 else []
        nodes = [sha256(b"\1", a, b) for a, b in zip(nodes[::2], nodes[1::2])] + odd
    return nodes[0]


def leaves_of(data, leaf, salt):
    return [sha256(b"\0", salt, data[at : at + leaf]) for at in range(0, len(data), leaf)]


RUN = 1024


def tree_levels(segments, leaf, salt):
    levels = [[tree_root(leaves_of(s, leaf, salt)) for s in segments if s]]
    while len(levels[-1]) > RUN:
        below = levels[-1]
        levels.append([tree_root(below[i : i + RUN]) for i in range(0, len(below), RUN)])
    return levels


def tree_bytes(levels):
    out = [b"".join(level) for level in levels]
    return b"".join(o + bytes(-len(o) % 32768) for o in out[:-1]) + out[-1]


# ---- the container ---------------------------------------------------------------------------


def power_of_two(value, least, most):
    return least <= value <= most and value & (value - 1) == 0


class Sealed:
    """What is there for all to see; open() for the rest."""

    def __init__(self, data):
        self.data = data
        self.prelude()
        self.footer()
        self.public()

    def prelude(self):
        p = self.data[:64]
        need(p[:8] == b"\x89CSM1\r\n\x1a", "magic")
        version, core_size, slot, zero = (int.from_bytes(p[i : i + 4], "big") for i in range(8, 24, 4))
        need(version == 1 and 1 <= core_size <= 4096 and zero == 0, "prelude")
        need(slot % 4096 == 0 and 4096 <= slot <= 16 << 20, "length of a slot")
        core = self.data[64 : 64 + core_size]
        need(p[32:] == sha256(p[:32], core), "checksum of the prelude")
        slots = (64 + core_size + 4095) // 4096 * 4096
        self.at = int.from_bytes(p[24:32], "big")
        need(self.at == slots + 2 * slot, "body offset")
        need(not any(self.data[64 + core_size : slots]), "gap behind the core header")
        c = record(cbor(core), {1: bytes, 2: int, 3: int, 4: int, 5: int, 6: int}, {7: str, 8: bytes})
        need(len(c[1]) == 16 and c[2] == 1 and c[3] <= 4 and c[6] <= 1, "core header")
        need(power_of_two(c[4], 65536, 16 << 20) and power_of_two(c[5], 4096, c[4]), "sizes")
        need(len(c.get(7, "").encode()) <= 256 and len(c.get(8, bytes(60))) == 60, "core header")
        self.core, self.hd, self.tier, self.segment, self.leaf = c, sha256(core), c[3], c[4], c[5]
        self.slots = [self.read_slot(slots + i * slot, slot) for i in (0, 1)]

    def read_slot(self, at, size):
        """(sequence, envelope) or None"""
        s = self.data[at : at + size]
        if s[:4] != b"CSLT":
            return None
        n = int.from_bytes(s[12:16], "big")
        if n > size - 48 or s[16:48] != sha256(s[4:16], s[48 : 48 + n]) or any(s[48 + n :]):
            return None
        return int.from_bytes(s[4:12], "big"), s[48 : 48 + n]

    def footer(self):
        f = self.data[-64:]
        need(f[:8] == b"CSMEND01" and f[40:] == sha256(f[:40])[:24], "footer")
        sizes = [int.from_bytes(f[a:b], "big") for a, b in ((8, 16), (16, 24), (24, 32), (32, 36), (36, 40))]
        need(self.at + sum(sizes) + 64 == len(self.data), "lengths of the parts")
        need(sizes[3] <= 65536 and sizes[4] <= 256 << 10, "manifest or signatures")
        parts, at = [], self.at
        for n in sizes:
            parts.append(self.data[at : at + n])
            at += n
        self.body, self.tree, self.index, self.manifest_bytes, self.signature_bytes = parts

    def public(self):
        m = record(cbor(self.manifest_bytes),
                   {1: int, 2: bytes, 3: bytes, 4: int, 5: int, 6: str, 7: str, 8: str, 9: bytes, 10: int},
                   {11: str, 12: str, 13: list, 14: bytes})
        need(m[1] == 1 and m[2] == self.hd, "the manifest is another container's")
        self.manifest, self.digest, self.size = m, m[3], m[5]
        need((m[8] == "directory") == (self.core[6] == 1), "layout and format")
        need(m[4] == -(-self.size // self.leaf), "number of leaves")
        segments = self.size // self.segment + 1
        need(len(self.body) == Floe.HEADER + self.size + 32 * segments, "length of the body")
        self.signatures = [record(s, {1: int, 2: bytes, 3: bytes}) for s in cbor(self.signature_bytes)]
        need(len(self.signatures) <= 8, "too many signatures")

    def verify(self, trusted):
        """Numbers of the algorithms whose signatures by trusted keys hold."""
        good = []
        for s in self.signatures:
            if (s[1], s[2]) in trusted:
                verify(s[1], s[2], self.manifest_bytes, s[3], MODEL_CONTEXT)
                good.append(s[1])
        strong = (3, 11) if self.tier >= 3 else (2, 3, 10, 11)
        need(any(a in strong for a in good), "no trusted signature of the tier's strength")
        return good

    def sealed_root(self):
        floe = Floe(b"", b"", self.segment)
        return tree_root([sha256(b"\0", p) for p in
                          [self.body[: Floe.HEADER]] + floe.pieces(self.body)])

    def part(self, key, use, plain):
        name = b"casemate-sealed-v1 " + use + b"\0"
        return Floe(expand(hashes.SHA384(), key, name + self.hd, 32), name + self.hd, plain)

    def open(self, identities=(), passphrase=None):
        """The model's plaintext; fills content key, salt, levels and index."""
        slots = [s for s in self.slots if s]
        need(slots, "no valid slot")
        envelope = max(slots)[1]
        key = open_envelope(envelope, b"casemate-sealed-v1\0" + self.hd, identities, passphrase)
        self.key, self.salt = key, b""
        if 8 in self.core:
            wrap = expand(hashes.SHA384(), key, b"casemate-sealed-v1 salt\0" + self.core[1], 32)
            self.salt = gcm_open(wrap, self.core[8], self.core[1])
        segments = self.part(key, b"body", self.segment).open(self.body)
        self.levels = tree_levels(segments, self.leaf, self.salt)
        need(tree_root(self.levels[-1]) == self.digest, "digest")
        tree = b"".join(self.part(key, b"tree", 32768).open(self.tree))
        need(tree == tree_bytes(self.levels), "tree")
        self.read_index(b"".join(self.part(key, b"index", 65536).open(self.index)))
        if 14 in self.manifest:
            need(self.sealed_root() == self.manifest[14], "sealed root")
        plain = b"".join(segments)
        need(len(plain) == self.size, "size")
        return plain

    def read_index(self, data):
        need(sha256(data) == self.manifest[9], "hash of the index")
        i = record(cbor(data), {1: int, 2: bytes, 4: list}, {3: str})
        need(i[1] == 1 and len(i[2]) == 32, "index")
        self.name, self.tensors, at = i.get(3), {}, 0
        for name, kind, shape, offset, size in i[4]:
            need(offset >= at and name not in self.tensors, "tensors in disorder")
            at = offset + size
            need(at <= self.size, "a tensor is outside the model")
            self.tensors[name] = (kind, shape, offset, size)


def table_of(plain):
    """[(path, executable, bytes)] of a directory's plaintext"""
    need(plain[:8] == b"CSMDIR01", "magic of the table")
    n = int.from_bytes(plain[8:12], "big")
    at = padded(12 + n)
    need(at <= len(plain) and not any(plain[12 + n : at]), "padding of the table")
    files, last, names = [], b"", set()
    for path, size, executable in cbor(plain[12 : 12 + n]):
        raw = path.encode()
        need(raw > last and safe(path), "path " + repr(path))
        need(not any(path[:i] in names for i in range(len(path)) if path[i] == "/"),
             "a file is a folder too")
        names.add(path)
        files.append((path, executable, plain[at : at + size]))
        need(not any(plain[at + size : padded(at + size)]), "padding of a file")
        at, last = padded(at + size), raw
    need(at == len(plain), "bytes behind the files")
    return files


def padded(n):
    return -(-n // 4096) * 4096


def safe(path):
    return (1 <= len(path.encode()) <= 1024 and "\\" not in path and
            not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in path) and
            path.count("/") <= 32 and
            all(c not in ("", ".", "..") and len(c.encode()) <= 255 for c in path.split("/")))
