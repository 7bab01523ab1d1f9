#!/usr/bin/env python3
"""kms.py BUILD CLIENTS DOCS: a key server under load, as its users meet it: TLS, authentication,
policy, log and durability on, client and server on the same processors. h2load (OpenSSL 3.5) asks
over HTTP/2 with X25519MLKEM768; the raw rates are OpenSSL's own, by its speed command. Writes
DOCS/bench-kms.md, DOCS/bench/kms.json and DOCS/bench/kms-growth.svg; below five minutes with the
defaults.

KMS_SECONDS       of each load (4)
KMS_CONNECTIONS   that idle (10000)
KMS_KEYS          made for the list (20000)"""
import base64
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time

import kms_report

BUILD, CLIENTS, DOCS = (pathlib.Path(x).resolve() for x in sys.argv[1:4])
ROOT = pathlib.Path(__file__).resolve().parent.parent
OPENSSL = ROOT / ".deps/openssl/bin/openssl"
SECONDS = int(os.environ.get("KMS_SECONDS", "4"))
CONNECTIONS = int(os.environ.get("KMS_CONNECTIONS", "10000"))
KEYS = int(os.environ.get("KMS_KEYS", "20000"))
PLAIN = bytes(64)
BATCH = 100
LIMITS = """limits:
  address_calls: 10000000
  address_rate: 1000000
  address_burst: 1000000
  address_connections: 0
  idle_time: 3600s
"""


def run(*argv, **more):
    return subprocess.run([str(x) for x in argv], check=True, capture_output=True, text=True,
                          **more).stdout


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def cpu_of(pid):
    """Seconds of processor that a process has used."""
    stat = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")


class Server:
    """A fresh server, or one on the folder of another that was stopped."""

    def __init__(self, folder, cores=None, serve=(), config=""):
        self.dir, self.port, self.folder, self.cores = folder / "kms", free_port(), folder, cores
        self.env = dict(os.environ, CASEMATE_SERVER=str(self.dir / "admin.json"),
                        CASEMATE_HOME=str(folder / "home"),
                        PATH=f"{BUILD}/cmd/casemate:{os.environ['PATH']}")
        run("casemate", "serve", "--dir", self.dir, "--listen", f"127.0.0.1:{self.port}",
            "--shares-file", folder / "shares", "--prepare", *serve, env=self.env)
        file = self.dir / "kmsd.yaml"
        text = file.read_text()
        assert "limits:" not in text
        file.write_text(text + LIMITS + config)
        self.start()

    def start(self):
        argv = [BUILD / "cmd/casemate-kmsd/casemate-kmsd", "--config", self.dir / "kmsd.yaml"]
        if self.cores:
            argv = ["taskset", "-c", self.cores] + argv
        self.log = open(self.folder / "log", "a")
        self.process = subprocess.Popen([str(x) for x in argv], env=self.env, stdout=self.log,
                                        stderr=self.log)
        for _ in range(600):
            if subprocess.run(["casemate", "audit", "checkpoint", "-q"], env=self.env,
                              capture_output=True).returncode == 0:
                break
            time.sleep(0.1)
        self.url = f"https://127.0.0.1:{self.port}"

    def stop(self):
        self.process.terminate()
        self.process.wait()

    def casemate(self, *argv):
        return run("casemate", *argv, env=self.env)

    def api_key(self, name, *actions, tenant="default"):
        of = ("--tenant", tenant)
        self.casemate("principal", "create", "--principal", name, *of)
        more = [x for a in actions for x in ("--actions", a)]
        self.casemate("policy", "put", name, "--principals", name, *more, *of)
        return json.loads(self.casemate("principal", "api-key", name, "--json", *of))["api_key"]

    def ready(self):
        self.token = self.api_key("bench", "use", "read", "manage")
        for name, kind in (("aes", "AES-256"), ("p256", "P-256"), ("k1", "secp256k1"),
                           ("mldsa", "ML-DSA-65"), ("kem", "ML-KEM-768")):
            self.casemate("key", "create", name, "--type", kind)

    def processes(self):
        """{name: pid} of kmsd, which has connections, keyd, which has keys, and p11d, if a token
        is asked."""
        parents, names = {}, {}
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
                parents[int(pid)] = int(stat.rsplit(")", 1)[1].split()[1])
                names[int(pid)] = stat[stat.index("(") + 1:stat.rindex(")")]
            except OSError:
                continue
        spawner = [p for p, up in parents.items() if up == self.process.pid]
        return {"kmsd": self.process.pid} | {
            names[p].removeprefix("casemate-"): p for p, up in parents.items() if up in spawner}

    def rss(self):
        """MiB of each."""
        status = {n: pathlib.Path(f"/proc/{p}/status").read_text()
                  for n, p in self.processes().items()}
        return {n: int(re.search(r"VmRSS:\s+(\d+)", s)[1]) / 1024 for n, s in status.items()}

    def cpu(self):
        """Seconds of processor that each has used."""
        return {n: cpu_of(p) for n, p in self.processes().items()}


# ---- load ------------------------------------------------------------------------------------


def load(server, path, body, clients=8, streams=32, rate=None, grpc=False, items=1):
    file, log = server.folder / "body", server.folder / "log.tsv"
    file.write_bytes(body if grpc else json.dumps(body).encode())
    argv = [CLIENTS / "h2load", "--groups", "X25519MLKEM768", "-D", SECONDS, "-c", clients, "-m",
            streams, "-t", 1, "-d", file, "-H", f"authorization: Bearer {server.token}",
            "-H", f"content-type: application/{'grpc' if grpc else 'json'}", "--log-file", log]
    argv += ["-H", "te: trailers"] if grpc else []
    argv += ["--rps", rate / clients] if rate else []
    log.unlink(missing_ok=True)
    before = server.cpu()
    out = run(*argv, server.url + path)
    after = server.cpu()
    bad = int(re.search(r"(\d+) failed", out)[1]) + sum(
        line.split()[1] != "200" for line in open(log))
    times = sorted(int(line.split()[2]) for line in open(log))
    n = max(len(times), 1)
    return {"per_second": items * len(times) / SECONDS, "failed": bad,
            "p50_ms": times[n // 2] / 1000, "p99_ms": times[n * 99 // 100] / 1000,
            "cpu_us": {k: 1e6 * (after[k] - before[k]) / n / items for k in after}}


def proto(*fields):
    """A message of gRPC's with these (number, bytes)."""
    out = b""
    for number, value in fields:
        out += bytes([number << 3 | 2])
        n = len(value)
        while n > 127:
            out += bytes([n & 127 | 128])
            n >>= 7
        out += bytes([n]) + value
    return b"\0" + len(out).to_bytes(4, "big") + out


def loads(server):
    plain = base64.b64encode(PLAIN).decode()
    keys, out = "/v1/tenants/default/keys", {}
    out["encrypt"] = load(server, keys + "/aes:encrypt", {"plaintext": plain})
    out["encrypt, half load"] = load(server, keys + "/aes:encrypt", {"plaintext": plain},
                                     rate=out["encrypt"]["per_second"] / 2)
    for key in ("p256", "k1"):
        body = proto((1, b"default"), (2, key.encode()), (kms_report.SIGN_DATA, PLAIN))
        out[f"sign {key}, gRPC"] = load(server, "/casemate.kms.v1.Kms/Sign", body, grpc=True)
    out["sign mldsa"] = load(server, keys + "/mldsa:sign", {"data": plain})
    signed = json.loads(server.casemate("key", "sign", "mldsa", "--data", plain, "--json"))
    out["verify mldsa"] = load(server, keys + "/mldsa:verify",
                               {"data": plain, "signature": signed["signature"]})
    sealed = json.loads(server.casemate("key", "encapsulate", "kem", "--json"))
    out["decapsulate kem"] = load(server, keys + "/kem:decapsulate",
                                  {"ciphertext": sealed["ciphertext"]})
    out[f"decapsulate kem, batches of {BATCH}"] = load(
        server, keys + "/kem:batch", {"operation": "decapsulate",
                                      "items": BATCH * [{"data": sealed["ciphertext"]}]},
        streams=2, items=BATCH)
    return out


def raw():
    """Microseconds of one processor that each takes in OpenSSL alone."""
    out = {}
    for what, names in (("ecdsap256", ("sign p256", "verify p256")),
                        ("ML-DSA-65", ("", "sign mldsa", "verify mldsa")),
                        ("ML-KEM-768", ("", "encapsulate kem", "decapsulate kem"))):
        text = run(OPENSSL, "speed", "-seconds", "1", what)
        last = text.strip().splitlines()[-1].split()
        rates = [float(x) for x in last if re.fullmatch(r"[\d.]+", x)][-len(names):]
        out.update({n: 1e6 / r for n, r in zip(names, rates) if n})
    return out


def unwrap(server):
    wrapped = json.loads(server.casemate("key", "data-key", "aes", "--json"))["wrapped"]
    return json.loads(run(BUILD / "bench/bench_unwrap", server.url, server.dir / "ca.crt",
                          server.dir / "admin.pem", wrapped, 1000))


def fsync_ms(folder):
    """Median time of what every commit has to wait for at least: 4 KiB appended and fdatasync."""
    times = []
    with open(folder / "fsync", "wb", buffering=0) as f:
        for _ in range(200):
            f.write(bytes(4096))
            start = time.monotonic()
            os.fdatasync(f.fileno())
            times.append(time.monotonic() - start)
    return 1000 * sorted(times)[len(times) // 2]


# ---- handshakes ------------------------------------------------------------------------------


def handshakes(server, port, pid, kind):
    """Full handshakes a second, or resumed ones, by one serial client (bench/shake.c), and the
    server's microseconds of processor for each."""
    before = cpu_of(pid)
    got = json.loads(run(BUILD / "bench/bench_shake", "127.0.0.1", port, SECONDS,
                         server.dir / "ca.crt", kind))
    assert got["resumed"] == (got["handshakes"] if kind == "resumed" else 0), got
    return {"per_second": got["per_second"],
            "cpu_us": 1e6 * (cpu_of(pid) - before) / got["handshakes"]}


def all_handshakes(server):
    """Both send one certificate and one ticket."""
    port = free_port()
    peer = subprocess.Popen(
        [str(OPENSSL), "s_server", "-accept", f"127.0.0.1:{port}", "-cert",
         str(server.dir / "server.crt"), "-key", str(server.dir / "server.pem"), "-tls1_3",
         "-groups", "X25519MLKEM768", "-num_tickets", "1", "-www", "-quiet"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(0.5)
    try:
        return {f"{name} {kind}": handshakes(server, p, pid, kind)
                for kind in ("full", "resumed")
                for name, p, pid in (("casemate", server.port, server.process.pid),
                                     ("s_server", port, peer.pid))}
    finally:
        peer.kill()
        peer.wait()


# ---- growth ----------------------------------------------------------------------------------


def connections(server):
    """MiB of the server while so many connections idle, each of which has asked once."""
    points, held, open_ones = [(0, sum(server.rss().values()))], [], 0
    body = json.dumps({"plaintext": base64.b64encode(PLAIN).decode()})
    try:
        for upto in (CONNECTIONS // 10, CONNECTIONS // 4, CONNECTIONS // 2, CONNECTIONS):
            child = subprocess.Popen(
                [str(BUILD / "bench/bench_idle"), "127.0.0.1", str(server.port),
                 str(upto - open_ones), "/v1/tenants/default/keys/aes:encrypt", server.token, body],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            held.append(child)
            told = json.loads(child.stdout.readline())
            assert told["answered"] == told["connections"], told
            open_ones = upto
            time.sleep(2)
            points.append((upto, sum(server.rss().values())))
    finally:
        for child in held:
            child.communicate()
    return points


def cores(folder):
    """Encryptions a second with the server on one processor and on two, the client where it
    likes."""
    points = []
    for n in sorted({1, os.cpu_count()}):
        (folder / f"cores{n}").mkdir()
        server = Server(folder / f"cores{n}", "0" if n == 1 else f"0-{n - 1}")
        try:
            server.ready()
            got = load(server, "/v1/tenants/default/keys/aes:encrypt",
                       {"plaintext": base64.b64encode(PLAIN).decode()})
            points.append((n, got["per_second"]))
        finally:
            server.stop()
    return points


def tenants(server):
    """Encryptions a second of one tenant beside so many others, and the server's MiB."""
    points, n = [], 0
    for upto in (1, 10, 50):
        for n in range(n + 1, upto + 1):
            server.casemate("tenant", "create", "--name", f"t{n}")
        got = load(server, "/v1/tenants/default/keys/aes:encrypt",
                   {"plaintext": base64.b64encode(PLAIN).decode()})
        points.append((upto, got["per_second"], sum(server.rss().values())))
    return points


class Asker:
    """One connection that asks and waits, by curl with a post-quantum group."""

    def __init__(self, server):
        self.server = server

    def get(self, path, post=None):
        more = ["-X", "POST", "-d", post, "-H", "content-type: application/json"] if post else []
        out = run(CLIENTS / "curl", "-sS", "--cacert", self.server.dir / "ca.crt", "--curves",
                  "X25519MLKEM768", "-H", f"authorization: Bearer {self.server.token}",
                  "-w", "\n%{time_starttransfer} %{time_pretransfer}", *more,
                  self.server.url + path)
        body, times = out.rsplit("\n", 1)
        first, before = map(float, times.split())
        got = json.loads(body)
        assert "error" not in got, got
        return got, 1000 * (first - before)


def page_times(server, prefix, count):
    """Milliseconds for a page of 100 keys at the start, the middle and the end, and for one key
    made and one signature; the least of five each."""
    ask, out = Asker(server), {}
    under = "/v1/tenants/default/keys"
    first, _ = ask.get(f"{under}?page_size=100")
    token = base64.urlsafe_b64decode(first["next_page_token"] + "==")
    name = first["keys"][-1]["key"].encode()
    assert token.count(name) == 1
    for where, at in (("start", 0), ("middle", count // 2), ("end", count - 101)):
        fresh = token.replace(name, f"{prefix}{at:08d}".encode())
        text = base64.urlsafe_b64encode(fresh).decode().rstrip("=")
        answers = [ask.get(f"{under}?page_size=100&page_token={text}") for _ in range(5)]
        assert answers[0][0]["keys"][0]["key"] == f"{prefix}{at + 1:08d}", answers[0][0]["keys"][0]
        out[where] = min(ms for _, ms in answers)
    out["create"] = min(ask.get(f"{under}/made{time.time_ns()}", '{"type":"P-256"}')[1]
                        for _ in range(5))
    sign = json.dumps({"data": base64.b64encode(PLAIN).decode()})
    out["sign"] = min(ask.get(f"{under}/p256:sign", sign)[1] for _ in range(5))
    return out


def size_of(server):
    return sum(f.stat().st_size for f in server.dir.glob("kms.db*"))


def keys(server):
    points, have = [], 0
    for upto in (KEYS // 20, KEYS):
        server.stop()
        empty = size_of(server)
        # Names of each round begin with the same letter and have the same length.
        made = json.loads(run(BUILD / "bench/bench_fill", server.dir, server.token,
                              "b" if have else "a", upto - have))
        assert made["failed"] == 0, made
        size = size_of(server)
        server.start()
        points.append(dict(page_times(server, "b" if have else "a", upto - have), keys=upto,
                           database_mib=size / 2**20, bytes_each=(size - empty) / (upto - have),
                           made_per_second=made["per_second"],
                           rss=sum(server.rss().values())))
        have = upto
    return points


# ---- all of it -------------------------------------------------------------------------------


def main():
    results = {"machine": kms_report.machine(OPENSSL), "seconds": SECONDS, "raw_us": raw()}
    with tempfile.TemporaryDirectory() as tmp:
        folder = pathlib.Path(tmp)
        results["cores"] = cores(folder)
        server = Server(folder)
        try:
            server.ready()
            results["idle_rss_mib"] = server.rss()
            results["connections"] = connections(server)
            results["fsync_ms"] = fsync_ms(folder)
            results["unwrap"] = unwrap(server)
            results["loads"] = loads(server)
            results["handshakes"] = all_handshakes(server)
            results["tenants"] = tenants(server)
            results["keys"] = keys(server)
        finally:
            server.stop()
        durable = run(BUILD / "bench/bench_commit", folder, "1").splitlines()
        results["durable"] = [json.loads(x) for x in durable]
    kms_report.write(results, DOCS)


if __name__ == "__main__":
    main()
