#!/usr/bin/python3
"""release_python.py PROBE: released keys and result tokens against Python's AES, a Keccak written here from FIPS 202
and SP 800-185, and openssl(1) for ML-KEM and
ML-DSA."""
import base64
import hashlib
import json
import os
import subprocess
import sys
import tempfile

try:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from cryptography.hazmat.primitives.keywrap import aes_key_unwrap, aes_key_wrap
except ImportError:
    print("SKIP: python3-cryptography is not installed")
    sys.exit(77)

ALG = b"ML-KEM-768+A192KW"
MASK = (1 << 64) - 1


def rotate(x, n):
    n %= 64
    return (x << n | x >> (64 - n)) & MASK if n else x


def keccak_f(a):
    lfsr = 1
    for _ in range(24):
        c = [a[x][0] ^ a[x][1] ^ a[x][2] ^ a[x][3] ^ a[x][4] for x in range(5)]
        d = [c[(x + 4) % 5] ^ rotate(c[(x + 1) % 5], 1) for x in range(5)]
        a = [[a[x][y] ^ d[x] for y in range(5)] for x in range(5)]
        x, y, current = 1, 0, a[1][0]
        for t in range(24):
            x, y = y, (2 * x + 3 * y) % 5
            current, a[x][y] = a[x][y], rotate(current, (t + 1) * (t + 2) // 2)
        for y in range(5):
            row = [a[x][y] for x in range(5)]
            for x in range(5):
                a[x][y] = row[x] ^ (~row[(x + 1) % 5] & row[(x + 2) % 5])
        for j in range(7):
            lfsr = (lfsr << 1) ^ (0x171 if lfsr & 0x80 else 0)
            if lfsr & 2:
                a[0][0] ^= 1 << ((1 << j) - 1)
            lfsr &= 0xFF
    return a


def sponge(rate, data, suffix, n):
    data = data + bytes([suffix])
    data += bytes(-len(data) % rate)
    data = data[:-1] + bytes([data[-1] ^ 0x80])
    state = [[0] * 5 for _ in range(5)]
    for at in range(0, len(data), rate):
        for i in range(rate // 8):
            word = int.from_bytes(data[at + 8 * i : at + 8 * i + 8], "little")
            state[i % 5][i // 5] ^= word
        state = keccak_f(state)
    out = b"".join(state[i % 5][i // 5].to_bytes(8, "little") for i in range(rate // 8))
    assert n <= len(out)
    return out[:n]


def left(x):
    b = x.to_bytes(max(1, (x.bit_length() + 7) // 8), "big")
    return bytes([len(b)]) + b


def right(x):
    b = x.to_bytes(max(1, (x.bit_length() + 7) // 8), "big")
    return b + bytes([len(b)])


def text(s):
    return left(8 * len(s)) + s


def padded(x, w):
    x = left(w) + x
    return x + bytes(-len(x) % w)


def kmac256(key, x, n, custom=b""):
    head = padded(text(b"KMAC") + text(custom), 136)
    return sponge(136, head + padded(text(key), 136) + x + right(8 * n), 0x04, n)


def kdf(secret):
    x = len(ALG).to_bytes(4, "big") + ALG + (192).to_bytes(4, "big")
    return kmac256(secret, x, 24)


def b64(v):
    return base64.urlsafe_b64encode(v).rstrip(b"=").decode()


def unb64(s):
    assert "=" not in s
    return base64.urlsafe_b64decode(s + "=" * (-len(s) % 4))


class OpenSSL:
    """ML-KEM-768 of openssl(1), with a key of its own."""

    def __init__(self, folder):
        self.exe = os.environ.get("CASEMATE_OPENSSL", "openssl")
        self.folder = folder
        self.run("genpkey", "-algorithm", "ML-KEM-768", "-out", self.path("key"))
        self.run("pkey", "-in", self.path("key"), "-pubout", "-outform", "DER", "-out",
                 self.path("spki"))
        self.public = self.read("spki")[-1184:]

    def path(self, name):
        return os.path.join(self.folder, name)

    def read(self, name):
        with open(self.path(name), "rb") as f:
            return f.read()

    def write(self, name, v):
        with open(self.path(name), "wb") as f:
            f.write(v)

    def run(self, *args):
        subprocess.run([self.exe, *args], check=True, capture_output=True)

    def decap(self, ct):
        self.write("ct", ct)
        self.run("pkeyutl", "-decap", "-inkey", self.path("key"), "-in", self.path("ct"),
                 "-secret", self.path("ss"))
        return self.read("ss")

    def encap(self, public):
        spki = self.read("spki")
        self.write("peer", spki[:-1184] + public)
        self.run("pkeyutl", "-encap", "-pubin", "-keyform", "DER", "-inkey", self.path("peer"),
                 "-out", self.path("ct"), "-secret", self.path("ss"))
        return self.read("ct"), self.read("ss")


def seal(ossl, public, plain):
    ct, secret = ossl.encap(public)
    cek, iv = os.urandom(32), os.urandom(12)
    header = b64(json.dumps({"alg": ALG.decode(), "enc": "A256GCM", "ek": b64(ct)},
                            separators=(",", ":")).encode())
    body = AESGCM(cek).encrypt(iv, plain, header.encode())
    return json.dumps({"protected": header, "encrypted_key": b64(aes_key_wrap(kdf(secret), cek)),
                       "iv": b64(iv), "ciphertext": b64(body[:-16]), "tag": b64(body[-16:])})


def open_(ossl, response):
    r = json.loads(response)
    header = json.loads(unb64(r["protected"]))
    assert header["alg"] == ALG.decode() and header["enc"] == "A256GCM"
    cek = aes_key_unwrap(kdf(ossl.decap(unb64(header["ek"]))), unb64(r["encrypted_key"]))
    return AESGCM(cek).decrypt(unb64(r["iv"]), unb64(r["ciphertext"]) + unb64(r["tag"]),
                               r["protected"].encode())


class Probe:
    def __init__(self, exe):
        self.p = subprocess.Popen([exe], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, *words):
        line = " ".join(w.hex() if isinstance(w, bytes) and w else w or "-" for w in words)
        self.p.stdin.write(line + "\n")
        self.p.stdin.flush()
        return self.p.stdout.readline().strip()


def keys(probe, ossl):
    """Each side opens what the other sealed."""
    public = bytes.fromhex(probe.ask("public"))
    for plain in (b"k" * 32, b"", os.urandom(1000)):
        assert open_(ossl, bytes.fromhex(probe.ask("seal", ossl.public, plain))) == plain
        made = seal(ossl, public, plain)
        assert probe.ask("open", made.encode()) == (plain.hex() or "-")
        spaced = json.dumps(json.loads(made), indent=1)
        assert probe.ask("open", spaced.encode()) == (plain.hex() or "-")


def runtime_data(probe, ossl):
    """RL-5, RL-6: what Trustee's serde_json makes of sorted maps, Python's makes too."""
    nonce = os.urandom(32)
    jwk = {"kty": "AKP", "alg": ALG.decode(), "pub": b64(ossl.public)}
    bare = {"tee-pubkey": jwk, "nonce": base64.b64encode(nonce).decode()}
    for more in ("", '{"nvidia":[{"casemate-evidence":"AQID"}]}', 'a"\\/\n\té'):
        whole = json.dumps({**bare, "additional-evidence": more}, sort_keys=True,
                           separators=(",", ":"), ensure_ascii=False).encode()
        for name in ("sha384", "sha512", "sha256"):
            want = hashlib.new(name, whole).hexdigest()
            assert probe.ask("report", name, nonce, ossl.public, more.encode()) == want
    alone = json.dumps(bare, sort_keys=True, separators=(",", ":")).encode()
    for name in ("sha384", "sha512", "sha256"):
        want = hashlib.new(name, alone).hexdigest()[:64]
        assert probe.ask("device", name, nonce, ossl.public) == want


def cbor(v, at=0):
    """One item of deterministic CBOR: (value, where the next begins)."""
    kind, n, at = v[at] >> 5, v[at] & 31, at + 1
    if n > 23:
        size = 1 << (n - 24)
        n, at = int.from_bytes(v[at : at + size], "big"), at + size
    if kind < 2:
        return (-1 - n if kind else n), at
    if kind < 4:
        part = v[at : at + n]
        return (part.decode() if kind == 3 else part), at + n
    items = []
    for _ in range(n * (kind - 3)):
        item, at = cbor(v, at)
        items.append(item)
    return (items if kind == 4 else dict(zip(items[::2], items[1::2]))), at


def bstr(v):
    n = len(v)
    head = bytes([0x40 + n]) if n < 24 else bytes([0x58, n]) if n < 256 else b"\x59" + n.to_bytes(2, "big")
    return head + v


def tokens(probe, ossl):
    """RL-20, RL-22: the signatures by openssl(1), the claims by readers written here."""
    spki = bytes.fromhex(probe.ask("authority"))
    ossl.write("authority", spki)
    kid = hashlib.sha256(spki).digest()

    def check(tbs, sig):
        ossl.write("tbs", tbs)
        ossl.write("sig", sig)
        ossl.run("pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey",
                 ossl.path("authority"), "-rawin", "-in", ossl.path("tbs"), "-sigfile",
                 ossl.path("sig"))

    public = bytes.fromhex(probe.ask("public"))
    policy = "urn:casemate:policy:sha256:" + "50" * 32
    vectors = {"snp": {0: 2, 1: 2, 2: 3, 4: 2, 5: 2}, "nvidia-0": {2: 3, 4: 32}, "nvidia-1": {4: 2}}
    status = {"snp": 2, "nvidia-0": 32, "nvidia-1": 2}
    spki_hash = hashlib.sha256(b"an SPKI").digest()

    jwt = bytes.fromhex(probe.ask("token", "jwt")).decode()
    head, body, sig = jwt.split(".")
    check(f"{head}.{body}".encode(), unb64(sig))
    assert json.loads(unb64(head)) == {"alg": "ML-DSA-65", "kid": kid.hex(), "typ": "eat+jwt"}
    c = json.loads(unb64(body))
    names = ["instance-identity", "configuration", "executables", "file-system", "hardware",
             "runtime-opaque", "storage-opaque", "sourced-data"]
    words = {2: "affirming", 32: "warning"}
    assert c["eat_profile"] == "tag:ietf.org,2026:rats/ear#04" and c["exp"] - c["iat"] == 600
    assert c["cnf"] == {"jwk": {"kty": "AKP", "alg": ALG.decode(), "pub": b64(public)},
                        "spki-sha256": b64(spki_hash)}
    assert unb64(c["eat_nonce"]) == b"\x4e" * 32 and c["iss"] == "https://kms.example"
    assert c["submods"] == {k: {"ear_status": words[status[k]],
                                "ear_trustworthiness_vector": {names[i]: x for i, x in v.items()},
                                "ear_appraisal_policy_ids": [policy]} for k, v in vectors.items()}
    assert c["casemate"]["tier"] == 3 and c["casemate"]["policy"]["version"] == 3

    cwt = bytes.fromhex(probe.ask("token", "cwt"))
    assert cwt[0] == 0xD2
    (protected, unprotected, payload, sig), end = cbor(cwt, 1)
    assert end == len(cwt) and unprotected == {}
    assert cbor(protected)[0] == {1: -49, 4: kid, 16: "application/eat+cwt"}
    check(b"\x84\x6aSignature1" + bstr(protected) + b"\x40" + bstr(payload), sig)
    w, end = cbor(payload)
    assert end == len(payload) and w[1] == c["iss"] and (w[4], w[6]) == (c["exp"], c["iat"])
    assert w[8] == {1: {1: 7, 3: ALG.decode(), -1: public}, -70002: spki_hash}
    assert w[10] == b"\x4e" * 32 and w[265] == c["eat_profile"]
    assert w[266] == {k: {1000: status[k], 1001: v, 1003: [policy]} for k, v in vectors.items()}
    assert w[1004] == {0: "casemate", 1: "casemate probe"}
    assert w[-70001] == {0: b"\x42" * 32, 1: b"\x4d" * 32, 2: b"\x50" * 32, 3: "fleet", 4: 3, 5: 3}
    return jwt, body, cwt, payload


def main():
    # SP 800-185's sample 4 of KMAC.
    assert kmac256(bytes(range(0x40, 0x60)), bytes(range(4)), 64, b"My Tagged Application").hex(
    ).startswith("20c570c31346f703c9ac36c61c03cb64")
    probe = Probe(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        ossl = OpenSSL(folder)
        keys(probe, ossl)
        runtime_data(probe, ossl)
        tokens(probe, ossl)
    print("ok")


if __name__ == "__main__":
    main()
