#!/usr/bin/env python3
"""Receipts and settlements of a key server, over Unix sockets with an API key.

kms_market.py race TOKEN ROUNDS CLAIMANTS SOCKET...     many claim one job, and one receipt: one wins
kms_market.py run TOKEN COUNT LINES SOCKET...           sign COUNT receipts, settle each once,
                                                        whatever happens to the servers meanwhile
kms_market.py lines TOKEN LINES SOCKET                  receipts of all kinds, for other readers
kms_market.py grpc TOKEN TARGET                         the same operations over gRPC
"""
import base64
import collections
import json
import os
import random
import sys
import threading
import time

from nodes_client import Node, reason_of

KEYS = "/v1/tenants/default/keys/"
FIELDS = {"model": 1, "input": 2, "output": 3, "node": 4}
PATIENCE = 300  # seconds


def b64(data):
    return base64.b64encode(data).decode()


def receipt_fields(i=0, **more):
    return dict({name: b64(bytes([n]) * 24 + i.to_bytes(8, "big")) for name, n in FIELDS.items()},
                compute_ms=str(i), **more)


def settlement(job, record, amount=1000):
    return {"job": b64(job), "provider": b64(b"\1" * 20), "consumer": b64(b"\2" * 20), "unit": "wei",
            "amount": str(amount), "receipt": record}


class Client:
    """Asks one server after the other until one of them answers."""

    def __init__(self, token, sockets, first=0):
        self.nodes = [Node(path, token, timeout=300) for path in sockets]
        self.at, self.unheard = first % len(sockets), 0

    def ask(self, path, body, method="POST"):
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            status, _, answer = self.nodes[self.at].call(method, path, body)
            if status not in (0, 429, 503):
                return status, answer
            self.unheard += 1
            self.at = (self.at + 1) % len(self.nodes)
            time.sleep(0.05 * random.random())
        sys.exit(f"nobody answers: {status} {answer}")

    def ok(self, path, body):
        status, answer = self.ask(path, body)
        if status != 200:
            sys.exit(f"{path}: {status} {answer}")
        return answer


# ---- many claim one thing ----

def claim_all(clients, bodies, path, refusal):
    """All at once, each its own connection: exactly one is told that it is the first."""
    gate, out = threading.Barrier(len(clients)), [None] * len(clients)

    def claim(n):
        gate.wait()
        out[n] = clients[n].ask(path, bodies[n])

    threads = [threading.Thread(target=claim, args=(n,)) for n in range(len(clients))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    told = collections.Counter(200 if status == 200 else reason_of(answer) for status, answer in out)
    if told[200] != 1 or told[200] + told[refusal] != len(clients):
        sys.exit(f"{path}: {dict(told)}")


def race(token, rounds, claimants, *sockets):
    clients = [Client(token, sockets, n) for n in range(int(claimants))]
    for _ in range(int(rounds)):
        job = os.urandom(32)
        records = [clients[0].ok(KEYS + "eth:signPoAI", receipt_fields(n))["record"]
                   for n in range(len(clients))]
        claim_all(clients, [settlement(job, r) for r in records], KEYS + "eth:signSettlement",
                  "MARKET_SETTLED")
        claim_all(clients, [{"record": records[0], "accept": True}] * len(clients),
                  KEYS + "eth:verifyPoAI", "MARKET_REPLAY")
        nonce = b64(os.urandom(32))
        claim_all(clients, [receipt_fields(n, nonce=nonce) for n in range(len(clients))],
                  KEYS + "eth:signPoAI", "MARKET_REPLAY")
    print(f"race: {len(clients)} claimants, {rounds} rounds, one winner each")


# ---- each once, whatever happens ----

THREADS, EACH, SAMPLE = int(os.environ.get("CASEMATE_SETTLERS", "8")), 100, 16


class Worker(threading.Thread):
    def __init__(self, n, count, token, sockets):
        super().__init__()
        self.n, self.count, self.client = n, count, Client(token, sockets, n)
        self.kept, self.done, self.again, self.wrong = [], 0, 0, None

    def run(self):
        try:
            while self.done < self.count and not self.wrong:
                self.some(min(EACH, self.count - self.done))
        except SystemExit as e:
            self.wrong = e.code

    def some(self, n):
        c = self.client
        records = c.ok(KEYS + "eth:batch", {
            "operation": "sign_poai", "items": [{"poai": receipt_fields(self.done + i)} for i in range(n)]})
        for result in records["results"]:
            self.settle(result["data"])

    def settle(self, record):
        c = self.client
        body = settlement(self.n.to_bytes(16, "big") + (self.done + 1).to_bytes(16, "big"), record)
        before = c.unheard
        answer = c.ok(KEYS + "eth:signSettlement", body)
        if answer.get("again"):
            self.again += 1
            if c.unheard == before:
                self.wrong = "settled before anybody asked"
        if random.random() * self.count < SAMPLE / THREADS or self.done == 0:
            self.kept.append((body, answer["record"]))
        self.done += 1


def stands(client, body, record):
    """The same again is the same record; anything else about the job is refused."""
    answer = client.ok(KEYS + "eth:signSettlement", body)
    if answer["record"] != record or not answer.get("again"):
        sys.exit("a second settlement: " + json.dumps(body))
    status, answer = client.ask(KEYS + "eth:signSettlement", dict(body, amount="1001"))
    if status != 409 or reason_of(answer) != "MARKET_SETTLED":
        sys.exit(f"settled twice: {status} {answer}")


def run(token, count, path, *sockets):
    began = time.monotonic()
    count = int(count)
    workers = [Worker(n, count // THREADS + (n < count % THREADS), token, sockets)
               for n in range(THREADS)]
    for w in workers:
        w.start()
    while any(w.is_alive() for w in workers):
        time.sleep(min(10, 0.2 + count / 1000))
        if count > 20000:
            print(f"{sum(w.done for w in workers)} settled", flush=True)
    for w in workers:
        w.join()
        if w.wrong:
            sys.exit(w.wrong)
    took = time.monotonic() - began
    client = Client(token, sockets)
    keys = public_keys(client, "eth")
    with open(path, "w") as f:
        for w in workers:
            for body, record in w.kept:
                stands(client, body, record)
                write(f, "receipt", body["receipt"], keys)
                write(f, "settlement", record, keys, body["receipt"])
    print(f"run: {sum(w.done for w in workers)} receipts, each settled once, in {took:.0f} s; "
          f"{sum(w.client.unheard for w in workers)} answers not heard, "
          f"{sum(w.again for w in workers)} settlements given again")


# ---- for other readers ----

def public_keys(client, *names):
    out = {"secp": "", "mldsa": ""}
    for name in names:
        status, answer = client.ask(KEYS + name + "/publicKey", None, "GET")
        if status != 200:
            sys.exit(f"{name}: {status} {answer}")
        pk = base64.b64decode(answer["public_key"])
        out["mldsa" if len(pk) > 100 else "secp"] = pk.hex()
    return out


def write(f, kind, record, keys, receipt=None):
    line = dict(keys, kind=kind, record=base64.b64decode(record).hex())
    if receipt:
        line["receipt"] = base64.b64decode(receipt).hex()
    f.write(json.dumps(line) + "\n")


def lines(token, path, socket):
    client = Client(token, [socket])
    with open(path, "w") as f:
        for names in (("eth",), ("dual", "pq"), ("pq",)):
            key, keys = KEYS + names[0], public_keys(client, *names)
            record = client.ok(key + ":signPoAI", receipt_fields(
                1, realm=b64(b"\7" * 32), attestation=b64(b"\5" * 32), model_root=True))["record"]
            write(f, "receipt", record, keys)
            paid = client.ok(key + ":signSettlement", dict(
                settlement(os.urandom(32), record, 2**256 - 1), realm=b64(b"\7" * 32)))["record"]
            write(f, "settlement", paid, keys, record)
            batch = client.ok(key + ":signPoAIBatch",
                              {"receipts": [receipt_fields(i) for i in range(7)]})
            for part in batch["receipts"]:
                member = b64(base64.b64decode(part) + base64.b64decode(batch["head"]))
                write(f, "receipt", member, keys)
            good = client.ok(key + ":verifyPoAI", {"record": member, "accept": True})
            if not good["valid"] or len(good["unproven"]) != 5:
                sys.exit(f"not good: {good}")


def over_grpc(token, target):
    import grpc
    from kms_grpc import SERVICE, described, made
    channel = grpc.insecure_channel(target, options=[("grpc.default_authority", "localhost"),
                                                     ("grpc.max_receive_message_length", 64 << 20)])
    pool, who = described(channel), [("authorization", "Bearer " + token)]

    def ask(name, request, answer, **fields):
        call = channel.unary_unary(f"/{SERVICE}/{name}", request_serializer=lambda m: m.SerializeToString(),
                                   response_deserializer=made(pool, answer).FromString)
        return call(made(pool, request)(tenant="default", **fields), metadata=who, timeout=300)

    one = {name: bytes([n]) * 32 for name, n in FIELDS.items()}
    got = ask("SignPoAI", "SignPoAIRequest", "SignMarketAnswer", key="dual", **one)
    assert len(got.record) == 324 + 65 + 3309, len(got.record)
    for accept in (False, True):
        good = ask("VerifyPoAI", "VerifyMarketRequest", "VerifyMarketAnswer", key="dual",
                   record=got.record, accept=accept)
        assert good.valid and len(good.unproven) == 5, good
    paid = dict(key="dual", job=os.urandom(32), provider=b"\1" * 20, consumer=b"\2" * 20, unit="wei",
                amount=str(2**200), receipt=got.record)
    first = ask("SignHMMSettlement", "SignHMMSettlementRequest", "SignMarketAnswer", **paid)
    again = ask("SignHMMSettlement", "SignHMMSettlementRequest", "SignMarketAnswer", **paid)
    assert again.record == first.record and again.again and not first.again
    good = ask("VerifyHMMSettlement", "VerifyMarketRequest", "VerifyMarketAnswer", key="dual",
               record=first.record, receipt=got.record)
    assert good.valid, good
    for name, request, fields in (
            ("VerifyPoAI", "VerifyMarketRequest", dict(key="dual", record=got.record, accept=True)),
            ("SignHMMSettlement", "SignHMMSettlementRequest", dict(paid, amount="1"))):
        try:
            ask(name, request, "SignMarketAnswer", **fields)
            raise AssertionError("not refused")
        except grpc.RpcError as e:
            assert e.code() in (grpc.StatusCode.ABORTED, grpc.StatusCode.ALREADY_EXISTS), e
    got = ask("Batch", "BatchRequest", "BatchAnswer", key="eth", operation=7,
              items=[{"poai": one} for _ in range(100)])
    assert len({r.data for r in got.results}) == 100 and not any(r.error for r in got.results), got
    many = 8192  # no more are taken
    began = time.monotonic()
    got = ask("SignPoAIBatch", "SignPoAIBatchRequest", "SignPoAIBatchAnswer", key="pq",
              receipts=[one] * many)
    print(f"grpc: a batch of {many} in {time.monotonic() - began:.2f} s")
    good = ask("VerifyPoAI", "VerifyMarketRequest", "VerifyMarketAnswer", key="pq",
               record=got.receipts[many - 1] + got.head, accept=True)
    assert good.valid, good


if __name__ == "__main__":
    {"race": race, "run": run, "lines": lines, "grpc": over_grpc}[sys.argv[1]](*sys.argv[2:])
