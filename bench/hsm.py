#!/usr/bin/env python3
"""hsm.py BUILD CLIENTS DOCS: keys of a token (SoftHSM2) through our processes beside the same
token asked directly, and our PKCS#11 module beside the key server's API, each pair in one run.
Writes DOCS/bench-hsm.md and DOCS/bench/hsm.json; below one minute with the defaults.

KMS_SECONDS  of each measurement (4)"""
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
    files.mkdir(exist_ok=True)
    pin.write_text(PIN + "\n")
    (folder / "conf").write_text(f"directories.tokendir = {files}\n")
    os.environ["SOFTHSM2_CONF"] = str(folder / "conf")
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
           row(got, "P-256 sign through p11d, beside C_Sign", "P-256, p11d", "P-256, direct", 0.8)]
    for name in ("unwrap, p11d", "unwrap, p11d batched"):
        if name in got:
            out.append(row(got, f"{name.replace(', ', ' of a seed, ')}, beside C_Decrypt", name,
                           "unwrap, direct", 0.8))
    out += [row(got, "secp256k1 sign by a key server whose root is in the token, whole request, "
                "beside C_Sign", "secp256k1, served", "secp256k1, direct", 5),
            row(got, f"ML-DSA-65 sign by libcasemate-pkcs11.so, {THREADS} threads, beside "
                f"{THREADS} connections to the API", "ML-DSA-65, module", "ML-DSA-65, API", 0.8)]
    return "\n".join(out) + "\n"


def main():
    with tempfile.TemporaryDirectory() as tmp:
        results = {"machine": kms_report.machine(kms.OPENSSL), "seconds": kms.SECONDS,
                   "results": {}}
        for work in (device, served):
            folder = pathlib.Path(tmp) / work.__name__
            folder.mkdir()
            results["results"].update(work(folder))
    (kms.DOCS / "bench").mkdir(parents=True, exist_ok=True)
    (kms.DOCS / "bench/hsm.json").write_text(json.dumps(results, indent=1) + "\n")
    text, notes = page(results), kms.DOCS / "bench/hsm-notes.md"
    if notes.exists():
        text += "\n" + notes.read_text()
    (kms.DOCS / "bench-hsm.md").write_text(text)


if __name__ == "__main__":
    main()
