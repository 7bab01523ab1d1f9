#!/usr/bin/env python3
"""hsm.py BUILD CLIENTS DOCS: keys of a token (SoftHSM2) through our processes beside the same
token asked directly, and our PKCS#11 module beside the key server's API. Both sides of a row are
measured in turn in short slices, by programs that stay (bench/slice.h). One of two tokens is lost
under load and comes back, five times. Writes DOCS/bench-hsm.md, DOCS/bench/hsm.json and
DOCS/bench/hsm-failover.svg; below four minutes with the defaults.

HSM_PAIRS  of slices for each row (16)"""
import base64
import json
import os
import pathlib
import re
import resource
import statistics
import subprocess
import tempfile
import time

import hsm_report
import kms
import kms_report

MODULE = pathlib.Path("/usr/lib/softhsm/libsofthsm2.so")
PIN = "482916"
PAIRS = int(os.environ.get("HSM_PAIRS", "16"))
SLICE_MS = 250
SETTLE = 0.02  # seconds that what a slice set off has to end
THREADS = 8    # the module keeps so many connections
BATCH = 100    # items of a request that has many
FLIGHT = 64    # requests that wait together


def token(folder, name):
    """Arguments that name a fresh token: module, label, PIN file, folder; the environment says
    where SoftHSM2 keeps it."""
    files, pin = folder / "tokens", folder / "pin"
    files.mkdir(parents=True, exist_ok=True)
    pin.write_text(PIN + "\n")
    conf = folder / "softhsm2.conf"
    conf.write_text(f"directories.tokendir = {files}\n")
    os.environ["SOFTHSM2_CONF"] = str(conf)
    kms.run("softhsm2-util", "--init-token", "--free", "--label", name, "--pin", PIN, "--so-pin",
            "73519264")
    return MODULE, name, pin, files


def lines(text):
    return {x["name"]: x for x in map(json.loads, text.splitlines())}


def daemon(name):
    return kms.BUILD / f"cmd/casemate-{name}/casemate-{name}"


# ---- slices ----------------------------------------------------------------------------------


def with_children(pid):
    """The process and all that it and its children started."""
    parents = {}
    for other in filter(str.isdigit, os.listdir("/proc")):
        try:
            stat = pathlib.Path(f"/proc/{other}/stat").read_text()
            parents[int(other)] = int(stat.rsplit(")", 1)[1].split()[1])
        except OSError:
            continue
    found = [pid]
    for up in found:
        found += [p for p, parent in parents.items() if parent == up]
    return found


def cpu(pid):
    """Seconds of processor that a process has used, to the nanosecond: its clock's number is what
    clock_getcpuclockid(3) gives."""
    return time.clock_gettime(~pid << 3 | 2)


def machine_cpu():
    """Seconds of all processors: busy, taken by the host, in all."""
    t = [int(x) / os.sysconf("SC_CLK_TCK") for x in open("/proc/stat").readline().split()[1:9]]
    return t[0] + t[1] + t[2] + t[5] + t[6], t[7], sum(t)


class Program:
    """One that makes slices when it is told to. with_server: whose processes take part."""

    def __init__(self, name, *argv, with_server=None, env=None):
        self.process = subprocess.Popen(
            [str(x) for x in (kms.BUILD / "bench" / ("bench_" + name), *argv)], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=env)
        assert self.process.stdout.readline() == "{}\n", argv
        self.pids = with_children(self.process.pid)
        if with_server:
            self.pids += with_children(with_server.process.pid)

    def used(self):
        return sum(map(cpu, self.pids))

    def slice(self, job, items=1, ms=SLICE_MS):
        """Operations a second, microseconds of processor for one, and what part of the processors
        others had meanwhile, and the host."""
        used, all_used, (busy, stolen, whole) = self.used(), self.all_used(), machine_cpu()
        self.process.stdin.write(f"{job} {ms}\n")
        self.process.stdin.flush()
        got = json.loads(self.process.stdout.readline())
        time.sleep(SETTLE)
        used, all_used = self.used() - used, self.all_used() - all_used
        now = machine_cpu()
        whole = now[2] - whole
        n = items * got["done"]
        return [round(n / got["seconds"], 1), round(1e6 * used / n, 2),
                round(max(0, now[0] - busy - all_used) / whole, 3),
                round((now[1] - stolen) / whole, 3)]

    def all_used(self):
        """With this program's own, which is no stranger either."""
        return self.used() + time.process_time()

    def stop(self):
        self.process.stdin.close()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def quartiles(values):
    return [round(x, 4) for x in statistics.quantiles(values, n=4, method="inclusive")]


def compare(ours, beside):
    """Slices of both in turn, A B, B A, ... Each side: a program, its job, and what one of its
    operations stands for."""
    sides = ours, beside
    for program, *job in sides:
        program.slice(*job)
    got = [], []
    for i in range(PAIRS):
        for side in (0, 1) if i % 2 == 0 else (1, 0):
            program, *job = sides[side]
            got[side].append(program.slice(*job))
    pairs = list(zip(*got))
    return {"wall": quartiles([a[0] / b[0] for a, b in pairs]),
            "processor": quartiles([b[1] / a[1] for a, b in pairs]),
            "ours": got[0], "beside": got[1]}


# ---- a token ---------------------------------------------------------------------------------


def direct(folder):
    return Program("token", daemon("p11d"), *token(folder, "bench"))


def alone(folder, job):
    """One job of a fresh token, for a page that has another side of its own."""
    with direct(folder) as t:
        t.slice(job)
        rate, us, _, _ = t.slice(job, 1, 1000 * kms.SECONDS)
    return {"per_second": rate, "cpu_us": us}


def token_rows(folder, t):
    held = folder / "held"
    with Program("held", daemon("keyd"), daemon("p11d"), *token(held, "held")) as keyd:
        out = {"P-256, waiting together": compare((keyd, FLIGHT), (t, "p256-direct")),
               "P-256, one a processor": compare((keyd, os.cpu_count()), (t, "p256-direct"))}
    out["P-256, one at a time"] = compare((t, "p256-one"), (t, "p256-direct"))
    out["P-256, lists"] = compare((t, "p256-list"), (t, "p256-direct"))
    out["unwrap, lists"] = compare((t, "unwrap-list"), (t, "unwrap-direct"))
    out["unwrap, one at a time"] = compare((t, "unwrap-one"), (t, "unwrap-direct"))
    return out


# ---- a key server ----------------------------------------------------------------------------


def children():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def whole(server, work):
    """What work() gives, whose processes are children of this one, with the microseconds of
    processor that one operation takes, server and client together."""
    before = sum(server.cpu().values()) + children()
    got = work()
    used = sum(server.cpu().values()) + children() - before
    assert got.get("failed", 0) == 0, got
    return {"per_second": got["per_second"],
            "cpu_us": 1e6 * used / (got["per_second"] * kms.SECONDS)}


def asks(server, path, body, connections, streams, least):
    """A program that asks for this all the time: an answer is so long at least."""
    file = server.folder / f"body-{connections}-{streams}"
    file.write_bytes(body)
    kind = "json" if body.startswith(b"{") else "grpc"
    return Program("load", "127.0.0.1", server.port, server.dir / "ca.crt", path,
                   "application/" + kind, server.token, file, connections, streams, least,
                   with_server=server)


# Fields of BatchRequest and BatchItem, and the number of its operation (docs/kms.proto).
OPERATION, SIGN, ITEM, DATA = 6, 1, 7, 1


def batch(tenant, key):
    item = kms.proto((DATA, kms.PLAIN))[5:]
    whole_body = kms.proto((1, tenant), (2, key))[5:] + bytes([OPERATION << 3, SIGN]) + \
        kms.proto(*BATCH * [(ITEM, item)])[5:]
    return b"\0" + len(whole_body).to_bytes(4, "big") + whole_body


def served(folder, t):
    """A key server whose root opens by a key of the token."""
    module, name, pin, files = token(folder, "root")
    kms.run("casemate", "hsm", "init", "--module", module, "--token", name, "--pin-file", pin,
            "--write", files)
    server = kms.Server(folder, serve=("--hsm-module", module, "--hsm-token", name,
                                       "--hsm-pin-file", pin, "--hsm-files", files))
    try:
        server.ready()
        info = json.loads(server.casemate("key", "info", "k1", "--json"))
        assert "hsm-wrapped" in json.dumps(info), info
        return served_rows(server, t)
    finally:
        server.stop()


def served_rows(server, t):
    sign = kms.proto((1, b"default"), (2, b"k1"), (kms_report.SIGN_DATA, kms.PLAIN))
    json_sign = json.dumps({"data": "AAAA" * 10 + "AAA="}).encode()
    with asks(server, "/casemate.kms.v1.Kms/Sign", sign, 8, 32, 64) as one:
        out = {"secp256k1, one a request": compare((one, "load"), (t, "k1-direct"))}
    with asks(server, "/casemate.kms.v1.Kms/Batch", batch(b"default", b"k1"), 4, 2,
              64 * BATCH) as many:
        out["secp256k1, batches"] = compare((many, "load", BATCH), (t, "k1-direct"))
    env = dict(server.env, CASEMATE_PKCS11_LOG=str(server.folder / "module.log"))
    with asks(server, "/v1/tenants/default/keys/mldsa:sign", json_sign, THREADS, 1, 4412) as api, \
            Program("token", "sign", kms.BUILD / "cmd/casemate-pkcs11/libcasemate-pkcs11.so",
                    "mldsa", THREADS, with_server=server, env=env) as module:
        out["ML-DSA-65, module"] = compare((module, "sign"), (api, "load"))
    return out


def owner(server, folder, tenant):
    """From here on, commands are a tenant's own administrator's: the system's make no keys."""
    key, profile = folder / "owner.pem", folder / "owner.json"
    server.casemate("key", "new", "-t", "ML-DSA-65", "--no-passphrase", "-o", key)
    der = base64.b64decode("".join(x for x in key.with_suffix(".pub").read_text().splitlines()
                                   if "-" not in x))
    credential = {"kind": "ml_dsa", "public_key": base64.b64encode(der[-1952:]).decode()}
    server.casemate("principal", "create", "--tenant", tenant, "--principal", "owner",
                    "--credentials", json.dumps(credential))
    server.casemate("policy", "put", "all", "--tenant", tenant, "--principals", "owner",
                    "--actions", "*")
    profile.write_text(json.dumps({
        "server": f"https://127.0.0.1:{server.port}", "roots": str(server.dir / "ca.crt"),
        "sign_key": str(key), "tenant": tenant}))
    server.env["CASEMATE_SERVER"] = str(profile)


def native(folder, t):
    """P-256 keys that were made in a tenant's token and stay there, by requests of many."""
    module, name, pin, files = token(folder, "tenant")
    server = kms.Server(folder, config="hsm:\n  providers:\n    - {name: t, use: tenants, module: "
                        f'"{module}", token: {name}, pin_file: "{pin}", files: "{files}"}}\n')
    try:
        server.casemate("tenant", "create", "--name", "t", "--hsm", "t")
        server.token = server.api_key("bench", "use", tenant="t")
        owner(server, folder, "t")
        server.casemate("key", "create", "n", "--type", "P-256", "--custody", "hsm-native")
        with asks(server, "/casemate.kms.v1.Kms/Batch", batch(b"t", b"n"), 4, 2,
                  64 * BATCH) as many:
            return {"P-256, native": compare((many, "load", BATCH), (t, "p256-direct"))}
    finally:
        server.stop()


# ---- failover --------------------------------------------------------------------------------


def failover_run(folder, *more):
    """A quarter of a second a line, and at the end what was done when."""
    for name in ("first", "second"):
        _, _, pin, _ = token(folder / name, "bench")
    text = kms.run(kms.BUILD / "bench/bench_failover", daemon("p11d"), MODULE, pin,
                   folder / "first", folder / "second", *more)
    *slices, plan = map(json.loads, text.splitlines())
    return {"slices": slices, **plan}


def failover(folder):
    """The same clients, with nobody killed, before and after: the machine may change."""
    runs = [(kind, failover_run(folder / f"{i}", *kind)["normal_us"] if kind else
             failover_run(folder / f"{i}"))
            for i, kind in enumerate((("alone",), ("both",), (), ("both",), ("alone",)))]
    got = next(run for kind, run in runs if not kind)
    normal = {name: sorted(sum((run for kind, run in runs if kind == (name,)), []))
              for name in ("alone", "both")}
    normal["both"] = sorted(normal["both"] + got.pop("normal_us"))
    return {"failover": {**got, **judged(got, normal)}}


def judged(got, normal):
    """The rule is on the page (hsm_report.py), above the figures."""
    limit = {name: hsm_report.limit(us) for name, us in normal.items()}
    for kill in got["kills"]:
        kill["again"] = {name: next((i + 1 for i, p in enumerate(kill["after_us"]) if p <= us and
                                     statistics.median(kill["after_us"][i:]) <= us), None)
                         for name, us in limit.items()}
    return {"lost": sum(s["lost"] for s in got["slices"]),
            "answered": sum(s["answered"] for s in got["slices"]), "normal_us": normal,
            "limit_us": limit}


# ---- all of it -------------------------------------------------------------------------------


def text_of(results):
    """JSON, with a line for what holds nothing but numbers."""
    return re.sub(r"\[\s+([^\[\]{}]*?)\s+\]", lambda m: f"[{re.sub(chr(10) + ' *', ' ', m[1])}]",
                  json.dumps(results, indent=1)) + "\n"


def measure(tmp):
    out = {}
    with direct(tmp / "token") as t:
        for work in (token_rows, native, served):
            folder = tmp / work.__name__
            folder.mkdir()
            out.update(work(folder, t))
    return out | failover(tmp / "failover")


def main():
    results = {"machine": kms_report.machine(kms.OPENSSL), "slice_ms": SLICE_MS, "pairs": PAIRS,
               "flight": FLIGHT, "batch": BATCH, "threads": THREADS,
               "began": time.time()}
    with tempfile.TemporaryDirectory() as tmp:
        results["results"] = measure(pathlib.Path(tmp))
    results["seconds"] = round(time.time() - results.pop("began"))
    (kms.DOCS / "bench").mkdir(parents=True, exist_ok=True)
    (kms.DOCS / "bench/hsm.json").write_text(text_of(results))
    (kms.DOCS / "bench/hsm-failover.svg").write_text(
        hsm_report.failover_plot(results["results"]["failover"]))
    text, notes = hsm_report.page(results), kms.DOCS / "bench/hsm-notes.md"
    if notes.exists():
        text += "\n" + notes.read_text()
    (kms.DOCS / "bench-hsm.md").write_text(text)


if __name__ == "__main__":
    main()
