#!/usr/bin/env python3
"""kms.py BUILD CLIENTS OUT: a key server under load, as its users meet it: TLS, authentication,
policy, log and durability on, client and server on the same processors. h2load (OpenSSL 3.5) asks
over HTTP/2 with X25519MLKEM768; the raw rates are OpenSSL's own, by its speed command, just before.
Writes OUT/kms.json and OUT/kms.md."""
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

BUILD, CLIENTS, OUT = (pathlib.Path(x).resolve() for x in sys.argv[1:4])
ROOT = pathlib.Path(__file__).resolve().parent.parent
OPENSSL = ROOT / ".deps/openssl/bin/openssl"
SECONDS = int(os.environ.get("KMS_SECONDS", "5"))


def run(*argv, **more):
    return subprocess.run([str(x) for x in argv], check=True, capture_output=True, text=True, **more).stdout


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    def __init__(self, folder):
        self.dir, self.port = folder / "kms", free_port()
        self.env = dict(os.environ, CASEMATE_SERVER=str(self.dir / "admin.json"),
                        CASEMATE_HOME=str(folder / "home"),
                        PATH=f"{BUILD}/cmd/casemate:{os.environ['PATH']}")
        serve = ["casemate", "serve", "--dir", self.dir, "--listen", f"127.0.0.1:{self.port}",
                 "--shares-file", folder / "shares"]
        run(*serve, "--prepare", env=self.env)
        config = self.dir / "kmsd.yaml"
        text = config.read_text()
        assert "limits:" not in text
        config.write_text(text + "limits:\n  address_calls: 10000000\n  address_rate: 1000000\n"
                          "  address_burst: 1000000\n  address_connections: 0\n")
        self.log = open(folder / "log", "w")
        self.process = subprocess.Popen([str(x) for x in serve], env=self.env, stdout=self.log,
                                        stderr=self.log)
        for _ in range(200):
            if subprocess.run(["casemate", "audit", "checkpoint", "-q"], env=self.env,
                              capture_output=True).returncode == 0:
                break
            time.sleep(0.1)
        self.url = f"https://127.0.0.1:{self.port}/v1/tenants/default/keys"

    def casemate(self, *argv):
        return run("casemate", *argv, env=self.env)

    def ready(self):
        self.casemate("principal", "create", "--principal", "bench")
        self.casemate("policy", "put", "all", "--principals", "bench", "--actions", "use")
        self.token = json.loads(self.casemate("principal", "api-key", "bench", "--json"))["api_key"]
        for name, kind in (("aes", "AES-256"), ("p256", "P-256"), ("k1", "secp256k1"),
                           ("mldsa", "ML-DSA-65"), ("kem", "ML-KEM-768")):
            self.casemate("key", "create", name, "--type", kind)

    def rss(self):
        """MiB of kmsd and keyd, the helper that starts keyd not counted."""
        out = {}
        for pid in os.listdir("/proc"):
            try:
                if pid.isdigit() and f"{self.dir}" in open(f"/proc/{pid}/cmdline").read():
                    name = open(f"/proc/{pid}/comm").read().strip()
                    kb = int(re.search(r"VmRSS:\s+(\d+)", open(f"/proc/{pid}/status").read())[1])
                    out[name] = max(out.get(name, 0), kb / 1024)
            except (OSError, TypeError):
                continue
        return out

    def stop(self):
        self.process.terminate()
        self.process.wait()


def load(server, folder, target, body, clients=8, streams=32, rate=None, seconds=SECONDS):
    file = folder / "body.json"
    file.write_text(json.dumps(body))
    argv = [CLIENTS / "h2load", "--groups", "X25519MLKEM768", "-D", seconds, "--warm-up-time", 1,
            "-c", clients, "-m", streams, "-t", 1, "-d", file, "-H", f"authorization: Bearer {server.token}",
            "-H", "content-type: application/json", "--log-file", folder / "log.tsv"]
    if rate:
        argv += ["--rps", rate / clients]
    (folder / "log.tsv").unlink(missing_ok=True)
    out = run(*argv, server.url + target)
    bad = int(re.search(r"(\d+) failed", out)[1])
    times = sorted(int(line.split()[2]) for line in open(folder / "log.tsv"))
    got = float(re.search(r"([\d.]+) req/s", out)[1])
    return {"per_second": got, "failed": bad, "p50_ms": times[len(times) // 2] / 1000,
            "p99_ms": times[len(times) * 99 // 100] / 1000}


def handshakes(server, port, reuse):
    """Full handshakes a second, or resumed ones, by one serial s_time."""
    out = subprocess.run(
        [str(OPENSSL), "s_time", "-connect", f"127.0.0.1:{port}", "-CAfile",
         str(server.dir / "ca.crt"), "-reuse" if reuse else "-new", "-time", "4"],
        capture_output=True, text=True).stdout
    found = re.findall(r"(\d+) connections in (\d+) real seconds", out)
    return int(found[-1][0]) / int(found[-1][1]) if found else None


def raw():
    """Operations a second of one processor, by the provider alone: openssl speed."""
    rates = {}
    for name, what in (("p256", "ecdsap256"), ("mldsa", "ML-DSA-65"), ("kem", "ML-KEM-768")):
        out = subprocess.run([str(OPENSSL), "speed", "-seconds", "2", what], capture_output=True,
                             text=True).stdout
        rates[name] = out.strip().splitlines()[-2:]
    return rates


def main():
    results = {"load": os.getloadavg(), "raw": raw()}
    with tempfile.TemporaryDirectory() as tmp:
        folder = pathlib.Path(tmp)
        server = Server(folder)
        try:
            server.ready()
            results["idle_rss_mib"] = server.rss()
            plain = base64.b64encode(bytes(64)).decode()
            results["encrypt"] = load(server, folder, "/aes:encrypt", {"plaintext": plain})
            half = results["encrypt"]["per_second"] / 2
            results["encrypt_half"] = load(server, folder, "/aes:encrypt", {"plaintext": plain}, rate=half)
            for key in ("p256", "k1", "mldsa"):
                results["sign_" + key] = load(server, folder, f"/{key}:sign", {"data": plain})
            sealed = json.loads(server.casemate("key", "encapsulate", "kem", "--json"))
            results["decapsulate"] = load(server, folder, "/kem:decapsulate",
                                          {"ciphertext": sealed["ciphertext"]})
            results["loaded_rss_mib"] = server.rss()
            wrapped = json.loads(server.casemate("key", "data-key", "aes", "--json"))["wrapped"]
            results["unwrap"] = json.loads(run(
                BUILD / "bench/bench_unwrap", f"https://127.0.0.1:{server.port}",
                server.dir / "ca.crt", server.dir / "admin.pem", wrapped, 2000))
            results["handshakes"] = {
                "casemate full": handshakes(server, server.port, False),
                "casemate resumed": handshakes(server, server.port, True)}
            port = free_port()
            peer = subprocess.Popen(
                [str(OPENSSL), "s_server", "-accept", f"127.0.0.1:{port}", "-cert",
                 str(server.dir / "server.crt"), "-key", str(server.dir / "server.pem"), "-tls1_3",
                 "-groups", "X25519MLKEM768", "-www", "-quiet"], stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL)
            time.sleep(0.5)
            results["handshakes"]["s_server full"] = handshakes(server, port, False)
            results["handshakes"]["s_server resumed"] = handshakes(server, port, True)
            peer.kill()
            peer.wait()
        finally:
            server.stop()
    (OUT / "kms.json").write_text(json.dumps(results, indent=1) + "\n")
    print(json.dumps(results, indent=1))


main()
