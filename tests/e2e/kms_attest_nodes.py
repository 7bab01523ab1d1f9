"""Machines that ask two nodes of a key server for a key, by minted evidence: the key server's own call
ReleaseKey, and the key broker protocol (kms_rcar.py). One phase of kms_attest_nodes.sh a run; what a
later phase needs is in $WORK/state, what was answered in $WORK/told."""
import base64
import collections
import hashlib
import http.client
import json
import re
import socket
import sys
import threading
import time

from kms_faults import WORK, die, need
from kms_rcar import (ERROR, RESOURCE, SECRET, Answer, Guest, collateral, mint, refused)

RELEASE = "/v1/tenants/default/keys/weights:release"
CHALLENGE = "/v1/tenants/default:challenge"
TDX, SNP = "tdx-v5-td15", "snp-v5-turin"
PATIENCE_S = 300


def std(v):
    return base64.b64encode(v).decode()


# ---- nodes

class Clear(Answer):
    """Of a socket in cleartext: its cookies are not for TLS alone."""

    def cookie(self):
        found = re.match("kbs-session-id=([^;]+);", self.header("set-cookie") or "")
        need(found, f"no session: {self}")
        return found[1]


class Node:
    """As kms_rcar.Client, over a Unix socket; one connection that stays."""

    def __init__(self, name):
        self.name, self.path, self.http = name, f"{WORK}/{name}/api.sock", None

    def connection(self):
        if not self.http:
            self.http = http.client.HTTPConnection("localhost")
            self.http.sock = socket.socket(socket.AF_UNIX)
            self.http.sock.settimeout(PATIENCE_S)
            self.http.sock.connect(self.path)
        return self.http

    def call(self, method, path, body=None, cookie=None, bearer=None):
        head = {"content-type": "application/json"} if body is not None else {}
        if cookie is not None:
            head["cookie"] = f"kbs-session-id={cookie}"
        if bearer is not None:
            head["authorization"] = f"Bearer {bearer}"
        end = time.monotonic() + PATIENCE_S
        while True:
            self.connection().request(method, path, json.dumps(body) if body is not None else None, head)
            r = self.http.getresponse()
            lines = "\n".join(f"{k.lower()}: {v}" for k, v in r.getheaders())
            answer = Clear(r.status, lines, r.read())
            if answer.status not in (429, 503) or time.monotonic() > end:  # nothing was done
                break
            time.sleep(0.1)
        told(self, path, answer)
        return answer


lock = threading.Lock()


def told(node, path, answer):
    """What the log has to have: which leaf, if the answer names it, operation and reason."""
    op = {RELEASE: "ReleaseKey", "/kbs/v0/attest": "RcarAttest", RESOURCE: "RcarResource"}.get(path)
    if not op:
        return
    fields = json.loads(answer.body)
    reason = "" if answer.status == 200 else fields["type"][len(ERROR):] if "type" in fields else reason_of(answer)
    with lock, open(WORK / "told", "a") as f:
        f.write(json.dumps([node.name, answer.header("casemate-leaf"), op, reason]) + "\n")


def reason_of(answer):
    return json.loads(answer.body)["error"]["reason"]


def denied(answer, reason):
    need(answer.status in (400, 401, 403, 409) and reason_of(answer) == reason, f"not {reason}: {answer}")


# ---- ReleaseKey

def report_data(nonce, key):
    """E of spec/attest.md, AT-100."""
    fields = [b"casemate/ra/1", b"client", b"ML-KEM-768", b"", b"", hashlib.sha256(key).digest(), b"", nonce, b""]
    return hashlib.sha512(b"".join(len(f).to_bytes(4, "big") + f for f in fields)).digest()


class Machine:
    """One that asks for the key, at whichever node."""

    def __init__(self, kind=TDX, *how):
        self.kind, self.how = kind, how
        self.token = json.loads((WORK / "key.json").read_text())["api_key"]
        self.key = (WORK / "mlkem.pub").read_bytes()

    def ask(self, node):
        answer = node.call("POST", CHALLENGE, {}, bearer=self.token)
        need(answer.status == 200, f"no challenge: {answer}")
        return self.shows(answer.json())

    def shows(self, challenge):
        """The body of ReleaseKey for that challenge."""
        data = report_data(base64.b64decode(challenge["nonce"]), self.key)
        folder, _ = mint(self.kind, data, *self.how)
        return {"attested_key": std(self.key), "evidence": std((folder / "evidence.pack").read_bytes()),
                "challenge": challenge["challenge"]}

    def release(self, node, body):
        return node.call("POST", RELEASE, body, bearer=self.token)

    def gets(self, node, body):
        answer = self.release(node, body)
        need(answer.status == 200 and len(base64.b64decode(answer.json()["sealed"])) > len(SECRET), f"not released: {answer}")


# ---- the key broker protocol

class Client(Guest):
    """A guest that may turn to another node between its messages."""

    def __init__(self, node, kind=TDX, tee="tdx"):
        super().__init__(node, kind, tee)

    def at(self, node):
        self.client = node
        return self

    def asks(self, node):
        self.at(node).auth()
        return self.attestation()


def accepted(answer):
    need(answer.status == 200 and set(answer.json()) == {"token"}, f"evidence was refused: {answer}")
    return answer.cookie()


# ---- phases

def prepare():
    measured = collateral()
    (WORK / "secret").write_bytes(SECRET)
    (WORK / "mlkem.pub").write_bytes(bytes.fromhex(measured_key()))
    (WORK / "fleet.yaml").write_text(f"""\
casemate_policy: 1
name: inference fleet
version: 1
signers:
  - {{name: alice, key: "FP-alice"}}
  - {{name: bob, key: "FP-bob"}}
evidence:
  tdx:
    measurements:
      - {{value: "{measured[TDX]}", name: image 1.4, provenance: minted}}
    may_skip: [config, platform, chip]
  snp:
    measurements:
      - {{value: "{measured[SNP]}", name: image 1.4, provenance: minted}}
    may_skip: [tcb, config, platform, chip]
""")


def measured_key():
    """An ML-KEM-768 key of openssl's, whose private half nobody needs here."""
    from release_python import OpenSSL
    (WORK / "kem").mkdir()
    return OpenSSL(WORK / "kem").public.hex()


def once(a, b):
    """From A, used at B: released; then at neither."""
    for kind in (TDX, SNP):
        m = Machine(kind)
        for one, other in ((a, b), (b, a)):
            body = m.ask(one)
            m.gets(other, body)
            for node in (other, one):
                denied(m.release(node, body), "SVC_CHALLENGE_USED")
    # Refused at one, it is used up at the other too (V-83).
    wrong, right = Machine(TDX, "--measurement", "ab" * 48), Machine()
    challenge = a.call("POST", CHALLENGE, {}, bearer=right.token).json()
    denied(wrong.release(a, wrong.shows(challenge)), "SVC_RELEASE_REFUSED")
    denied(right.release(b, right.shows(challenge)), "SVC_CHALLENGE_USED")

    for kind, tee in ((TDX, "tdx"), (SNP, "snp")):
        g = Client(a, kind, tee)
        body = g.asks(a)
        cookie = accepted(g.at(b).show(body))
        for node in (a, b, a):
            g.opens(node.call("GET", RESOURCE, cookie=cookie))
        for node in (b, a):
            refused(g.at(node).show(body), 401, "SVC_CHALLENGE_USED")


def together(claims):
    """All at once; what each was answered."""
    gate, out = threading.Barrier(len(claims)), [None] * len(claims)

    def claim(i):
        gate.wait()
        out[i] = claims[i]()

    threads = [threading.Thread(target=claim, args=(i,)) for i in range(len(claims))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return out


def winners(nodes, answers, why):
    """Exactly one was the first. The names of the nodes that won."""
    reasons = collections.Counter("" if r.status == 200 else why(r) for r in answers)
    need(reasons == {"": 1, "SVC_CHALLENGE_USED": len(answers) - 1}, f"a race: {dict(reasons)}")
    return [n.name for n, r in zip(nodes, answers) if r.status == 200]


def race(a, b, rounds):
    nodes = [Node(n.name) for n in (a, b, a, b)]
    for node in nodes:
        node.connection()
    m, g, won = Machine(), Client(a), collections.Counter()
    for i in range(int(rounds)):
        body = m.ask((a, b)[i % 2])
        answers = together([lambda n=n: m.release(n, body) for n in nodes])
        won.update(winners(nodes, answers, reason_of))
        body = g.asks((a, b)[i % 2])
        cookie = g.cookie
        answers = together([lambda n=n: n.call("POST", "/kbs/v0/attest", body, cookie=cookie) for n in nodes])
        won.update(winners(nodes, answers, lambda r: json.loads(r.body)["type"][len(ERROR):]))
    print(f"race: {rounds} challenges of each protocol, four times at once, one winner each: {dict(won)}")


def ask(a, b):
    """Challenges and a session of A's, for later."""
    m, g = Machine(), Client(a)
    state = {"body": m.ask(a), "attestation": g.asks(a), "cookie": g.cookie}
    state["session"] = accepted(Client(a).attest())
    (WORK / "state").write_text(json.dumps(state))


def asked():
    return json.loads((WORK / "state").read_text())


def others(b):
    """A is gone."""
    s = asked()
    Machine().gets(b, s["body"])
    accepted(b.call("POST", "/kbs/v0/attest", s["attestation"], cookie=s["cookie"]))
    got = b.call("GET", RESOURCE, cookie=s["session"])
    need(got.status == 200, f"the session went with its node: {got}")


def back(a, b):
    """A is there again, and knows what was used."""
    s = asked()
    for node in (a, b):
        denied(Machine().release(node, s["body"]), "SVC_CHALLENGE_USED")
        refused(node.call("POST", "/kbs/v0/attest", s["attestation"], cookie=s["cookie"]), 401, "SVC_CHALLENGE_USED")
    need(a.call("GET", RESOURCE, cookie=s["session"]).status == 200, "the session is gone")


def near(a, b):
    """B's clock is ahead by less than what nodes may differ."""
    for one, other in ((a, b), (b, a)):
        Machine().gets(other, Machine().ask(one))
        g = Client(one)
        body = g.asks(one)
        cookie = accepted(g.at(other).show(body))
        need(one.call("GET", RESOURCE, cookie=cookie).status == 200, "no session")


def over(a, b):
    """For B, whose clock is ahead by more than their life, all of A's are over; and its own are from
    the future for A. Who is told that asks anew, and is served."""
    s = asked()
    denied(Machine().release(b, s["body"]), "SVC_CHALLENGE")
    refused(b.call("POST", "/kbs/v0/attest", s["attestation"], cookie=s["cookie"]), 401, "SVC_CHALLENGE")
    refused(b.call("GET", RESOURCE, cookie=s["session"]), 401, "SVC_SESSION")
    m, g = Machine(), Client(b)
    denied(m.release(a, m.ask(b)), "SVC_CHALLENGE")
    body = g.asks(b)
    refused(g.at(a).show(body), 401, "SVC_CHALLENGE")
    m.gets(b, m.ask(b))
    g.at(b).opens(b.call("GET", RESOURCE, cookie=g.session()[0]))


def counted(op, reason):
    """Of evidence that the key broker refused the log has a few a second."""
    return op in ("ReleaseKey", "RcarResource") or (op == "RcarAttest" and not reason)


def log():
    """Both nodes show one log, and what was answered stands in it, each answer once."""
    told_ = [json.loads(line) for line in (WORK / "told").read_text().splitlines()]
    want = collections.Counter((op, reason) for _, _, op, reason in told_ if counted(op, reason))
    seen = {}
    for node in "ab":
        entries = [e for t in ("default", "system") for line in (WORK / f"entries.{node}.{t}").read_text().splitlines()
                   for e in json.loads(line).get("entries", [])]
        seen[node] = {int(e["leaf"]): (e["operation"], "" if e.get("allowed", False) else e["reason"], e["entry"])
                      for e in entries}
    need(all(seen["b"].get(leaf) == e for leaf, e in seen["a"].items()), "two logs")
    got = collections.Counter(e[:2] for e in seen["b"].values() if counted(*e[:2]))
    need(got == want, f"the log has {dict(got)}, answered was {dict(want)}")
    named = {int(leaf): (op, reason) for _, leaf, op, reason in told_ if leaf}
    need(named and all(seen["b"][leaf][:2] == what for leaf, what in named.items()), "another leaf than was answered")
    print(f"log: {sum(got.values())} entries; asked: {dict(collections.Counter(t[0] for t in told_))}, "
          f"{len(named)} were told their leaf")


def main():
    a, b = Node("a"), Node("b")
    phase, more = sys.argv[1], sys.argv[2:]
    if phase == "collateral":
        prepare()
    elif phase == "others":
        others(b)
    elif phase == "log":
        log()
    else:
        {"once": once, "race": race, "ask": ask, "back": back, "near": near, "over": over}[phase](a, b, *more)


if __name__ == "__main__":
    main()
