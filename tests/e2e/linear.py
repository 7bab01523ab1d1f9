#!/usr/bin/env python3
"""Whether what clients of several nodes saw is the history of one key server.

linear.py record TOKEN SECONDS OUT SOCKET...   clients of every node at once; what each asked and saw
linear.py check OUT                            is it linearizable?
linear.py plant OUT CHANGED                    one stale read put in
linear.py test                                 the checker against a naive one

A key is a register: its version and a tag. Reads show both, an update writes the tag, a rotation
adds one to the version and shows it. Each key is checked on its own (Herlihy and Wing: that is
enough), by search with memory as Wing, Gong and Lowe describe. An operation whose answer nobody
heard may have happened at any time since, or never; one refused with a reason that says so must
never have happened.
"""
import itertools
import json
import random
import sys
import threading
import time

from nodes_client import KEYS, Node, reason_of

AT_ONCE, WINDOW_S = 3, 10  # a key has at most 64 versions: others come every so many seconds
ENOUGH, LATEST_S = 200, 180  # operations, however slow the machine is
NOT_DONE = {"AUDIT_CLOSED", "STORE_UNREACHABLE", "SVC_BUSY", "SVC_LIMIT", "COMMIT_FULL", "RUN_DRAINED",
            "KMSD_SEALED", "ConnectionRefusedError"}
NEVER = float("inf")
START = (1, None)


# ---- the checker: operations are dicts of what, value, saw, call, back; back NEVER: not heard of

def step(state, op):
    """The state behind op, or None where it can't have shown what it did."""
    version, tag = state
    if op["what"] == "write":
        tag = op["value"]
    elif op["what"] == "rotate":
        version += 1
    if op["saw"] is not None and tuple(op["saw"]) != (version, tag):
        return None
    return version, tag


def linearizable(ops, start=START):
    """True or False, and how many operations could be put in order at most."""
    done = sorted((o for o in ops if o["back"] != NEVER), key=lambda o: o["call"])
    maybe = [o for o in ops if o["back"] == NEVER and o["what"] != "read"]
    stack, best = [(0, 0, 0, start)], 0  # first open, those done behind it, maybes used, state
    seen = set(stack)
    while stack:
        low, mask, used, state = stack.pop()
        if low == len(done):
            return True, low
        best = max(best, low)
        first_back, i, candidates = NEVER, low, []
        while i < len(done) and done[i]["call"] <= first_back:
            if not mask >> (i - low) & 1:
                candidates.append(i)
                first_back = min(first_back, done[i]["back"])
            i += 1
        following = []
        for i in candidates:
            after = step(state, done[i]) if done[i]["call"] <= first_back else None
            if after is not None:
                at, bits = low, mask | 1 << (i - low)
                while bits & 1:
                    at, bits = at + 1, bits >> 1
                following.append((at, bits, used, after))
        for j, op in enumerate(maybe):
            if not used >> j & 1 and op["call"] <= first_back:
                following.append((low, mask, used | 1 << j, step(state, op)))
        for one in reversed(following):
            if one not in seen:
                seen.add(one)
                stack.append(one)
    return False, best


def naive(ops, start=START):
    """Every order of every choice."""
    sure = [o for o in ops if o["back"] != NEVER]
    maybe = [o for o in ops if o["back"] == NEVER]
    for n in range(len(maybe) + 1):
        for some in itertools.combinations(maybe, n):
            for order in itertools.permutations(sure + list(some)):
                state = start
                for i, op in enumerate(order):
                    if any(later["back"] < op["call"] for later in order[i + 1:]):
                        state = None
                    state = step(state, op) if state else None
                    if state is None:
                        break
                if state:
                    return True
    return False


def random_history(rng):
    """Clients of a register that answers late, and now and then wrongly."""
    state, ops, now = START, [], 0
    for i in range(rng.randint(1, 6)):
        now += rng.randint(0, 2)
        op = {"what": rng.choice(["read", "write", "rotate"]), "value": "t%d" % i, "saw": None,
              "call": now - rng.randint(0, 4), "back": now + rng.randint(0, 4)}
        after = step(state, op)
        if rng.random() < 0.15 and op["what"] != "read":
            op["back"] = NEVER
            state = after if rng.random() < 0.5 else state
        else:
            state = after
            op["saw"] = list(after)
            if rng.random() < 0.15:
                op["saw"][0] += rng.choice([-1, 1])
        ops.append(op)
    return ops


def test():
    rng, yes = random.Random(3), 0
    for _ in range(1500):
        ops = random_history(rng)
        mine = linearizable(ops)[0]
        yes += mine
        if mine != naive(ops):
            sys.exit("not as the naive checker says: %s" % ops)
    if not 300 < yes < 1400:
        sys.exit("histories of one kind only: %d" % yes)
    print("test: 1500 histories, %d linearizable" % yes)


# ---- recording

def one_call(node, name, what, value):
    path = KEYS + name
    if what == "read":
        return node.call("GET", path)
    if what == "write":
        return node.call("PATCH", path, {"tags": [value]})
    return node.call("POST", path + ":rotate", {})


def client(n, path, token, begun, until, outs):
    out = outs[n]
    rng, node, count = random.Random(n), Node(path, token, timeout=4), 0
    while time.monotonic() < until or (sum(map(len, outs)) < ENOUGH and
                                       time.monotonic() < until + LATEST_S):
        window = int((min(time.monotonic(), until) - begun) / WINDOW_S)
        name = "reg-%d" % (window * AT_ONCE + rng.randrange(AT_ONCE))
        what = rng.choices(["read", "write", "rotate"], [12, 7, 1])[0]
        count += 1
        op = {"key": name, "node": path, "what": what, "value": "c%d-%d" % (n, count), "saw": None,
              "call": time.monotonic(), "back": NEVER}
        status, headers, answer = one_call(node, name, what, op["value"])
        if status == 200:
            op["back"] = time.monotonic()
            op["saw"] = [int(answer["version"]), (answer.get("tags") or [None])[0]]
            out.append(op)
        elif status and 400 <= status < 500 and reason_of(answer) not in NOT_DONE:
            out.append({**op, "done": None, "fatal": "%s: %d %s" % (what, status, reason_of(answer))})
        else:
            op["why"] = "%d %s" % (status, reason_of(answer))
            op["done"] = None if reason_of(answer) in NOT_DONE else "maybe"
            out.append(op)
            time.sleep(0.05)
        time.sleep(rng.random() * 0.01)


def record(token, seconds, path, *sockets):
    for i in range((int(float(seconds) / WINDOW_S) + 1) * AT_ONCE):
        name = "reg-%d" % i
        patience = time.monotonic() + LATEST_S
        while True:
            status, _, answer = Node(sockets[0], token).call("POST", KEYS + name, {"type": "AES-256"})
            if status not in (0, 429, 503) or time.monotonic() > patience:
                break
        if status not in (200, 409):
            sys.exit("%s: %d %s" % (name, status, reason_of(answer)))
    outs = [[] for _ in range(2 * len(sockets))]
    begun = time.monotonic()
    until = begun + float(seconds)
    threads = [threading.Thread(target=client, args=(n, sockets[n % len(sockets)], token, begun,
                                                     until, outs))
               for n in range(len(outs))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    with open(path, "w") as f:
        json.dump([op for out in outs for op in out], f)


# ---- judging

def load(path):
    """Operations by key, without those that were refused."""
    with open(path) as f:
        ops = json.load(f)
    names = sorted({o["key"] for o in ops})
    return ops, {name: [o for o in ops if o["key"] == name and o.get("done", "yes")] for name in names}


def check(path):
    ops, keys = load(path)
    refused = sum(1 for o in ops if o.get("done", "yes") is None)
    maybe = sum(1 for o in ops if o.get("done") == "maybe")
    bad = len([print("UNEXPECTED:", o["fatal"]) for o in ops if "fatal" in o])
    for name, some in keys.items():
        fine, best = linearizable(some)
        if not fine:
            print("NOT LINEARIZABLE: %s, after %d of %d operations" % (name, best, len(some)))
            bad += 1
    print("check: %d operations on %d nodes, %d refused, %d unheard of: %s" % (
        len(ops), len({o["node"] for o in ops}), refused, maybe, "FAIL" if bad else "linearizable"))
    sys.exit(1 if bad or len(ops) - refused < ENOUGH / 2 else 0)


def plant(path, changed):
    """A read shows the write before the last one that had ended when it began."""
    ops, keys = load(path)
    for some in keys.values():
        writes = sorted((o for o in some if o["back"] != NEVER and o["what"] == "write"),
                        key=lambda o: o["back"])
        for r in [o for o in some if o["back"] != NEVER and o["what"] == "read"]:
            ended = [o for o in writes if o["back"] < r["call"]]
            before = [o for o in ended if o["back"] < ended[-1]["call"]]
            if before:
                r["saw"] = before[-1]["saw"]
                with open(changed, "w") as f:
                    json.dump(ops, f)
                return
    sys.exit("no read that could be stale")


if __name__ == "__main__":
    {"record": record, "check": check, "plant": plant, "test": test}[sys.argv[1]](*sys.argv[2:])
