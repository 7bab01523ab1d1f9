"""The key broker protocol of Confidential Containers, by a client of our own written from its document
(kbs_attestation_protocol.md of Trustee) and from what Trustee's clients demand of answers: guests
whose evidence is minted get a key from a running server over post-quantum TLS, and every other
guest does not. JWEs are opened by Python's AES, a KMAC written in tests/interop/release_python.py,
and openssl(1)."""
import base64
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

import kms_faults as k
from kms_faults import SOURCE, WORK, Server, need

sys.path.insert(0, str(SOURCE / "tests/interop"))
import trustee_json
from release_python import OpenSSL, b64, open_, unb64  # exits 77 without python3-cryptography

CURL = os.path.join(os.environ["CASEMATE_CLIENTS"], "curl")
MINT = os.environ["CASEMATE_MINT"]
ALG = "ML-KEM-768+A192KW"
SECRET = bytes(range(100, 132))
RESOURCE = "/kbs/v0/resource/default/default/weights"
ERROR = "urn:casemate:error:"


def std(v):
    return base64.b64encode(v).decode()


class Answer:
    def __init__(self, status, head, body):
        self.status, self.body = status, body
        self.headers = [line.split(": ", 1) for line in head.splitlines() if ": " in line]

    def header(self, name):
        return next((v for n, v in self.headers if n.lower() == name), None)

    def json(self):
        need(self.header("content-type") == "application/json", f"not JSON: {self}")
        return json.loads(self.body)

    def cookie(self):
        found = re.match(r"kbs-session-id=([^;]+);", self.header("set-cookie") or "")
        need(found and "Secure" in self.header("set-cookie"), f"no session: {self}")
        return found[1]

    def __str__(self):
        return f"{self.status} {self.headers} {self.body[:600]!r}"


class Client:
    """HTTPS with ML-KEM: Debian's Python knows no such group, the curl of the build does."""

    def __init__(self, server):
        self.url, self.ca, self.more = server.url, server.dir / "ca.crt", []
        self.refused = 0  # attestations
        self.folder = tempfile.mkdtemp(dir=WORK)

    def curl(self, *argv, body=None):
        got = subprocess.run([CURL, "-sS", "--max-time", str(k.WAIT_S), "--cacert", self.ca, *self.more, *argv],
                             input=body, capture_output=True, check=False)
        need(got.returncode == 0, f"curl: {got.returncode} {got.stderr.decode()}")
        return got.stdout.decode()

    def call(self, method, path, body=None, cookie=None, bearer=None):
        argv = ["-X", method, "-D", f"{self.folder}/head", "-o", f"{self.folder}/body", "-w", "%{http_code}"]
        if body is not None:
            argv += ["-H", "content-type: application/json", "--data-binary", "@-"]
        if cookie is not None:
            argv += ["-H", f"cookie: theme=dark; kbs-session-id={cookie}"]
        if bearer is not None:
            argv += ["-H", f"authorization: Bearer {bearer}"]
        open(f"{self.folder}/body", "wb").close()
        if isinstance(body, (dict, list)):
            body = json.dumps(body).encode()
        status = int(self.curl(*argv, self.url + path, body=body))
        with open(f"{self.folder}/head") as head, open(f"{self.folder}/body", "rb") as out:
            answer = Answer(status, head.read(), out.read())
        # What is no message at all does not get as far as a decision.
        self.refused += path == "/kbs/v0/attest" and status != 200 and b"error:MSG_FIELD" not in answer.body
        return answer


def refused(answer, status, reason, *words):
    """ErrorInformation: two texts, and the status that clients act upon."""
    need(answer.status == status, f"not {status} {reason}: {answer}")
    error = answer.json()
    need(set(error) == {"type", "detail"} and error["type"] == ERROR + reason, f"not {reason}: {answer}")
    need(all(w in error["detail"] for w in words), f"{words} are not in {answer}")
    return error["detail"]


# ---- guests

def mint(kind, digest, *more):
    folder = tempfile.mkdtemp(dir=WORK)
    said = subprocess.run([MINT, kind, "--out", folder, "--nonce", digest.hex(), *more], check=True,
                          capture_output=True, text=True).stdout
    return pathlib.Path(folder), re.search("measurement ([0-9a-f]+)", said)[1]


def canonical(v):
    return json.dumps(v, sort_keys=True, separators=(",", ":")).encode()


class Guest:
    """A machine that has just started: a key of its own, and hardware that signs what it is told."""

    def __init__(self, client, kind, tee, *how):
        self.client, self.kind, self.tee, self.how = client, kind, tee, list(how)
        self.pack = kind == "snp-v5-turin"
        self.ossl = OpenSSL(tempfile.mkdtemp(dir=WORK))
        self.jwk = {"kty": "AKP", "alg": ALG, "pub": b64(self.ossl.public)}

    def request(self, **params):
        extra = {"supported-hash-algorithms": ["sha256", "sha384", "sha512"], **params}
        return {"version": "0.4.0", "tee": self.tee, "extra-params": extra}

    def auth(self, **params):
        got = self.client.call("POST", "/kbs/v0/auth", self.request(**params))
        need(got.status == 200, f"no challenge: {got}")
        challenge = got.json()
        need(set(challenge) == {"nonce", "extra-params"}, f"not a Challenge: {got}")
        self.cookie, self.nonce = got.cookie(), challenge["nonce"]
        self.hash = challenge["extra-params"].get("selected-hash-algorithm", "sha384")

    def evidence(self, jwk=None):
        """Bound to the runtime data, as the protocol says."""
        bound = {"tee-pubkey": jwk or self.jwk, "nonce": self.nonce, "additional-evidence": ""}
        folder, _ = mint(self.kind, hashlib.new(self.hash, canonical(bound)).digest(), *self.how)
        if self.tee == "tdx":  # as Trustee's clients send it
            return {"quote": std((folder / "evidence.bin").read_bytes()),
                    "cc_eventlog": std((folder / "ccel.bin").read_bytes())}
        if self.pack:
            return {"casemate-evidence": std((folder / "evidence.pack").read_bytes())}
        certs = [(name.upper(), (folder / f"{name}.der").read_bytes()) for name in ("vcek", "ask", "ark")]
        return trustee_json.snp((folder / "evidence.bin").read_bytes(), certs, turin="turin" in self.kind)

    def attestation(self, evidence=None, jwk=None):
        return {"init-data": None, "runtime-data": {"nonce": self.nonce, "tee-pubkey": jwk or self.jwk},
                "tee-evidence": {"primary_evidence": evidence or self.evidence(jwk), "additional_evidence": ""}}

    def attest(self, body=None, **params):
        self.auth(**params)
        return self.show(body)

    def show(self, body=None):
        return self.client.call("POST", "/kbs/v0/attest", body or self.attestation(), cookie=self.cookie)

    def session(self, **params):
        """(cookie, token)"""
        got = self.attest(**params)
        need(got.status == 200 and set(got.json()) == {"token"}, f"refused: {got}")
        return got.cookie(), got.json()["token"]

    def opens(self, answer):
        need(answer.status == 200, f"no resource: {answer}")
        need(set(answer.json()) == {"protected", "encrypted_key", "iv", "ciphertext", "tag"}, f"no JWE: {answer}")
        need(json.loads(unb64(answer.json()["protected"]))["alg"] == ALG, "another algorithm")
        need(open_(self.ossl, answer.body) == SECRET, "another key than was put in")


# ---- a server

def settings(rate):
    return (f"attest:\n  collateral: {WORK}/collateral\n  address_rate: {rate}\n"
            f"keyd:\n  program: {os.environ['CASEMATE_KEYD']}\n")


def collateral():
    """What the operator has of the vendors; evidence never brings it."""
    folder = WORK / "collateral"
    folder.mkdir()
    measured = {}
    for kind, names in (("tdx-v5-td15", ["pck_crl.der", "root_crl.der", "qe_identity.json", "tcb_info.json",
                                         "tcb_signer.der"]), ("snp-v5-turin", ["crl.der"])):
        made, measured[kind] = mint(kind, bytes(48))
        for name in names:
            shutil.copy(made / name, folder / f"{kind}-{name}")
    return measured


def people(server, *names):
    """Keys of theirs that sign; name to fingerprint."""
    fp = {}
    for who in names:
        server.casemate("key", "new", "--out", f"{who}.pem", "--type", "ML-DSA-65", "--no-passphrase")
        fp[who] = server.casemate("key", "fingerprint", f"{who}.pub").strip()
    return fp


def fleet(server, fp, rules):
    """The policy of alice and bob in force, a key that is released under it, and who may ask for it."""
    (WORK / "fleet.yaml").write_text(f"""\
casemate_policy: 1
name: inference fleet
version: 1
signers:
  - {{name: alice, key: "{fp['alice']}"}}
  - {{name: bob, key: "{fp['bob']}"}}
""" + rules)
    for who in ("alice", "bob"):
        server.casemate("attest", "policy", "sign", "fleet.yaml", "-k", f"{who}.pem", "-o", f"{who}.sig")
    server.casemate("attest", "put-policy", "fleet", "--file", "@fleet.yaml", "--signatures", "@alice.sig",
                    "--signatures", "@bob.sig", "--keys", "@alice.pub", "--keys", "@bob.pub")
    (WORK / "secret").write_bytes(SECRET)
    server.casemate("key", "import", "weights", "--type", "AES-256", "--secret", "@secret",
                    "--release-policy", "fleet")
    server.casemate("principal", "create", "--principal", "rcar")
    server.casemate("policy", "put", "broker", "--principals", "rcar", "--actions", "ReleaseKey")


def tenant(server, measured):
    fleet(server, people(server, "alice", "bob"), f"""\
evidence:
  tdx:
    measurements:
      - {{value: "{measured['tdx-v5-td15']}", name: image 1.4, provenance: minted}}
    may_skip: [config, platform, chip]
  snp:
    measurements:
      - {{value: "{measured['snp-v5-turin']}", name: image 1.4, provenance: minted}}
    may_skip: [tcb, config, platform, chip]
""")
    server.casemate("key", "create", "plain", "--type", "AES-256")


class Log:
    """What came to stand in it since the last look: (operation, reason)."""

    def __init__(self, server):
        self.server, self.seen, self.since = server, 0, time.time()

    def entries(self):
        lines = self.server.casemate("audit", "list", "--tenant", "system", "--count", "1000", "--json")
        return [(e["operation"], "" if e.get("allowed", False) else e["reason"]) for line in lines.splitlines()
                for e in json.loads(line).get("entries", []) if e["operation"].startswith("Rcar")]

    def news(self):
        """But for refused attestations, whose entries come when their minute is over."""
        all_ = [e for e in self.entries() if not (e[0].startswith("RcarAttest") and e[1])]
        new, self.seen = all_[self.seen:], len(all_)
        return new

    def refused(self, want):
        """V-91: all of them are counted, by few entries."""
        got = [e[0].split("/") for e in self.entries() if e[0].startswith("RcarAttest") and e[1]]
        need(sum(int(e[1]) if len(e) > 1 else 1 for e in got) == want, f"{got} are not {want} refusals")
        need(len(got) <= (time.time() - self.since) / 60 + 4, f"too many entries: {got}")

    def expect(self, *want):
        got = self.news()
        need(got == list(want), f"the log has {got}, not {list(want)}")


# ---- what is shown

ASKED, SHOWN = ("RcarAuth", ""), ("RcarAttest", "")
GIVEN, KEPT = ("RcarResource", ""), ("RcarResource", "SVC_RELEASE_REFUSED")
FLEET = {"attestation-policy-selector": "default/fleet"}


def released(client, log):
    """Two kinds of machines, judged by the key's policy alone or by it from the beginning."""
    for kind, tee in (("tdx-v5-td15", "tdx"), ("snp-v5-turin", "snp"), ("snp-v4-turin", "snp")):
        guest = Guest(client, kind, tee)
        for params in ({}, FLEET):
            cookie, token = guest.session(**params)
            # RL-7: Trustee's clients take nothing for a token but what says when it is over.
            claims = json.loads(unb64(token.split(".")[1]))
            need(len(token.split(".")) == 3 and 0 < claims["exp"] - time.time() <= 300, f"a token: {token}")
            guest.opens(client.call("GET", RESOURCE, cookie=cookie))
            guest.opens(client.call("GET", RESOURCE, bearer=token))
    one, two = (client.call("GET", RESOURCE, cookie=cookie).json() for _ in range(2))
    need(all(one[m] != two[m] for m in ("protected", "encrypted_key", "iv", "ciphertext")), "sealed twice alike")
    log.expect(ASKED, *[SHOWN, GIVEN, GIVEN] * 6, GIVEN, GIVEN)  # the first to ask makes the key of challenges
    return guest, cookie


def freshness(client, log):
    guest, other = Guest(client, "tdx-v5-td15", "tdx"), Guest(client, "tdx-v5-td15", "tdx")
    guest.auth()
    body = guest.attestation()
    need(guest.show(body).status == 200, "not accepted once")
    refused(guest.show(body), 401, "SVC_CHALLENGE_USED")
    guest.auth()
    refused(guest.show(body), 401, "SVC_CHALLENGE")  # with the nonce of another
    refused(guest.show(guest.attestation(body["tee-evidence"]["primary_evidence"])), 401, "SVC_EVIDENCE", "fresh")
    refused(guest.show(guest.attestation(guest.evidence(other.jwk))), 401, "SVC_EVIDENCE", "fresh")
    need(guest.show().status == 200, "V-90: a refusal leaves nothing behind, so the challenge serves")
    log.expect(SHOWN, SHOWN)


def started_with(client, log):
    """RL-81: the text that a guest was started with is the one its hardware says, or it is refused."""
    text = 'version = "0.1.0"\nalgorithm = "sha384"\n\n[data]\n"aa.toml" = \'\'\'\nx = 1\n\'\'\'\n'
    for kind, tee, size, name in (("tdx-v5-td15", "tdx", 48, "sha384"), ("tdx-v5-td15", "tdx", 48, "sha256"),
                                  ("snp-v5-turin", "snp", 32, "sha384"), ("snp-v4-turin", "snp", 32, "sha256")):
        digest = hashlib.new(name, text.encode()).digest()[:size].ljust(size, b"\0")
        guest = Guest(client, kind, tee, "--config", digest.hex())
        guest.auth()
        body = guest.attestation()
        for other in (text + "\n", text.replace("x = 1", "x = 2")):
            body["init-data"] = {"format": "toml", "body": other}
            refused(guest.show(body), 401, "SVC_EVIDENCE", "init-data")
        for bad in ({"format": "json", "body": text}, {"format": "toml"}, text, {"format": "toml", "body": ""},
                    {"format": "toml", "body": text, "more": 1}):
            body["init-data"] = bad
            refused(guest.show(body), 400, "RELEASE_MESSAGE")
        body["init-data"] = {"format": "toml", "body": text}
        need(guest.show(body).status == 200, "not bound to its init-data")
    guest = Guest(client, "snp-v5-turin", "snp")
    guest.auth()
    body = {**guest.attestation(), "init-data": {"format": "toml", "body": text}}
    refused(guest.show(body), 401, "SVC_EVIDENCE", "init-data")
    log.expect(*[SHOWN] * 4)


def appraisal(client, log, server):
    # One bit of a structure is one bit of what the chip signed.
    other = Guest(client, "snp-v4-turin", "snp")
    other.auth()
    body = other.attestation()
    body["tee-evidence"]["primary_evidence"]["attestation_report"]["guest_svn"] ^= 1
    refused(other.show(body), 401, "SVC_EVIDENCE", "signature")
    # This one has signed something that the structure has no member for (AT-156).
    other = Guest(client, "snp-v5-turin", "snp")
    other.pack = False
    refused(other.attest(), 401, "SVC_EVIDENCE", "signature")
    for defect, check in (("wrong-root", "chain"), ("bad-signature", "signature"), ("debug", "debug")):
        refused(Guest(client, "tdx-v5-td15", "tdx", "--defect", defect).attest(), 401, "SVC_EVIDENCE", check)
    log.expect()
    # Another image is genuine. That the key's policy refuses it is told, but not why: nobody knows who asks.
    wrong = Guest(client, "tdx-v5-td15", "tdx", "--measurement", "ab" * 48)
    cookie, _ = wrong.session()
    said = refused(client.call("GET", RESOURCE, cookie=cookie), 403, "SVC_RELEASE_REFUSED")
    said += refused(wrong.attest(**FLEET), 401, "SVC_EVIDENCE")
    for selector in ("default/nosuch", "nobody/fleet"):
        said += refused(wrong.attest(**{"attestation-policy-selector": selector}), 401, "SVC_EVIDENCE")
    # A grant that demands a policy refuses as silently.
    server.casemate("policy", "put", "broker", "--principals", "rcar", "--actions", "ReleaseKey",
                    "--conditions", '{"attested":["fleet"]}')
    said += refused(client.call("GET", RESOURCE, cookie=cookie), 401, "SVC_EVIDENCE")
    guest = Guest(client, "tdx-v5-td15", "tdx")
    guest.opens(client.call("GET", RESOURCE, cookie=guest.session()[0]))
    need(not re.search("measurement|image|inference|fleet|nosuch|nobody", said), f"told to whoever asks: {said}")
    told = re.findall("release_refused.*the check measurement failed", server.log_path.read_text())
    need(len(told) == 3, f"the server's log says why {len(told)} times: {server.last_log()}")
    log.expect(SHOWN, KEPT, ("RcarResource", "SVC_EVIDENCE"), SHOWN, GIVEN)


def keys(client, log):
    guest = Guest(client, "snp-v5-turin", "snp")
    guest.auth()
    for jwk in ({"kty": "RSA", "alg": "RSA-OAEP-256", "n": b64(b"\xc1" * 256), "e": "AQAB"},
                {"kty": "EC", "crv": "P-256", "alg": "ECDH-ES+A256KW", "x": b64(bytes(32)), "y": b64(bytes(32))}):
        refused(guest.show(guest.attestation(jwk=jwk)), 401, "RELEASE_CLASSICAL", "RSA")
    for change in ({"alg": "ML-KEM-1024+A256KW"}, {"pub": guest.jwk["pub"][:-4]}, {"pub": 7}, {"d": "AAAA"}):
        refused(guest.show(guest.attestation(jwk={**guest.jwk, **change})), 400, "RELEASE_KEY")
    need(guest.show().status == 200, "the challenge was used up by messages that are none")
    log.expect(SHOWN)


def sessions(client, log, guest, cookie):
    guest.auth()
    body = guest.attestation()
    refused(client.call("POST", "/kbs/v0/attest", body), 401, "SVC_SESSION")
    for wrong, reason in ((cookie, "SVC_SESSION"), ("!", "SVC_SESSION"), (guest.cookie[:-2] + "AA", "SVC_CHALLENGE")):
        refused(client.call("POST", "/kbs/v0/attest", body, cookie=wrong), 401, reason)
    refused(client.call("GET", RESOURCE), 401, "SVC_UNAUTHENTIC")
    for wrong in (guest.cookie, cookie[:-2] + "AA", "AgAA"):
        refused(client.call("GET", RESOURCE, cookie=wrong), 401, "SVC_SESSION")
        refused(client.call("GET", RESOURCE, bearer="x.y." + wrong), 401, "SVC_SESSION")
    for wrong in ("!", "A" * 1000, "."):
        refused(client.call("GET", RESOURCE, cookie=wrong), 401, "SVC_UNAUTHENTIC")
    for path, status, reason in (("default/default/nosuch", 404, "SVC_NO_KEY"),
                                 ("default/nosuch/weights", 404, "SVC_NO_KEY"),
                                 ("default/default/plain", 403, "SVC_NOT_RELEASABLE"),
                                 ("nobody/default/weights", 401, "SVC_UNAUTHENTIC"),
                                 ("default/default", 404, "SVC_NO_ROUTE"),
                                 ("default/default/weights/1", 404, "SVC_NO_ROUTE"),
                                 ("default/default/%00", 400, "SVC_NAME")):
        refused(client.call("GET", "/kbs/v0/resource/" + path, cookie=cookie), status, reason)
    refused(client.call("GET", "/kbs/v0/nosuch", cookie=cookie), 404, "SVC_NO_ROUTE")
    refused(client.call("GET", "/kbs/v0/auth", cookie=cookie), 404, "SVC_NO_ROUTE")
    refused(client.call("GET", RESOURCE, cookie="A" * 5000), 400, "MSG_FIELD")
    # Of strangers the log keeps a few a second; who has shown something is in it each time.
    news = log.news()
    need([e for e in news if e[1] not in ("SVC_SESSION", "SVC_UNAUTHENTIC")] ==
         [("RcarResource", r) for r in ("SVC_NO_KEY", "SVC_NO_KEY", "SVC_NOT_RELEASABLE")], f"{news}")
    need({("RcarResource", "SVC_SESSION"), ("RcarResource", "SVC_UNAUTHENTIC")} <= set(news), f"{news}")


def bodies(client, log, guest):
    for change, reason in (({"version": "0.1.1"}, "RELEASE_VERSION"), ({"tee": "sample"}, "RELEASE_TEE"),
                           ({"tee": "nosuch"}, "RELEASE_TEE")):
        refused(client.call("POST", "/kbs/v0/auth", {**guest.request(), **change}), 401, reason)
    ask = json.dumps(guest.request()).encode()
    refused(client.call("POST", "/kbs/v0/auth", b""), 400, "MSG_FIELD")
    for bad in (b"{", b"[]", b"null", b"{}", ask + b"x", ask[:-1] + b',"x":1}', b"\xff" + ask, b"[" * 50000,
                b'{"a":' * 20000, b" " * 70000, ask.replace(b"sha", b"\x00")):
        refused(client.call("POST", "/kbs/v0/auth", bad), 400, "RELEASE_MESSAGE")
    guest.auth()
    good = json.dumps(guest.attestation()).encode()
    for bad, status, reason in ((b"[" * 150000, 400, "RELEASE_MESSAGE"), (good[:-1], 400, "RELEASE_MESSAGE"),
                                (good + b" {}", 400, "RELEASE_MESSAGE"),
                                (good.replace(b'"nonce": "', b'"nonce": "A'), 400, "RELEASE_MESSAGE"),
                                (good.replace(b"attestation_report", b"report"), 401, "RELEASE_EVIDENCE"),
                                (good.replace(b'"vmpl"', b'"vmpl": 0, "vmpl"'), 400, "RELEASE_MESSAGE"),
                                (good.replace(b'"vmpl"', b'"vmpls"'), 401, "RELEASE_EVIDENCE"),
                                (good[:-1] + b" " * (193 << 10) + b"}", 400, "SVC_REQUEST"),
                                (good[:-1] + b" " * (5 << 20) + b"}", 400, "MSG_FIELD")):
        refused(client.call("POST", "/kbs/v0/attest", bad, cookie=guest.cookie), status, reason)
    need(guest.show().status == 200, "the server does not go on")
    log.expect(SHOWN)


def addresses(client, server):
    """V-88: many a second from one, and another who is served meanwhile."""
    body = b'{"version":"0.4.0","tee":"tdx","extra-params":{}}'
    said = client.curl("-H", "content-type: application/json", "--data-binary", "@-", "-D", f"{client.folder}/heads",
                       "-o", f"{client.folder}/many#1", "-w", "%{http_code} ", f"{server.url}/kbs/v0/auth?[1-60]",
                       body=body).split()
    need(len(said) == 60 and "429" in said and set(said) <= {"200", "429"}, f"{said}")
    with open(f"{client.folder}/heads") as heads, open(f"{client.folder}/many{said.index('429') + 1}") as many:
        need("retry-after: 1\n" in heads.read(), "not told when to come back")
        need(json.load(many)["type"] == ERROR + "SVC_RATE", "another refusal")
    client.more = ["--interface", "127.0.0.2"]
    need(client.call("POST", "/kbs/v0/auth", body).status == 200, "the limit is not the address's own")


def main():
    if not os.access(CURL, os.X_OK):
        print("SKIP: no curl with ML-KEM")
        sys.exit(77)
    release = os.environ["CASEMATE_KMSD"]
    os.environ["CASEMATE_KMSD"] = os.environ["CASEMATE_KMSD_TESTROOTS"]
    measured = collateral()
    server = Server(settings(1000000))
    server.start()
    tenant(server, measured)
    client, log = Client(server), Log(server)
    guest, cookie = released(client, log)
    freshness(client, log)
    keys(client, log)
    started_with(client, log)
    sessions(client, log, guest, cookie)
    bodies(client, log, guest)
    appraisal(client, log, server)
    cookie, _ = guest.session()
    log.expect(SHOWN)
    server.stop()
    # The release's program knows no test roots, not even for a session that the other one gave.
    os.environ["CASEMATE_KMSD"] = release
    text = server.config.read_text()
    server.config.write_text(text.replace(settings(1000000), settings(3)))
    server.start()
    refused(guest.attest(), 401, "SVC_EVIDENCE", "chain")
    log.refused(client.refused)
    said = refused(client.call("GET", RESOURCE, cookie=cookie), 401, "SVC_EVIDENCE")
    need("chain" not in said, f"told to whoever asks: {said}")
    addresses(client, server)
    log.expect(("RcarResource", "SVC_EVIDENCE"))
    server.stop()


if __name__ == "__main__":
    main()
