#!/usr/bin/env python3
"""report.py WORK DOCS: what run.sh measured as DOCS/bench.md, plots and DOCS/bench/results.json."""
import datetime
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys

SEAL, OPEN = "casemate seal, 2 threads", "casemate open, 2 threads"
SEAL1, OPEN1 = "casemate seal, 1 thread", "casemate open, 1 thread"


def lines(path):
    return [json.loads(x) for x in path.read_text().splitlines()]


def load(work):
    return {
        "machine": machine(work),
        "seal": json.loads((work / "seal.json").read_text()),
        "body": lines(work / "body.json"),
        "tensor": json.loads((work / "tensor.json").read_text()),
        "limits": json.loads((work / "limits.json").read_text()),
        "primitives": lines(work / "primitives.json"),
        "hash": lines(work / "hash.json"),
    }


def machine(work):
    info = pathlib.Path("/proc/cpuinfo").read_text()
    first = {k.strip(): v.strip() for k, _, v in (x.partition(":") for x in
                                                  info.split("\n\n")[0].splitlines())}
    memory = pathlib.Path("/proc/meminfo").read_text().split()[1]
    fs = subprocess.run(["findmnt", "-no", "FSTYPE", "-T", str(work)], capture_output=True,
                        text=True, check=True).stdout.strip()
    release = platform.freedesktop_os_release()["PRETTY_NAME"]
    flags = [x for x in ("avx2", "avx512f", "vaes", "sha_ni") if x in first.get("flags", "").split()]
    return {"cpu": first.get("model name", platform.machine()), "cores": os.cpu_count(),
            "flags": flags, "memory_gib": round(int(memory) / 1048576, 1),
            "virtual": "hypervisor" in first.get("flags", ""), "file_system": fs,
            "kernel": platform.release(), "system": release,
            "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
            "uptime": (work / "uptime").read_text().strip()}


def least(samples, key):
    return min(x[key] for x in samples)


def middle(samples, key):
    return statistics.median(x[key] for x in samples)


def table(head, rows):
    out = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(out + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"


# ---- targets

class Targets:
    def __init__(self):
        self.rows = []

    def add(self, what, value, limit, minima=None):
        worse = value if minima is None else max(value, minima)
        verdict = "met" if worse <= limit else "**missed**"
        self.rows.append([what, f"{value:.2f}", "" if minima is None else f"{minima:.2f}",
                          f"≤ {limit:g}", verdict])

    def ratio(self, what, ours, peer, key, limit):
        self.add(what, middle(ours, key) / middle(peer, key), limit,
                 least(ours, key) / least(peer, key))


def targets(r):
    t, warm = Targets(), r["seal"]["warm"]
    for state in ("warm", "cold"):
        s = r["seal"][state]
        for name in (SEAL, OPEN):
            t.ratio(f"{name}: wall beside cp with fsync, {state}", s[name], s["cp"], "wall", 1.25)
    if "age encrypt" in warm:
        t.ratio("seal: CPU beside age, with root and signature", warm[SEAL], warm["age encrypt"],
                "cpu", 0.6)
        t.ratio("open and verify: CPU beside age", warm[OPEN], warm["age decrypt"], "cpu", 0.4)
        for job, peer, limit in (("seal", "age encrypt", 0.4), ("open", "age decrypt", 0.2)):
            bare = next(b for b in r["body"] if b["job"] == f"{job} file to file" and not b["root"]
                        and b["threads"] == 2)
            t.add(f"{job} without the root (bench only): CPU beside age",
                  bare["cpu_median"] / middle(warm[peer], "cpu"), limit,
                  bare["cpu_min"] / least(warm[peer], "cpu"))
    for state in ("warm", "cold"):
        x = r["tensor"][state]
        t.add(f"one tensor of {x['bytes'] >> 20} MiB: time beside reading the plain file, {state}",
              x["sealed_median"] / x["plain_median"], 3, x["sealed_min"] / x["plain_min"])
    first = r["tensor"]["first_byte"]
    t.add("first byte, warm: 100 GiB beside 1 GiB",
          first[2]["warm_median"] / first[0]["warm_median"], 1.25,
          first[2]["warm_min"] / first[0]["warm_min"])
    worst = max((p["overhead_median_percent"], p["operation"]) for p in r["primitives"]
                if "ML-DSA-65 sign" != p["operation"])
    t.add(f"primitives: largest overhead over the raw call, % ({worst[1]})", worst[0], 3)
    return t.rows


# ---- sections

def job_rows(r, state):
    s = r["seal"][state]
    cp, rows = middle(s["cp"], "wall"), []
    for name, x in s.items():
        age = s.get("age decrypt" if "open" in name or "decrypt" in name or "-d" in name
                    else "age encrypt")
        cpu = f"{middle(x, 'cpu') / middle(age, 'cpu'):.2f}" if age and name != "cp" else ""
        peak = r["seal"]["peak_kib"].get(name)
        rows.append([name, f"{least(x, 'wall'):.2f}", f"{middle(x, 'wall'):.2f}",
                     f"{middle(x, 'wall') / cp:.2f}", f"{middle(x, 'user'):.2f}",
                     f"{middle(x, 'sys'):.2f}", f"{least(x, 'cpu'):.2f}", f"{middle(x, 'cpu'):.2f}",
                     cpu, f"{peak / 1024:.0f}" if peak else "", str(len(x))])
    return rows


JOB_HEAD = ["program", "wall min s", "wall median s", "× cp", "user s", "sys s", "CPU min s",
            "CPU median s", "× age (CPU)", "peak MiB", "runs"]


def limit_rows(r):
    m, gb = r["limits"], r["seal"]["size"] / 1e9
    seal, opened = (middle(r["seal"]["warm"][x], "wall") for x in (SEAL, OPEN))
    cpu = middle(r["seal"]["warm"][SEAL], "cpu")
    m["both_2"] = 1 / (1 / m["gcm_2"] + 1 / m["sha256_2"])
    bounds = [("memory, read, 2 threads", "read_2"), ("memory, copy, 2 threads", "copy_2"),
              ("AES-256-GCM, 1 core", "gcm_1"), ("AES-256-GCM, 2 cores", "gcm_2"),
              ("SHA-256 leaves, 1 core", "sha256_1"),
              ("SHA-256 leaves, 2 cores", "sha256_2"),
              ("AES-256-GCM and SHA-256 leaves, 2 cores", "both_2"),
              ("disk, write past the cache and fsync, 1 thread", "disk_direct_write_fsync_1"),
              ("disk, the same, 2 threads", "disk_direct_write_fsync_2"),
              ("disk, write through the cache and fsync", "disk_buffered_write_fsync"),
              ("disk, read past the cache, 2 threads", "disk_direct_read_2")]
    rows = []
    for name, key in bounds:
        floor = gb / m[key]
        rows.append([name, f"{m[key]:.2f}", f"{floor:.2f}", f"{seal / floor:.1f}",
                     f"{opened / floor:.1f}"])
    # One write of the disk is enough to bound us, whichever way it goes.
    return rows, (cpu, max(bounds[:-2], key=lambda b: gb / m[b[1]])[0])


def body_rows(r):
    rows = []
    for b in r["body"]:
        if b["root"]:
            bare = next(x for x in r["body"] if x["job"] == b["job"] and not x["root"] and
                        x["threads"] == b["threads"])
            rows.append([b["job"], str(b["threads"]), f"{bare['cpu_median']:.2f}",
                         f"{b['cpu_median']:.2f}", f"{b['cpu_median'] / bare['cpu_median']:.2f}",
                         f"{bare['wall_median']:.2f}", f"{b['wall_median']:.2f}"])
    return rows


def misses(r, rows):
    """Why a target is missed, where one is."""
    text, missed = [], " ".join(row[0] for row in rows if "missed" in row[4])
    warm = r["seal"]["warm"]
    if "beside age" in missed:
        bare, root = (next(b["cpu_min"] for b in r["body"] if b["job"] == "seal in memory" and
                           b["root"] == x and b["threads"] == 1) for x in (False, True))
        text.append(
            f"age's ChaCha20-Poly1305 takes {middle(warm['age encrypt'], 'user'):.2f} s of user "
            f"time to encrypt, and {middle(warm['age encrypt'], 'sys'):.2f} s go to the kernel for "
            "copying in and out. Ours is "
            f"{middle(warm[SEAL], 'user'):.2f} s, of which SHA-256 of the leaves takes "
            f"{root - bare:.2f} s at the speed of the "
            "processor's SHA instructions and AES-256-GCM "
            f"{bare:.2f} s; the "
            f"{middle(warm[SEAL], 'sys'):.2f} s of the kernel are mostly the copy out of the page "
            "cache. Mapping the input would save that copy, but a file that shrinks meanwhile "
            "would end the process. A cheaper tree would need another hash, and the digest of a "
            "model is SHA-256 so that everyone can check it. Without the root, what is left is "
            "input and output, which age does as well.")
    if "one tensor" in missed:
        text.append("A tensor's time includes the public-key work of opening the container, the "
                    "check of its two signatures, and hashing and decrypting whole segments of "
                    "1 MiB, while the plain read is one copy out of memory.")
    if "wall beside cp" in missed:
        text.append("cp needs next to no processor, so that its copy and the disk overlap; ours "
                    "waits for the disk with one segment a thread, and on a busy machine for the "
                    "processor too.")
    if "primitives" in missed:
        text.append("An overhead of some percent on calls of 30 µs is the cost of fetching keys "
                    "and checking arguments.")
    return "\n\n".join(text)


def page(r):
    m, s = r["machine"], r["seal"]
    gib = s["size"] / (1 << 30)
    rows, (limits, (cpu, nearest)) = targets(r), limit_rows(r)
    x = r["tensor"]
    runs = f"{len(s['warm']['cp'])} warm, {len(s['cold']['cp'])} cold"
    busy = ("; **the machine was busy with other work**, so that seconds are inflated, ratios rough"
            if s["load_before"] > m["cores"] / 2 else "")
    out = [f"""# Measurements

Written by `./do bench` on {m['date']}; all figures: [results.json](bench/results.json). Run it on your machine: ratios travel, seconds do not.

**Machine**: {m['cpu']}, {m['cores']} cores ({', '.join(m['flags'])}){', virtual' if m['virtual'] else ''}, {m['memory_gib']} GiB, {m['file_system']}, Linux {m['kernel']}, {m['system']}. Load when it began: {m['uptime'].split('load average: ')[-1]}.

**Programs**: """ + "; ".join(f"{k}: {v}" for k, v in s["versions"].items()) + f""".

**How**: one safetensors model of {gib:g} GiB of random weights. Every round runs every program once, so that all meet the same neighbours; medians and minima of the rounds ({runs} here{busy}). Time runs until the output is on the disk: casemate does that itself, after the others `sync FILE` runs and is counted. Warm: the input was read into the page cache just before. Cold: its pages were dropped by `posix_fadvise`. Before each run the old output is removed and the disk settled. Everything opened is compared with the model.

## Targets
""", table(["what", "medians", "minima", "target", "by the worse"], rows), misses(r, rows), f"""
## Sealing and opening {gib:g} GiB
![wall and CPU time](bench/seal.svg)

Sealing includes the Merkle tree over all bytes, encryption to an X-Wing recipient and signatures by ML-DSA-65 and Ed25519; opening verifies all of that. age authenticates with ChaCha20-Poly1305 and signs nothing; `openssl enc` authenticates nothing. Programs that make a file leave it in the page cache; casemate writes files of 32 MiB and more past it, which saves the copy and does not push other data out, but the next reader fetches it from the disk.

Page cache warm:
""", table(JOB_HEAD, job_rows(r, "warm")), "Page cache cold:\n", table(JOB_HEAD, job_rows(r, "cold")),
           """
## What the root costs
The product can't leave the Merkle root out: it is what the publisher signs. `bench/body.c` runs the same production line with it and without.
""", table(["job", "threads", "CPU s without", "CPU s with", "×", "wall s without", "wall s with"],
           body_rows(r)), f"""
## How far from the machine's limits
Measured in the same run; GB/s of 10⁹. *floor* is what {gib:g} GiB would take if nothing else were to be done, then how many times that our sealing and opening (2 threads, warm) take. The nearest bound of sealing is *{nearest}*; of {middle(s['warm'][SEAL], 'wall') * m['cores']:.1f} core seconds that sealing lasts it uses {cpu:.1f}.
""", table(["limit", "GB/s", "floor s", "seal ×", "open ×"], limits), f"""
## One tensor
{x['warm']['bytes'] >> 20} MiB out of {gib:g} GiB, in process: from the descriptor of the container over signature, key and index to the verified bytes, beside `pread` of the same bytes of the plain model. {x['warm']['segments']} segments were decrypted; the tensor touches {x['warm']['touched']}.
""", table(["page cache", "plain read ms", "until unlocked ms", "tensor ms", "×"],
           [[k, f"{x[k]['plain_median']:.2f}", f"{x[k]['unlock_median']:.2f}",
             f"{x[k]['sealed_median']:.2f}", f"{x[k]['sealed_median'] / x[k]['plain_median']:.1f}"]
            for k in ("warm", "cold")]), """
The same by programs, start of the process included: `casemate cat --tensor` and `dd`.
""", table(["page cache", "dd ms", "casemate cat ms"],
           [[k] + [f"{1e3 * statistics.median(s['tensor'][k][j]):.1f}" for j in ("dd", "cat")]
            for k in ("warm", "cold")]), """
## Time to the first byte
![time to the first byte over size](bench/first-byte.svg)

From the descriptor to one verified byte in the middle. These models are all zeros, and of their containers' bodies only the touched segment exists, the rest are holes: all full segments having one node, `bench/tensor.c` can lay out header, tree, index, manifest and signature in full, through the library's own functions, where the disk could not hold the body. The reader is the product's and can't tell.
""", table(["model", "container", "on disk", "cold ms", "warm ms"],
           [[f"{f['gib']} GiB", f"{f['container_bytes'] / 1e9:.1f} GB",
             f"{f['disk_bytes'] / 1e6:.1f} MB", f"{f['cold_median']:.2f}", f"{f['warm_median']:.2f}"]
            for f in x["first_byte"]]), """
## Primitives over the raw call
`bench/primitives.c`: the cheapest way a program could call the provider, beside our facade over it, alternating over the same messages; thread CPU, µs. ML-DSA signs until a candidate passes, so that two runs differ by luck: the row with the same coins is the one that compares.
""", table(["operation", "raw min", "raw median", "ours min", "ours median", "overhead %",
            "median %"],
           [[p["operation"]] + [f"{p[k]:.2f}" for k in ("raw_us", "raw_median_us", "ours_us",
                                                        "ours_median_us", "overhead_percent",
                                                        "overhead_median_percent")]
            for p in r["primitives"]]), """
## Hash kernels
`bench/hash.c`: sixteen leaves of 64 KiB at a time, beside OpenSSL's single stream.
""", table(["hash", "from", "kernel", "GB/s best", "GB/s median", "cycles a byte", "× OpenSSL"],
           [[h["hash"], h["from"], h["kernel"], f"{h['gbps_best']:.2f}", f"{h['gbps_median']:.2f}",
             f"{h['cycles_per_byte']:.2f}", f"{h['times_openssl']:.2f}"] for h in r["hash"]])]
    return "\n".join(out).rstrip() + "\n"


# ---- plots

INK, MUTED, OURS, PEER = "#222", "#777", "#2563a8", "#b9bfc6"


def svg(width, height, parts):
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            'font-family="sans-serif" font-size="13">\n'
            f'<rect width="{width}" height="{height}" fill="#fff"/>\n' + "\n".join(parts) +
            "\n</svg>\n")


def label(x, y, text, anchor="start", fill=INK, weight="normal"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{fill}" '
            f'font-weight="{weight}">{text}</text>')


def bars(title, rows, x, top, scale):
    parts = [label(x, top, title, weight="bold")]
    for i, (name, value) in enumerate(rows):
        y = top + 14 + 22 * i
        parts.append(f'<rect x="{x}" y="{y}" width="{value * scale:.1f}" height="15" '
                     f'fill="{OURS if "casemate" in name else PEER}"/>')
        parts.append(label(x + value * scale + 5, y + 12, f"{value:.2f}", fill=MUTED))
    return parts


def seal_plot(r):
    s, names = r["seal"]["warm"], list(r["seal"]["warm"])
    wall = [(n, middle(s[n], "wall")) for n in names]
    cpu = [(n, middle(s[n], "cpu")) for n in names]
    scale = 270 / max(v for _, v in wall + cpu)
    height = 60 + 22 * len(names)
    parts = [label(190, 45 + 22 * i + 12 + 1, n, "end") for i, n in enumerate(names)]
    parts += bars(f"wall until on disk, s ({r['seal']['size'] >> 20} MiB, warm)", wall, 200, 32, scale)
    parts += bars("CPU, user and system, s", cpu, 530, 32, scale)
    return svg(860, height, parts)


def first_plot(r):
    points = r["tensor"]["first_byte"]
    most = 1.2 * max(p["cold_median"] for p in points)
    xs = [80 + 150 * i for i in range(len(points))]
    parts = [label(80, 24, "time to the first verified byte, ms", weight="bold"),
             f'<path d="M60 40V240H{xs[-1] + 40}" fill="none" stroke="{MUTED}"/>']
    for tick in range(5):
        v = most * tick / 4
        parts.append(label(54, 244 - 200 * tick / 4, f"{v:.1f}", "end", MUTED))
    for key, colour, name in (("cold_median", PEER, "cold"), ("warm_median", OURS, "warm")):
        ys = [240 - 200 * p[key] / most for p in points]
        line = " ".join(f"{x},{y:.1f}" for x, y in zip(xs, ys))
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x}" cy="{y:.1f}" r="4" fill="{colour}"/>' for x, y in zip(xs, ys)]
        parts.append(label(xs[-1] + 12, ys[-1] + 4, name))
    parts += [label(x, 260, f"{p['gib']} GiB", "middle") for x, p in zip(xs, points)]
    return svg(xs[-1] + 80, 280, parts)


def main():
    work, docs = map(pathlib.Path, sys.argv[1:])
    r = load(work)
    (docs / "bench").mkdir(parents=True, exist_ok=True)
    (docs / "bench/results.json").write_text(json.dumps(r, indent=1) + "\n")
    (docs / "bench/seal.svg").write_text(seal_plot(r))
    (docs / "bench/first-byte.svg").write_text(first_plot(r))
    (docs / "bench.md").write_text(page(r))


main()
