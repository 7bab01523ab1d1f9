#!/usr/bin/env python3
"""tally.py BUILD RESULTS LOG: count the tests of one meson run.

A cmocka program counts as many tests as it ran, a script as many as it printed `ok`/`not ok` lines,
anything else as one. Appends `pass|fail|skip NAME` lines to RESULTS and prints a line per suite;
prints the output of what failed.
"""
import collections
import json
import re
import sys

CMOCKA = {
    "pass": re.compile(r"^\[\s+OK\s+\] (\S+)", re.M),
    "fail": re.compile(r"^\[\s+FAILED\s+\] (?!\d+ test|.*: \d+ test)(\S+)$", re.M),
    "skip": re.compile(r"^\[\s+SKIPPED\s+\] (?!\d+ test|.*: \d+ test)(\S+)$", re.M),
}
LINES = {
    "pass": re.compile(r"^ok (?:\d+ )?(?:- )?(.+)$", re.M),
    "fail": re.compile(r"^not ok (?:\d+ )?(?:- )?(.+)$", re.M),
    "skip": re.compile(r"^skip (?:- )?(.+)$", re.M),
}
GOOD = ("OK", "EXPECTEDFAIL")


def parts(text, patterns):
    """The named results inside one program's output, each name once, in order."""
    found = []
    for verdict, pattern in patterns.items():
        for name in dict.fromkeys(pattern.findall(text)):
            found.append((verdict, name))
    return found


def outcomes(test):
    """What one meson test says, as (verdict, name, detail)."""
    name = test["name"].split(" / ")[-1]
    if test["result"] == "SKIP":
        return [("skip", name)]
    text = (test.get("stdout") or "") + "\n" + (test.get("stderr") or "")
    inner = parts(text, CMOCKA) or parts(text, LINES)
    out = [(verdict, name + "." + part) for verdict, part in inner]
    good = test["result"] in GOOD
    if not good and not any(verdict == "fail" for verdict, _ in out):
        out.append(("fail", name + " (" + test["result"].lower() + ")"))
    return out or [("pass", name)]


def suite_of(test):
    return test["name"].split(" / ")[-1].split("_")[0]


def main():
    build, results, log = sys.argv[1:4]
    try:
        with open(log, encoding="utf-8", errors="replace") as f:
            tests = [json.loads(line) for line in f]
    except OSError:
        tests = []
    suites = collections.defaultdict(collections.Counter)
    seconds = collections.Counter()
    with open(results, "a", encoding="utf-8") as f:
        for test in tests:
            suite = suite_of(test)
            seconds[suite] += test.get("duration") or 0
            for verdict, name in outcomes(test):
                suites[suite][verdict] += 1
                f.write(f"{verdict} {build}: {name}\n")
            if test["result"] not in GOOD + ("SKIP",):
                print(f"---- {build}: {test['name']}: {test['result']}")
                text = (test.get("stdout") or "") + (test.get("stderr") or "")
                print("\n".join(text.splitlines()[-40:]))
        if not tests:
            f.write(f"fail {build}: no test ran\n")
            print(f"FAIL    {build}: no test ran")
    for suite, n in sorted(suites.items()):
        word = "FAIL   " if n["fail"] else "ok     "
        print(f"{word} {build} {suite}: {n['pass']} passed, {n['fail']} failed, "
              f"{n['skip']} skipped ({seconds[suite]:.0f} s)")


main()
