#!/usr/bin/env python3
"""hsm.py BUILD CLIENTS DOCS: keys of a token (SoftHSM2) through our processes beside the same
token asked directly, and our PKCS#11 module beside the key server's API, each pair in one run.
One of two tokens is lost under load and comes back. Writes DOCS/bench-hsm.md, DOCS/bench/hsm.json
and DOCS/bench/hsm-failover.svg; below two minutes with the defaults.

KMS_SECONDS  of each measurement (4)"""
import base64
import json
import os
import pathlib
import resource
import tempfile

import kms
import kms_report

MODULE = pathlib.Path("/usr/lib/softhsm/libsofthsm2.so")
PIN = "482916"
THREADS = 8  # the module keeps so many connections


def token(folder, name):
    """Arguments that name a fresh token: module, label, PIN file, folder."""
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


def device(folder):
    return lines(kms.run(kms.BUILD / "bench/bench_token",
                         kms.BUILD / "cmd/casemate-p11d/casemate-p11d", *token(folder, "bench"),
                         kms.SECONDS))


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


def module_signs(server):
    env = dict(server.env, CASEMATE_PKCS11_LOG=str(server.folder / "module.log"))
    return lines(kms.run(kms.BUILD / "bench/bench_token", "sign",
                         kms.BUILD / "cmd/casemate-pkcs11/libcasemate-pkcs11.so", "mldsa", THREADS,
                         kms.SECONDS, env=env))["ML-DSA-65, module"]


def served(folder):
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
        body = kms.proto((1, b"default"), (2, b"k1"), (kms_report.SIGN_DATA, kms.PLAIN))
        sign = {"data": "AAAA" * 10 + "AAA="}
        path = "/v1/tenants/default/keys/mldsa:sign"
        return {"secp256k1, served": whole(server, lambda: kms.load(
                    server, "/casemate.kms.v1.Kms/Sign", body, grpc=True)),
                "ML-DSA-65, API": whole(server, lambda: kms.load(
                    server, path, sign, clients=THREADS, streams=1)),
                "ML-DSA-65, module": whole(server, lambda: module_signs(server))}
    finally:
        server.stop()


# Fields of BatchRequest and BatchItem, and the number of its operation (docs/kms.proto).
BATCH, OPERATION, SIGN, ITEM, DATA = 100, 6, 1, 7, 1


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


def native(folder):
    """P-256 keys that were made in a tenant's token and stay there, by requests of many."""
    module, name, pin, files = token(folder, "tenant")
    server = kms.Server(folder, config="hsm:\n  providers:\n    - {name: t, use: tenants, module: "
                        f'"{module}", token: {name}, pin_file: "{pin}", files: "{files}"}}\n')
    try:
        server.casemate("tenant", "create", "--name", "t", "--hsm", "t")
        server.token = server.api_key("bench", "use", tenant="t")
        owner(server, folder, "t")
        server.casemate("key", "create", "n", "--type", "P-256", "--custody", "hsm-native")
        item = kms.proto((DATA, kms.PLAIN))[5:]
        whole_body = kms.proto((1, b"t"), (2, b"n"))[5:] + bytes([OPERATION << 3, SIGN]) + \
            kms.proto(*BATCH * [(ITEM, item)])[5:]
        body = b"\0" + len(whole_body).to_bytes(4, "big") + whole_body
        return {"P-256, native": whole(server, lambda: kms.load(
            server, "/casemate.kms.v1.Kms/Batch", body, grpc=True, streams=2, items=BATCH))}
    finally:
        server.stop()


# ---- failover --------------------------------------------------------------------------------


def failover_run(folder, *more):
    """A quarter of a second a line, and at the end what was done when."""
    for name in ("first", "second"):
        _, _, pin, _ = token(folder / name, "bench")
    text = kms.run(kms.BUILD / "bench/bench_failover",
                   kms.BUILD / "cmd/casemate-p11d/casemate-p11d", MODULE, pin, folder / "first",
                   folder / "second", *more)
    *slices, plan = map(json.loads, text.splitlines())
    return {"slices": slices, **plan}


def failover(folder):
    """The same clients, with nobody killed, before and after: the machine may change."""
    before = failover_run(folder / "before", "control")
    got = failover_run(folder / "killed")
    after = failover_run(folder / "after", "control")
    return {"failover": {**got, **judged(got, [before, after])}}


def judged(got, controls):
    """The rule is on the page, above the figures. The first period of a run is the threads'
    start."""
    normal = [p for c in controls for p in c["periods_us"][1:]]
    first, last = got["kill_ms"] // got["period_ms"], got["back_ms"] // got["period_ms"]
    after = got["periods_us"][first:last]
    again = next((i for i, (p, rest) in enumerate(zip(after, got["rest_us"]))
                  if p <= max(normal) and rest <= max(normal)), None)
    return {"lost": sum(s["lost"] for s in got["slices"]),
            "answered": sum(s["answered"] for s in got["slices"]), "normal_us": normal,
            "after_us": after, "again_period": again}


def failover_text(f):
    again, normal, after = f["again_period"], sorted(f["normal_us"]), f["after_us"]
    met = "met" if f["lost"] == 0 and again is not None and again < 2 else "**missed**"
    return ["## One of two devices is lost", "",
            f"100 clients unwrap a seed every 20 ms, through two tokens of equal weight. After "
            f"{f['kill_ms'] / 1000:.0f} s the first's process is killed and cannot be started; "
            f"after {f['back_ms'] / 1000:.0f} s it can. Health is checked every "
            f"{f['period_ms'] / 1000:.0f} s here (30 s by default), and a device that came back "
            f"takes its share within {f['ramp_ms'] / 1000:.0f} s (60 s).", "",
            f"The rule: p99 is taken over whole health periods, of about "
            f"{f['answered'] * f['period_ms'] // (250 * len(f['slices'])):,} calls each. Normal is "
            "at most the highest of two control runs, the same clients and devices with nobody "
            "killed, one before and one after. p99 is normal again with the first period that is "
            "within that, if all calls from there on until the device may come back, taken "
            "together, are so as well.", "",
            "| acknowledged and lost | answered | p99 of the controls' periods: median, highest | "
            "p99 of the periods after the kill | normal again | target | |",
            "|---|---|---|---|---|---|---|",
            f"| {f['lost']} | {f['answered']:,} | {normal[len(normal) // 2] / 1000:.2f}, "
            f"{normal[-1] / 1000:.2f} ms | "
            + ", ".join(f"{p / 1000:.2f}" for p in after) + " ms | "
            + ("not before the device was back |" if again is None else
               f"in period {again + 1} |")
            + f" none lost; within 2 periods | {met} |", "",
            "![who answered, and how fast](bench/hsm-failover.svg)"]


def failover_plot(f):
    slices, width, height = f["slices"], 760, 180
    most = 4 * max(max(s["first"], s["second"]) for s in slices)
    slow = max(s["p99_us"] for s in slices[2:])

    def line(field, top, color, scale=1):
        points = " ".join(f"{60 + width * i / (len(slices) - 1):.1f},"
                          f"{40 + height - height * min(1, scale * s[field] / top):.1f}"
                          for i, s in enumerate(slices))
        return f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="2"/>'

    def mark(ms, text):
        x = 60 + width * ms / slices[-1]["ms"]
        return (f'<path d="M{x:.1f},40V{40 + height}" stroke="#bbb" stroke-dasharray="4"/>'
                f'<text x="{x + 4:.1f}" y="{52 + height}" fill="#666">{text}</text>')

    names = [("#06c", f"first, up to {most:,} answers/s"), ("#c60", "second"),
             ("#999", f"p99, up to {slow / 1000:.1f} ms")]
    legend = "".join(f'<text x="{60 + 250 * i}" y="24" fill="{c}">{n}</text>'
                     for i, (c, n) in enumerate(names))
    return ('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 860 250" font-family="sans-serif" '
            f'font-size="12">\n<rect width="860" height="250" fill="#fff"/>\n{legend}\n'
            f'<path d="M60,40V{40 + height}H{60 + width}" fill="none" stroke="#888"/>\n'
            + mark(f["kill_ms"], "killed") + mark(f["back_ms"], "back") + "\n"
            + line("p99_us", slow, "#999") + line("second", most, "#c60", 4)
            + line("first", most, "#06c", 4) + "\n</svg>\n")


# ---- the page --------------------------------------------------------------------------------


def row(r, what, ours, beside, target):
    a, b = r[ours], r[beside]
    wall, cpu = a["per_second"] / b["per_second"], b["cpu_us"] / a["cpu_us"]
    met = "met" if min(wall, cpu) >= target else \
        "**missed**" if max(wall, cpu) < target else "**wall alone**" if wall >= target else \
        "**processor alone**"
    return (f"| {what} | {a['per_second']:,.0f}/s, {a['cpu_us']:,.0f} µs | "
            f"{b['per_second']:,.0f}/s, {b['cpu_us']:,.0f} µs | {wall:.2f} | {cpu:.2f} | "
            f"≥ {target} | {met} |")


def page(r):
    m, got = r["machine"], r["results"]
    out = ["# Keys in a token, measured", "",
           f"Written by `./do bench hsm` on {m['when']}; all figures: "
           "[hsm.json](bench/hsm.json).", "",
           f"**Machine**: {m['cpu']}, {m['cores']} cores, {m['memory_gib']} GiB, Linux "
           f"{m['kernel']}, {m['system']}; {m['openssl']}; {m['casemate']}; SoftHSM2. Load when it "
           f"began: {', '.join(map(str, m['load']))}.", "",
           f"**How**: {r['seconds']} s each; everything that takes part runs on these processors "
           "and its time is counted, in microseconds for one operation. The token is asked by as "
           "many threads as there are processors, each with a session (directly) or a connection "
           "(through casemate-p11d, sandboxed).", "",
           "| job | ours | beside | ratio: wall | ratio: processor | target | |",
           "|---|---|---|---|---|---|---|",
           row(got, "P-256 sign through p11d, one a request, beside C_Sign", "P-256, p11d",
               "P-256, direct", 0.8),
           row(got, "P-256 sign through p11d, batched, beside C_Sign", "P-256, p11d batched",
               "P-256, direct", 0.8),
           row(got, f"P-256 sign by a key server with a key in a tenant's token, requests of "
               f"{BATCH}, whole, beside C_Sign", "P-256, native", "P-256, direct", 0.8)]
    for name in ("unwrap, p11d", "unwrap, p11d batched"):
        if name in got:
            out.append(row(got, f"{name.replace(', ', ' of a seed, ')}, beside C_Decrypt", name,
                           "unwrap, direct", 0.8))
    out += [row(got, "secp256k1 sign by a key server whose root is in the token, whole request, "
                "beside C_Sign", "secp256k1, served", "secp256k1, direct", 5),
            row(got, f"ML-DSA-65 sign by libcasemate-pkcs11.so, {THREADS} threads, beside "
                f"{THREADS} connections to the API", "ML-DSA-65, module", "ML-DSA-65, API", 0.8)]
    out += [""] + failover_text(got["failover"])
    return "\n".join(out) + "\n"


def main():
    with tempfile.TemporaryDirectory() as tmp:
        results = {"machine": kms_report.machine(kms.OPENSSL), "seconds": kms.SECONDS,
                   "results": {}}
        for work in (device, native, served, failover):
            folder = pathlib.Path(tmp) / work.__name__
            folder.mkdir()
            results["results"].update(work(folder))
    (kms.DOCS / "bench").mkdir(parents=True, exist_ok=True)
    (kms.DOCS / "bench/hsm.json").write_text(json.dumps(results, indent=1) + "\n")
    (kms.DOCS / "bench/hsm-failover.svg").write_text(
        failover_plot(results["results"]["failover"]))
    text, notes = page(results), kms.DOCS / "bench/hsm-notes.md"
    if notes.exists():
        text += "\n" + notes.read_text()
    (kms.DOCS / "bench-hsm.md").write_text(text)


if __name__ == "__main__":
    main()
