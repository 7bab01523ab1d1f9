"""kms_lp325.py TARGET KEY PUBLIC: LP-325's calls and Verify over gRPC, one by one; the same keys as
kms_lp325.sh has by REST, under names of their own. Each request is signed by the ML-DSA key in the
file KEY (RFC 9421), whose raw public half is PUBLIC, as those of them that give keys out or take them away have to be."""
import base64
import hashlib
import os
import subprocess
import sys
import time

import grpc

from kms_grpc import SERVICE, described, made

TYPES = ("secp256k1", "P-256", "Ed25519", "ML-DSA-65", "RSA-2048", "RSA-4096")


class Client:
    def __init__(self, target, key, public):
        self.key = key
        with open(public, "rb") as f:
            self.keyid = hashlib.sha256(f.read()).hexdigest()
        self.channel = grpc.insecure_channel(target, options=[("grpc.default_authority", "localhost")])
        self.pool = described(self.channel)
        self.methods = self.pool.FindServiceByName(SERVICE).methods_by_name

    def signed(self, path, message):
        """The metadata of a request: its body is the message behind gRPC's five bytes."""
        body = b"\0" + len(message).to_bytes(4, "big") + message
        digest = "sha-256=:%s:" % base64.b64encode(hashlib.sha256(body).digest()).decode()
        line = ('("@method" "@authority" "@path" "content-digest");created=%d;nonce="%s";keyid="%s";alg="ml-dsa-65"'
                % (time.time(), os.urandom(16).hex(), self.keyid))
        text = ('"@method": POST\n"@authority": localhost\n"@path": %s\n"content-digest": %s\n"@signature-params": %s'
                % (path, digest, line))
        with open("to-sign", "wb") as f:
            f.write(text.encode())
        made_by = subprocess.run([os.environ["CASEMATE_OPENSSL"], "pkeyutl", "-sign", "-rawin", "-inkey", self.key, "-in",
                                  "to-sign"], check=True, capture_output=True, timeout=300).stdout
        return [("content-digest", digest), ("signature-input", "sig1=" + line),
                ("signature", "sig1=:%s:" % base64.b64encode(made_by).decode())]

    def __call__(self, method, **fields):
        m = self.methods[method]
        request, answer = (made(self.pool, t.name) for t in (m.input_type, m.output_type))
        path, message = f"/{SERVICE}/{method}", request(tenant="default", **fields).SerializeToString()
        ask = self.channel.unary_unary(path, response_deserializer=answer.FromString)
        return ask(message, metadata=self.signed(path, message), timeout=300)

    def refused(self, text, method, **fields):
        try:
            self(method, **fields)
        except grpc.RpcError as e:
            assert text in e.details(), e
            return e.code().name
        raise AssertionError(f"{method} was not refused")

    def health(self):
        return self.channel.unary_unary("/grpc.health.v1.Health/Check")(b"", timeout=300)


def shown(call, operation, result):
    print(f"{call:14} -> {operation:34} gRPC, {result}")


def keys(c):
    for kind in TYPES:
        key = "g-" + kind
        made_key = c("CreateKey", key=key, type=kind, exportable=True)
        assert made_key.versions[0].custody == "hsm-wrapped", made_key
        signature = c("Sign", key=key, data=b"hello").signature
        assert c("Verify", key=key, data=b"hello", signature=signature).valid
        assert not c("Verify", key=key, data=b"hullo", signature=signature).valid
        shown("GenerateKey", "CreateKey", kind + ": hsm-wrapped")
        shown("Sign", "Sign", f"{kind}: {len(signature)} bytes")
        shown("Verify", "Verify", kind + ": yes; another message: no")
    code = c.refused("KEY_UNSUPPORTED", "CreateKey", key="g-bls", type="BLS12-381")
    shown("SignBLS", "CreateKey BLS12-381", f"{code}, KEY_UNSUPPORTED")


def threshold(c):
    space = {"keyspace": "g-treasury"}
    c("DealThreshold", type="FROST-Ed25519", threshold=2, participants=3, **space)
    one = {i: c("SignThreshold", key=str(i), **space) for i in (1, 3)}
    commitments = b"".join(one[i].share for i in (1, 3))
    parts = b"".join(c("SignThreshold", key=str(i), data=b"hello", commitments=commitments, nonces=one[i].nonces,
                       **space).share for i in (1, 3))
    signature = c("AggregateThreshold", key="1", data=b"hello", commitments=commitments, shares=parts, **space).signature
    assert len(signature) == 64
    assert c("Verify", key="1", data=b"hello", signature=signature, **space).valid
    shown("SignThreshold", "SignThreshold, AggregateThreshold", "2 of 3: 64 bytes")


def moved(c):
    c("CreateKey", key="g-door", type="X-Wing")
    recipient = c("GetPublicKey", key="g-door").public_key
    wrapped = c("ExportWrapped", key="g-Ed25519", recipient=recipient).wrapped
    shown("ExportWrapped", "ExportWrapped", f"{len(wrapped)} bytes to X-Wing")
    c("ImportWrapped", key="g-copy", type="Ed25519", import_key="g-door", wrapped=wrapped)
    signature = c("Sign", key="g-Ed25519", data=b"hello").signature
    assert c("Verify", key="g-copy", data=b"hello", signature=signature).valid
    shown("ImportWrapped", "ImportWrapped", "the same key under another name")
    c("ImportKey", key="g-mine", type="Ed25519", secret=os.urandom(32))
    assert len(c("Sign", key="g-mine", data=b"hello").signature) == 64
    shown("ImportKey", "ImportKey", "Ed25519: signs 64 bytes")


def gone(c):
    early = c.refused("", "DeleteKey", key="g-mine")
    c("ScheduleDestruction", key="g-mine", delay_days=7)
    c.refused("KEY_STATE", "Sign", key="g-mine", data=b"hello")
    shown("DeleteKey", "ScheduleDestruction, DeleteKey", f"stopped now, gone after 7 days; {early} before")


def main():
    c = Client(*sys.argv[1:])
    keys(c)
    threshold(c)
    moved(c)
    gone(c)
    assert c.health() == b"\x08\x01"
    shown("HealthCheck", "grpc.health.v1.Health/Check", "serving")


if __name__ == "__main__":
    main()
