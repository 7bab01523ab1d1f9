#!/usr/bin/env python3
"""Clients of several nodes, over their Unix sockets with an API key.

nodes_client.py load TOKEN SECONDS OUT SOCKET...    make keys without pause; what was acknowledged
nodes_client.py check TOKEN OUT SOCKET              all of it is there, its leaves in the log
nodes_client.py fetch TOKEN FOLDER SOCKET           the whole log, in the layout of C2SP tlog-tiles
"""
import base64
import collections
import http.client
import json
import os
import socket
import struct
import sys
import threading
import time

KEYS = "/v1/tenants/default/keys/"


class Node(http.client.HTTPConnection):
    """A connection that is made anew after every failure."""

    def __init__(self, path, token, timeout=60):
        super().__init__("localhost", timeout=timeout)
        self.path, self.token = path, token

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)

    def call(self, method, path, body=None):
        """Status, headers, answer; status 0: nobody knows."""
        try:
            self.request(method, path, None if body is None else json.dumps(body),
                         {"authorization": "Bearer " + self.token, "content-type": "application/json"})
            r = self.getresponse()
            return r.status, r.headers, json.loads(r.read() or b"{}")
        except (OSError, http.client.HTTPException, ValueError) as e:
            self.close()
            return 0, {}, {"error": {"reason": type(e).__name__}}


def reason_of(answer):
    return answer.get("error", {}).get("reason", "?")


# ---- load

def make_keys(n, path, token, until, out):
    node, i = Node(path, token), 0
    while time.monotonic() < until:
        name = "load-%d-%d" % (n, i)
        began = time.monotonic()
        status, headers, answer = node.call("POST", KEYS + name, {"type": "AES-256"})
        out["slowest"] = max(out["slowest"], time.monotonic() - began)
        if status == 200:
            out["acknowledged"].append([name, int(answer.get("leaf", -1))])
            time.sleep(0.01)
            i += 1
            continue
        out["refused"][str(status) + " " + reason_of(answer)] += 1
        if status == 409 and reason_of(answer) in ("SVC_KEY_EXISTS", "SVC_EXISTS"):
            i += 1  # done before, and nobody had heard
        if status == 503 and "retry-after" not in headers:
            out["without_retry_after"] += 1
        time.sleep(0.05)


def load(token, seconds, path, *nodes):
    outs, threads = [], []
    for n, node in enumerate(nodes):
        outs.append({"acknowledged": [], "refused": collections.Counter(), "without_retry_after": 0,
                     "slowest": 0})
        threads.append(threading.Thread(target=make_keys, args=(
            n, node, token, time.monotonic() + float(seconds), outs[-1])))
        threads[-1].start()
    for t in threads:
        t.join()
    with open(path, "w") as f:
        json.dump(outs, f)
    for out in outs:
        print("load: %d acknowledged, slowest %.2f s, refused %s" % (
            len(out["acknowledged"]), out["slowest"], dict(out["refused"])))


# ---- what is there

def entries(node, size):
    """Every leaf below size: operation, resource, bytes."""
    at = 0
    while at < size:
        status, _, answer = node.call("GET", "/v1/tenants/default/log/entries?from=%d&count=%d" % (
            at, min(1000, size - at)))
        if status != 200:
            sys.exit("entries from %d: %d %s" % (at, status, reason_of(answer)))
        for e in answer.get("entries", []):
            if int(e["leaf"]) != at:
                sys.exit("leaf %d is missing" % at)
            yield e
            at += 1


def log_size(node):
    status, _, answer = node.call("GET", "/v1/log/checkpoint")
    if status != 200:
        sys.exit("checkpoint: %d %s" % (status, reason_of(answer)))
    return int(answer["checkpoint"].split("\n")[1]), answer["checkpoint"]


def check(token, path, at):
    node, bad, n = Node(at, token), 0, 0
    with open(path) as f:
        outs = json.load(f)
    node.call("GET", KEYS + "load-0-0")  # so that the checkpoint covers what came before
    deadline = time.monotonic() + 300
    last = max([leaf for out in outs for _, leaf in out["acknowledged"]] or [0])
    while log_size(node)[0] <= last and time.monotonic() < deadline:
        time.sleep(0.05)
    leaves = {int(e["leaf"]): e for e in entries(node, log_size(node)[0])}
    for out in outs:
        bad += out["without_retry_after"]
        for name, leaf in out["acknowledged"]:
            n += 1
            status, _, answer = node.call("GET", KEYS + name)
            e = leaves.get(leaf, {})
            if status != 200 or e.get("operation") != "CreateKey" or \
                    name.encode() not in base64.b64decode(e.get("resource", "")):
                print("lost: %s (leaf %d): %d %s, log says %s" % (
                    name, leaf, status, reason_of(answer), e.get("operation")))
                bad += 1
    print("check: %d acknowledged, %d wrong" % (n, bad))
    sys.exit(bad != 0 or n == 0)


# ---- the log as files

def tile_path(kind, n, width):
    parts = ["%03d" % (n % 1000)]
    while n >= 1000:
        n //= 1000
        parts.insert(0, "x%03d" % (n % 1000))
    return "tile/%s/%s%s" % (kind, "/".join(parts), ".p/%d" % width if width < 256 else "")


def put(folder, name, data):
    path = os.path.join(folder, name)
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "wb") as f:
        f.write(data)


def tiles(size):
    level = 0
    while size > 0:
        for n in range((size + 255) // 256):
            yield level, n, min(256, size - 256 * n)
        size //= 256
        level += 1


def fetch(token, folder, at):
    node = Node(at, token)
    size, note = log_size(node)
    runs = collections.defaultdict(bytes)
    for e in entries(node, size):
        data = base64.b64decode(e["entry"])
        runs[int(e["leaf"]) // 256] += struct.pack(">H", len(data)) + data
    for level, n, width in tiles(size):
        status, _, answer = node.call("GET", "/v1/log/tiles/%d/%d?width=%d" % (level, n, width))
        if status != 200:
            sys.exit("tile %d/%d: %d %s" % (level, n, status, reason_of(answer)))
        put(folder, tile_path(str(level), n, width), base64.b64decode(answer["tile"]))
        if level == 0:
            put(folder, tile_path("entries", n, width), runs[n])
    put(folder, "checkpoint", note.encode())
    print("fetch: %d entries" % size)


if __name__ == "__main__":
    {"load": load, "check": check, "fetch": fetch}[sys.argv[1]](*sys.argv[2:])
