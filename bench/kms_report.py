"""What kms.py measured as a page with targets, and a plot of how the server grows."""
import datetime
import json
import os
import pathlib
import platform
import subprocess

SIGN_DATA = 6  # field of SignRequest (docs/kms.proto)


def machine(openssl):
    cpu = next(x.split(":", 1)[1].strip() for x in open("/proc/cpuinfo") if "model name" in x)
    memory = int(pathlib.Path("/proc/meminfo").read_text().split()[1]) / 2**20

    def first(*argv):
        return subprocess.run([str(x) for x in argv], capture_output=True,
                              text=True).stdout.splitlines()[0]

    return {"when": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
            "cpu": cpu, "cores": os.cpu_count(), "memory_gib": round(memory, 1),
            "kernel": platform.release(),
            "system": platform.freedesktop_os_release()["PRETTY_NAME"],
            "openssl": first(openssl, "version"), "casemate": first("casemate", "version"),
            "load": [round(x, 2) for x in os.getloadavg()]}


# ---- the table -------------------------------------------------------------------------------


def row(what, ours, beside, ratio, target, met):
    return f"| {what} | {ours} | {beside} | {ratio} | {target} | {'met' if met else '**missed**'} |"


def ours_us(got):
    return sum(got["cpu_us"].values())


def over_raw(r, job, name):
    """Throughput beside what the machine's processors could do with OpenSSL alone, and what the
    server's own processes spend."""
    got, raw = r["loads"][name], r["raw_us"][job]
    peak = r["machine"]["cores"] * 1e6 / raw
    return row(f"{name}, whole request, at saturation", f"{got['per_second']:,.0f}/s",
               f"OpenSSL raw {peak:,.0f}/s on {r['machine']['cores']} cores",
               f"{got['per_second'] / peak:.2f}", "≥ 0.85", got["per_second"] >= 0.85 * peak)


def rate_and_cpu(got):
    return f"{got['per_second']:,.0f}/s, {got['cpu_us']:,.0f} µs"


def targets(r):
    loads, hands = r["loads"], r["handshakes"]
    encrypt, half = loads["encrypt"], loads["encrypt, half load"]
    idle, most = r["connections"][0][1], r["connections"][-1]
    out = ["| job | ours | beside | ratio | target | |", "|---|---|---|---|---|---|",
           row("AES-256-GCM 64 B encrypt, HTTP/2", f"{encrypt['per_second']:,.0f}/s", "", "",
               "≥ 20,000/s", encrypt["per_second"] >= 20000),
           row("the same at half that load, p99", f"{half['p99_ms']:.1f} ms", "", "", "≤ 10 ms",
               half["p99_ms"] <= 10)]
    for key, name in (("p256", "ECDSA P-256"), ("k1", "ECDSA secp256k1")):
        rate = loads[f"sign {key}, gRPC"]["per_second"]
        raw = r["raw_us"].get(f"sign {key}")
        out.append(row(f"{name} sign, gRPC", f"{rate:,.0f}/s",
                       f"raw {1e6 / raw:,.0f}/s a core" if raw else "",
                       f"{rate * raw / 1e6:.2f}" if raw else "", "≥ 10,000/s", rate >= 10000))
    out += [over_raw(r, x, x) for x in ("sign mldsa", "verify mldsa", "decapsulate kem")]
    out += [over_raw(r, "decapsulate kem", x) for x in loads if "batches" in x]
    for kind in ("full", "resumed"):
        a, b = hands[f"casemate {kind}"], hands[f"s_server {kind}"]
        out.append(row(f"handshakes, {kind}", rate_and_cpu(a), "s_server " + rate_and_cpu(b),
                       f"{a['per_second'] / b['per_second']:.2f}", "≥ 0.9",
                       a["per_second"] >= 0.9 * b["per_second"]))
    best = max(r["durable"], key=lambda x: x["sqlite"])
    out += [row(f"durable audited units, {best['group']} at once", f"{best['committer']:,.0f}/s",
                f"SQLite's group commit {best['sqlite']:,.0f}/s", f"{best['ratio']:.2f}", "≥ 0.5",
                best["ratio"] >= 0.5),
            row("unwrap a model's content key, p50", f"{r['unwrap']['p50_ms']:.2f} ms",
                f"fdatasync alone {r['fsync_ms']:.2f} ms", "", "≤ 1.5 ms",
                r["unwrap"]["p50_ms"] <= 1.5),
            row("idle server, kmsd and keyd", f"{idle:.0f} MiB", "", "", "≤ 32 MiB", idle <= 32),
            row(f"{most[0]:,} idle connections", f"{most[1]:.0f} MiB", "", "", "≤ 400 MiB",
                most[1] <= 400)]
    return out


def load_table(r):
    out = ["| request | a second | p50 ms | p99 ms | kmsd µs | keyd µs | OpenSSL raw µs | beyond raw |",
           "|---|---|---|---|---|---|---|---|"]
    for name, got in r["loads"].items():
        raw = r["raw_us"].get(name.split(",")[0])
        beyond = f"{100 * (ours_us(got) / raw - 1):+.0f} %" if raw else ""
        out.append(f"| {name} | {got['per_second']:,.0f} | {got['p50_ms']:.2f} | "
                   f"{got['p99_ms']:.2f} | {got['cpu_us']['kmsd']:.0f} | "
                   f"{got['cpu_us']['keyd']:.0f} | {f'{raw:.0f}' if raw else ''} | {beyond} |")
    return out


def key_table(r):
    out = ["| keys | made a second | database | bytes a key | page: start | middle | end | create "
           "| sign | server |", "|---|---|---|---|---|---|---|---|---|---|"]
    for k in r["keys"]:
        out.append(f"| {k['keys']:,} | {k['made_per_second']:,.0f} | {k['database_mib']:,.0f} MiB | "
                   f"{round(k['bytes_each']) if 'bytes_each' in k else ''} | {k['start']:.2f} ms | "
                   f"{k['middle']:.2f} ms | {k['end']:.2f} ms | {k['create']:.2f} ms | "
                   f"{k['sign']:.2f} ms | {k['rss']:.0f} MiB |")
    return out


# ---- the plot --------------------------------------------------------------------------------


def panel(x0, title, points, x_name, y_name):
    width, height, top = 190, 150, 40
    x_max, y_max = max(p[0] for p in points) or 1, 1.15 * max(p[1] for p in points) or 1

    def at(p):
        return x0 + width * p[0] / x_max, top + height - height * p[1] / y_max

    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in map(at, points))
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3"/>' for x, y in map(at, points))
    last = points[-1]
    return (f'<g><text x="{x0}" y="24" font-weight="bold">{title}</text>'
            f'<path d="M{x0},{top}V{top + height}H{x0 + width}" fill="none" stroke="#888"/>'
            f'<polyline points="{line}" fill="none" stroke="#06c" stroke-width="2"/>'
            f'<g fill="#06c">{dots}</g>'
            f'<text x="{x0 + width}" y="{top + height + 16}" text-anchor="end">{last[0]:,} {x_name}'
            f'</text><text x="{x0 + 4}" y="{top + 10}">{max(p[1] for p in points):,.0f} {y_name}'
            "</text></g>")


def plot(r):
    panels = [("Connections", [(n, m) for n, m in r["connections"]], "idle", "MiB"),
              ("Cores", [(0, 0)] + [tuple(p) for p in r["cores"]], "of the server", "encrypt/s"),
              ("Tenants", [(n, rate) for n, rate, _ in r["tenants"]], "", "encrypt/s"),
              ("Keys", [(k["keys"], k["end"]) for k in r["keys"]], "", "ms for the last page")]
    body = "\n".join(panel(20 + 230 * i, *p) for i, p in enumerate(panels))
    return ('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 940 220" font-family="sans-serif" '
            f'font-size="12">\n<rect width="940" height="220" fill="#fff"/>\n{body}\n</svg>\n')


# ---- the page --------------------------------------------------------------------------------


def page(r):
    m = r["machine"]
    per = (r["connections"][-1][1] - r["connections"][0][1]) * 1024 / r["connections"][-1][0]
    lines = ["# The key server, measured", "",
             f"Written by `./do bench kms` on {m['when']}; all figures: "
             "[kms.json](bench/kms.json).", "",
             f"**Machine**: {m['cpu']}, {m['cores']} cores, {m['memory_gib']} GiB, Linux "
             f"{m['kernel']}, {m['system']}; {m['openssl']}; {m['casemate']}. Load when it began: "
             f"{', '.join(map(str, m['load']))}.", "",
             "**How**: TLS 1.3 with X25519MLKEM768, authentication, policy, log and durability are "
             "on; h2load (8 connections, 32 streams each) runs on the same processors as the "
             f"server, {r['seconds']} s each.", "", "## Targets", "", *targets(r), "",
             "Handshakes are asked for by one serial client on the same processors "
             "(`bench/shake.c`), which checks the certificate, waits for the server's ticket and "
             "says whether the session was resumed; the microseconds are the server's own. "
             "Both servers send the same one certificate and one ticket; kmsd also asks for the "
             "client's certificate.", "",
             "A request over the API is not the operation alone: TLS, HTTP, decision, socket to "
             "keyd and a durable log leaf come on top, and the client takes its share of the same "
             "processors. The next table says what the server's own processes spend on a request, "
             "beside what OpenSSL needs for the operation. In the row with batches the rate and the "
             "microseconds are those of an item, the latency that of a whole request of many items, "
             "two on each connection.", "", "## Requests", "",
             *load_table(r), "", f"## Growth", "", "![growth](bench/kms-growth.svg)", "",
             f"An idle connection that has asked once takes {per:.0f} KiB. Keys: made by the "
             "calls of the server without its network (`bench/fill.c`); a page is 100 keys; least "
             "of five.", "", *key_table(r), "", "| tenants | encrypt/s of one | server |",
             "|---|---|---|"]
    lines += [f"| {n} | {rate:,.0f} | {mib:.0f} MiB |" for n, rate, mib in r["tenants"]]
    lines += ["", "| cores of the server | encrypt/s |", "|---|---|"]
    lines += [f"| {n} | {rate:,.0f} |" for n, rate in r["cores"]]
    return "\n".join(lines) + "\n"


def write(r, docs):
    (docs / "bench").mkdir(parents=True, exist_ok=True)
    (docs / "bench/kms.json").write_text(json.dumps(r, indent=1) + "\n")
    (docs / "bench/kms-growth.svg").write_text(plot(r))
    text = page(r)
    notes = docs / "bench/kms-notes.md"
    if notes.exists():
        text += "\n" + notes.read_text()
    (docs / "bench-kms.md").write_text(text)
