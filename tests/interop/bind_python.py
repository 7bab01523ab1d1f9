"""The known answers of tests/unit/test_attest_bind.c, computed from spec/attest.md 10 alone."""
import hashlib
import struct
import sys


def sha256(data):
    return hashlib.sha256(data).digest()


def field(data):
    return struct.pack(">I", len(data)) + data


def key(data):
    return field(sha256(data) if data else b"")


def bind(role, nonce, suite=b"", tls=b"", peer=b"", hpke=b"", exporter=b"", manifest=b""):
    return hashlib.sha512(
        field(b"casemate/ra/1") + field(role) + field(suite) + key(tls) + key(peer) + key(hpke)
        + field(exporter) + field(nonce) + field(manifest)).digest()


nonce = bytes(range(32))
full = bind(b"server", nonce, b"X-Wing", b"tls key", b"peer key", b"hpke key", b"\xee" * 32,
            b"\xdd" * 32)
answers = {
    "nonce alone": bind(b"client", nonce),
    "all": full,
    "all, in 32 bytes": sha256(full),
    "device 0": sha256(b"gpu" + full + struct.pack(">I", 0)),
    "device 7": sha256(b"gpu" + full + struct.pack(">I", 7)),
}

with open(sys.argv[1], encoding="ascii") as f:
    source = "".join(f.read().replace('"', " ").replace("\\", " ").split())
missing = [name for name, value in answers.items() if value.hex() not in source]
for name in missing:
    print(f"{name}: {answers[name].hex()}")
sys.exit(bool(missing))
