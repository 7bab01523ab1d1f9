"""What hsm.py measured as a page with targets, and a plot of devices lost."""
import math
import statistics

DOWN, MET = "**missed**", "met"
QUIET = 20  # normal is at most this part of a health period


def middle(slices, i):
    return statistics.median(s[i] for s in slices)


# ---- the table -------------------------------------------------------------------------------

# Job, what stands beside it, row of the results, what is wanted.
ROWS = [
    ("P-256 sign through casemate-keyd and p11d, {flight} requests in flight", "C_Sign",
     "P-256, waiting together", 0.8),
    ("the same, one in flight for each processor", "C_Sign", "P-256, one a processor", None),
    ("P-256 sign through keyd's client of p11d, one at a time", "C_Sign",
     "P-256, one at a time", 0.8),
    ("the same, lists of 64", "C_Sign", "P-256, lists", None),
    ("P-256 sign by a key server with a key in a tenant's token, requests of {batch}, whole",
     "C_Sign", "P-256, native", None),
    ("unwrap of a seed through keyd's client of p11d, lists of 64", "C_Decrypt",
     "unwrap, lists", 0.8),
    ("the same, one at a time", "C_Decrypt", "unwrap, one at a time", None),
    ("secp256k1 sign by a key server whose root is in a token, each its own gRPC request, whole",
     "C_Sign", "secp256k1, one a request", 5),
    ("the same, requests of {batch}", "C_Sign", "secp256k1, batches", 5),
    ("ML-DSA-65 sign by libcasemate-pkcs11.so, {threads} threads",
     "{threads} connections to the API:", "ML-DSA-65, module", 0.8),
]


def ratio(q):
    return f"{q[1]:.2f} ({q[0]:.2f} to {q[2]:.2f})"


def verdict(wall, processor, target):
    if target is None:
        return "| |"
    met = MET if min(wall, processor) >= target else \
        DOWN if max(wall, processor) < target else \
        "**wall alone**" if wall >= target else "**processor alone**"
    return f"| ≥ {target} | {met} |"


def side(slices):
    return f"{middle(slices, 0):,.0f}/s, {middle(slices, 1):,.0f} µs"


def table(r):
    out = ["| job | ours | beside | ratio: wall | ratio: processor | target | |",
           "|---|---|---|---|---|---|---|"]
    for job, beside, name, target in ROWS:
        got = r["results"][name]
        out.append(f"| {job.format(**r)} | {side(got['ours'])} | {beside.format(**r)} "
                   f"{side(got['beside'])} | {ratio(got['wall'])} | {ratio(got['processor'])} "
                   + verdict(got["wall"][1], got["processor"][1], target))
    return out


def noise(r):
    slices = [s for _, _, name, _ in ROWS for s in
              r["results"][name]["ours"] + r["results"][name]["beside"]]
    others, host = sorted(s[2] for s in slices), sorted(s[3] for s in slices)
    spread = []
    for _, _, name, _ in ROWS:
        q = statistics.quantiles([s[0] for s in r["results"][name]["beside"]], n=4,
                                 method="inclusive")
        spread.append((q[2] - q[0]) / q[1])
    tenth = -(len(slices) // 10) - 1
    return (f"**Noise**: other programs had {100 * statistics.median(others):.0f} % of the "
            f"processors in the median slice and {100 * others[tenth]:.0f} % or more in a tenth "
            f"of them; the host took {100 * statistics.median(host):.0f} % and "
            f"{100 * host[tenth]:.0f} %. What stands beside ours is the same work in each slice of "
            f"a row: half of its slices were within {100 * statistics.median(spread):.0f} % of "
            f"each other in the median row, {100 * max(spread):.0f} % in the worst.")


# ---- failover --------------------------------------------------------------------------------


def limit(normal):
    """The rule is on the page."""
    normal = sorted(normal)
    return normal[math.ceil(0.9 * len(normal)) - 1]


def ms(us):
    return f"{us / 1000:.2f}"


def failover_rule(f):
    calls = f["answered"] * f["period_ms"] // (250 * len(f["slices"]))
    return (f"The rule: p99 is taken over whole health periods, of about {calls:,} calls each; "
            "those after a kill begin with it. What falls due while a client waits for an answer "
            "counts as a call that took until then. Normal is what nine in ten periods keep to of "
            "two control runs, one before and one after, in which the same clients have from the "
            "start what is left here after a kill, the second device; neither a neighbour's "
            "hiccup there nor one here decides. After a kill, p99 is normal again with the first "
            "period that is so, if the median of the periods from there on until the device may "
            "come back is so as well. The target is met if no call was lost in the whole run and "
            "p99 was normal again within two periods after at least four of five kills; if normal "
            f"is above a {QUIET}th of a period, the machine was too busy to tell, and it is "
            "missed. For comparison, the same rule with the periods in which both devices serve, "
            "of two such runs and the two before each kill: that half of the devices is gone "
            "counts there as well.")


def soon(f, name):
    return sum(k["again"][name] is not None and k["again"][name] <= 2 for k in f["kills"])


def failover_row(f, name, what, target):
    normal, kills = f["normal_us"][name], f["kills"]
    middle_kill = statistics.median(k["again"][name] or math.inf for k in kills)
    busy = 1000 * f["period_ms"] < QUIET * f["limit_us"][name]
    met = "**missed**: too busy" if busy else \
        MET if f["lost"] == 0 and soon(f, name) >= 0.8 * len(kills) else DOWN
    return (f"| {what} | {ms(statistics.median(normal))}, {ms(f['limit_us'][name])}, "
            f"{ms(max(normal))} ms | after {soon(f, name)} of {len(kills)} kills | "
            + ("not before the device was back" if middle_kill == math.inf else
               f"period {middle_kill:.0f}")
            + (f" | none lost; 4 of 5 within 2 | {met} |" if target else " | | |"))


def failover_text(f):
    rows = [f"| {k['ms'] / 1000:.0f} s | " + ", ".join(map(ms, k["after_us"])) + " ms | "
            + ("no |" if k["again"]["alone"] is None else f"period {k['again']['alone']} |")
            for k in f["kills"]]
    return ["## One of two devices is lost", "",
            "100 clients unwrap a seed every 20 ms, each at its own time, through two tokens of "
            f"equal weight. {len(f['kills'])} times the first's process is killed and cannot be "
            f"started for {len(f['kills'][0]['after_us'])} health periods. Health is checked every "
            f"{f['period_ms'] / 1000:.0f} s here (30 s by default), and a device that came back "
            f"takes its share within {f['ramp_ms'] / 1000:.0f} s (60 s).", "",
            failover_rule(f), "",
            f"Acknowledged and lost: {f['lost']} of {f['answered']:,}.", "",
            "| normal are periods of | their p99: median, nine in ten within, highest | normal "
            "again within 2 periods | in the median | target | |", "|---|---|---|---|---|---|",
            failover_row(f, "alone", "one device alone", True),
            failover_row(f, "both", "both", False), "",
            "| killed at | p99 of the periods after it | normal again |", "|---|---|---|", *rows,
            "", "![who answered, and how fast](bench/hsm-failover.svg)"]


def failover_plot(f):
    slices, width, height = f["slices"], 760, 180
    most = 4 * max(max(s["first"], s["second"]) for s in slices)
    slow = max(s["p99_us"] for s in slices[2:])

    def line(field, top, color, scale=1):
        points = " ".join(f"{60 + width * i / (len(slices) - 1):.1f},"
                          f"{40 + height - height * min(1, scale * s[field] / top):.1f}"
                          for i, s in enumerate(slices))
        return f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="2"/>'

    def mark(at, text):
        x = 60 + width * at / slices[-1]["ms"]
        return (f'<path d="M{x:.1f},40V{40 + height}" stroke="#bbb" stroke-dasharray="4"/>'
                f'<text x="{x + 4:.1f}" y="{52 + height}" fill="#666">{text}</text>')

    names = [("#06c", f"first, up to {most:,} answers/s"), ("#c60", "second"),
             ("#999", f"p99, up to {slow / 1000:.1f} ms")]
    legend = "".join(f'<text x="{60 + 250 * i}" y="24" fill="{c}">{n}</text>'
                     for i, (c, n) in enumerate(names))
    marks = "".join(mark(k["ms"], "killed") + mark(k["back_ms"], "back") for k in f["kills"])
    return ('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 860 250" font-family="sans-serif" '
            f'font-size="12">\n<rect width="860" height="250" fill="#fff"/>\n{legend}\n'
            f'<path d="M60,40V{40 + height}H{60 + width}" fill="none" stroke="#888"/>\n'
            + marks + "\n" + line("p99_us", slow, "#999") + line("second", most, "#c60", 4)
            + line("first", most, "#06c", 4) + "\n</svg>\n")


# ---- the page --------------------------------------------------------------------------------


def how(r):
    return (f"**How**: both sides of a row are measured in turn, in slices of {r['slice_ms']} ms, "
            f"{r['pairs']} of each, the first side changing; one of each before them does not "
            "count. Programs, sessions and connections stay open. A slice begins with nothing in "
            "flight and ends when all that was asked is answered. Everything that takes part runs "
            "on these processors, and the processor's time of all processes that take part is "
            "counted, in microseconds for one operation. A ratio is the median over the pairs of "
            "slices that are side by side, with its quartiles; rates and times are medians. The "
            "token is asked by as many threads as there are processors, each with a session "
            "(directly) or a connection (through casemate-p11d, sandboxed); keyd is asked over one "
            f"connection, the server over 8 with 32 requests each, or 4 with 2 of {r['batch']} "
            "signatures each, by `bench/load.c` (TLS 1.3, X25519MLKEM768, HTTP/2). The whole took "
            f"{r['seconds']} s.")


def page(r):
    m = r["machine"]
    out = ["# Keys in a token, measured", "",
           f"Written by `./do bench hsm` on {m['when']}; all slices: "
           "[hsm.json](bench/hsm.json).", "",
           f"**Machine**: {m['cpu']}, {m['cores']} cores, {m['memory_gib']} GiB, Linux "
           f"{m['kernel']}, {m['system']}; {m['openssl']}; {m['casemate']}; SoftHSM2. Load when it "
           f"began: {', '.join(map(str, m['load']))}.", "", how(r), "", noise(r), "", *table(r), ""]
    return "\n".join(out + failover_text(r["results"]["failover"])) + "\n"
