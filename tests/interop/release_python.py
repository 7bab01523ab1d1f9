#!/usr/bin/python3
"""release_python.py PROBE: released keys against Python's AES, a Keccak written here from FIPS 202
and SP 800-185, and openssl(1) for ML-KEM."""
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
    assert probe.ask("device", nonce, ossl.public) == hashlib.sha256(alone).hexdigest()


def main():
    # SP 800-185's sample 4 of KMAC.
    assert kmac256(bytes(range(0x40, 0x60)), bytes(range(4)), 64, b"My Tagged Application").hex(
    ).startswith("20c570c31346f703c9ac36c61c03cb64")
    probe = Probe(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        ossl = OpenSSL(folder)
        keys(probe, ossl)
        runtime_data(probe, ossl)
    print("ok")


if __name__ == "__main__":
    main()
