"""A key server to be hurt: started on a folder of its own, looked at, killed, started again; and
HTTP/2 by hand, so that it can be done wrong."""
import atexit
import base64
import json
import mmap
import os
import pathlib
import re
import signal
import socket
import struct
import subprocess
import sys
import time

from own_port import lock_file, own_port

WAIT_S = 300  # for what takes a second on a machine that is not loaded
SOURCE = pathlib.Path(os.environ["CASEMATE_SOURCE"])
WORK = pathlib.Path(os.environ["WORK"])
KMS_LOAD = os.environ.get("CASEMATE_KMS_LOAD", "")


def die(why):
    sys.exit(f"FAILED: {why}")


def need(true, what):
    if not true:
        die(what)


def until(what, true, seconds=WAIT_S):
    end = time.monotonic() + seconds
    while True:
        got = true()
        if got:
            return got
        if time.monotonic() > end:
            die(f"not in {seconds} s: {what}")
        time.sleep(0.02)


class Server:
    """`casemate serve` on WORK/kms, with a listener in cleartext beside the one in TLS."""

    def __init__(self, limits="", env=None, before=(), tls="hybrid"):
        self.dir, self.port, self.process = WORK / "kms", own_port(lock_file()), None
        self.log_path, self.clear = WORK / "server.log", str(WORK / "clear.sock")
        self.env = dict(os.environ, CASEMATE_SERVER=str(self.dir / "admin.json"),
                        CASEMATE_HOME=str(WORK / "home"))
        self.more_env, self.before = env or {}, list(before)
        subprocess.run(["casemate", "serve", "--dir", self.dir, "--listen", f"127.0.0.1:{self.port}",
                        "--shares-file", WORK / "shares", "--prepare"],
                       check=True, env=self.env, capture_output=True)
        config = self.dir / "kmsd.yaml"
        text = config.read_text().replace("tls: hybrid", f"tls: {tls}")
        text = text.replace("unseal:\n", f'  - address: "unix:{self.clear}"\n    tls: off\nunseal:\n')
        config.write_text(text + "limits:\n  address_calls: 10000000\n  address_rate: 1000000\n"
                          "  address_burst: 1000000\n" + limits)
        self.config = config
        self.url = f"https://127.0.0.1:{self.port}"

    # ---- its life

    def start(self, ready=True):
        self.log = open(self.log_path, "ab")
        self.process = subprocess.Popen(
            [*self.before, os.environ["CASEMATE_KMSD"], "--config", self.config],
            env=dict(self.env, **self.more_env), stdout=self.log, stderr=self.log)
        atexit.register(self.process.kill)  # of no effect once it was waited for
        if ready:
            self.wait_ready()

    def wait_ready(self):
        until("ready", lambda: self.is_ready() or self.gone_wrong())

    def gone_wrong(self):
        if self.process.poll() is not None:
            die(f"the server ended: {self.process.returncode}\n{self.last_log()}")

    def last_log(self, n=12):
        return "\n".join(self.log_path.read_text(errors="replace").splitlines()[-n:])

    def stop(self):
        self.process.terminate()
        if self.process.wait(WAIT_S) != 0:
            die(f"the server ended with {self.process.returncode}\n{self.last_log()}")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def keyd(self):
        """The pid of the keyd in use; None: there is none now."""
        pids = re.findall(r"keyd_started pid=(\d+)", self.log_path.read_text(errors="replace"))
        if not pids:
            return None
        try:
            name = pathlib.Path(f"/proc/{pids[-1]}/comm").read_text()
        except OSError:
            return None
        return int(pids[-1]) if name.startswith("casemate-keyd") else None

    def rss(self):
        """MiB of kmsd."""
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", text)[1]) / 1024

    # ---- the admin socket

    def admin(self, path):
        """(status, body); (0, "") when nobody answers."""
        try:
            with socket.socket(socket.AF_UNIX) as s:
                s.settimeout(WAIT_S)
                s.connect(str(self.dir / "admin.sock"))
                s.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
                got = b""
                while piece := s.recv(65536):
                    got += piece
        except OSError:
            return 0, ""
        head, _, body = got.partition(b"\r\n\r\n")
        return (int(head[9:12]), body.decode()) if head.startswith(b"HTTP/1.1 ") else (0, "")

    def is_ready(self):
        return self.admin("/readyz")[0] == 200

    def metric(self, name):
        found = re.search(rf"^{re.escape(name)} (\d+)$", self.admin("/metrics")[1], re.M)
        return int(found[1]) if found else 0

    # ---- its users

    def casemate(self, *argv):
        r = subprocess.run(["casemate", *map(str, argv)], env=self.env, capture_output=True, text=True)
        if r.returncode:
            die(f"casemate {' '.join(map(str, argv))}: {r.stderr}{r.stdout}\n{self.last_log()}")
        return r.stdout

    def app(self, actions="use"):
        """A principal with an API key, and its token."""
        self.casemate("principal", "create", "--principal", "app")
        self.casemate("policy", "put", "app-all", "--principals", "app", "--actions", actions)
        return json.loads(self.casemate("principal", "api-key", "app", "--json"))["api_key"]

    def connect(self, seconds=WAIT_S):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(seconds)
        s.connect(self.clear)
        return s

    # ---- clients that remember (tests/testlib/kms_load.c)

    def load(self, acks, threads=4):
        return subprocess.Popen([KMS_LOAD, "load", self.url, self.dir, acks, str(threads)],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                text=True)

    def end_load(self, p):
        out, err = p.communicate(timeout=2 * WAIT_S)
        if p.returncode:
            die(f"kms-load: {p.returncode} {err}{self.last_log()}")
        return int(out)

    def check(self, acks, *more):
        r = subprocess.run([KMS_LOAD, "check", self.url, self.dir, acks, *more], capture_output=True,
                           text=True)
        if r.returncode:
            die(f"kms-load check: {r.returncode} {r.stderr}{self.last_log()}")

    def verify(self, receipts):
        """By `casemate audit verify`, offline."""
        for i in range(0, len(receipts), 500):
            self.casemate("audit", "verify", "--key", self.dir / "log.vkeys", *receipts[i:i + 500])


class World:
    """What is wrong with the disk and the clock (tests/testlib/bad_world.c)."""
    NAMES = ("full", "slow_us", "sync_bad", "clock_s", "hits")

    def __init__(self):
        self.path = WORK / "world"
        self.path.write_bytes(bytes(8 * len(self.NAMES)))
        with open(self.path, "r+b") as f:
            self.map = mmap.mmap(f.fileno(), 0)

    def env(self):
        return {"LD_PRELOAD": os.environ["CASEMATE_BAD_WORLD"], "BAD_WORLD": str(self.path)}

    def set(self, **values):
        for name, v in values.items():
            struct.pack_into("=q", self.map, 8 * self.NAMES.index(name), v)

    def hits(self):
        return struct.unpack_from("=q", self.map, 8 * self.NAMES.index("hits"))[0]


# ---- HTTP/2 by hand

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION = range(10)
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
STATIC_STATUS = {8: 200, 9: 204, 10: 206, 11: 304, 12: 400, 13: 404, 14: 500}
# HPACK's code of the digits (RFC 7541, appendix B).
DIGITS = {"00000": 0, "00001": 1, "00010": 2, "011001": 3, "011010": 4, "011011": 5, "011100": 6,
          "011101": 7, "011110": 8, "011111": 9}


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def hpack(*fields):
    """Literals, never indexed, no Huffman."""
    out = b""
    for name, value in fields:
        out += b"\x10"
        for text in (name, value):
            raw = text if isinstance(text, bytes) else text.encode()
            out += (bytes([len(raw)]) if len(raw) < 127 else b"\x7f" + varint(len(raw) - 127)) + raw
    return out


def varint(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def request(method, path, token="", body_type="application/json", *more):
    fields = [(":method", method), (":scheme", "https"), (":authority", "localhost"), (":path", path),
              ("content-type", body_type)]
    if token:
        fields.append(("authorization", f"Bearer {token}"))
    return hpack(*fields, *more)


def status_of(block):
    """Of a header block that begins with :status, as a server's does."""
    while block and block[0] & 0xe0 == 0x20:  # table size updates
        block = block[1:] if block[0] != 0x3f else block[2:]
    if block[0] & 0x80:
        return STATIC_STATUS[block[0] & 0x7f]
    at = 1
    length, raw = block[at] & 0x7f, block[at + 1:]
    if not block[at] & 0x80:
        return int(raw[:length])
    bits, n, code = "".join(f"{b:08b}" for b in raw[:length]), 0, ""
    for bit in bits:
        code += bit
        if code in DIGITS:
            n, code = n * 10 + DIGITS[code], ""
    return n


class H2:
    """A connection: what comes back is sorted by stream."""

    def __init__(self, sock, settings=b""):
        self.s, self.buf, self.next, self.goaway = sock, b"", 1, None
        self.status, self.body, self.ended, self.pongs = {}, {}, set(), 0
        no_table = struct.pack(">HI", 1, 0)
        self.s.sendall(PREFACE + frame(SETTINGS, 0, 0, no_table + settings)
                       + frame(WINDOW, 0, 0, struct.pack(">I", 1 << 30)))

    def send(self, method, path, token="", body=None, more=(), body_type="application/json"):
        stream, self.next = self.next, self.next + 2
        head = request(method, path, token, body_type, *more)
        out = frame(HEADERS, 4 if body is not None else 5, stream, head)
        if body is not None:
            out += frame(DATA, 1, stream, body)
        self.s.sendall(out)
        return stream

    def pump(self):
        """Takes what is there; False at the end of the connection."""
        try:
            piece = self.s.recv(1 << 16)
        except (ConnectionError, BrokenPipeError):
            return False
        if not piece:
            return False
        self.buf += piece
        while len(self.buf) >= 9:
            n = int.from_bytes(self.buf[:3], "big")
            if len(self.buf) < 9 + n:
                break
            self.take(self.buf[3], self.buf[4], int.from_bytes(self.buf[5:9], "big"),
                      self.buf[9:9 + n])
            self.buf = self.buf[9 + n:]
        return True

    def take(self, kind, flags, stream, payload):
        if kind == SETTINGS and not flags & 1:
            self.s.sendall(frame(SETTINGS, 1, 0))
        elif kind == PING and flags & 1:
            self.pongs += 1
        elif kind == GOAWAY:
            self.goaway = int.from_bytes(payload[4:8], "big")
        elif kind == HEADERS:
            self.status.setdefault(stream, status_of(payload))
        elif kind == DATA:
            self.body[stream] = self.body.get(stream, b"") + payload
        elif kind == RST_STREAM:
            self.ended.add(stream)
            self.status.setdefault(stream, -1)
        if kind in (HEADERS, DATA) and flags & 1:
            self.ended.add(stream)

    def answer(self, stream):
        """(status, body); None: the connection broke first."""
        while stream not in self.ended:
            if not self.pump():
                return None
        return self.status[stream], self.body.get(stream, b"")

    def call(self, *args, **more):
        return self.answer(self.send(*args, **more))


def fields_of(body):
    return json.loads(body) if body else {}


def un64(text):
    return base64.b64decode(text)


def stop_hard(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
