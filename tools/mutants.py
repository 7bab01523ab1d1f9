#!/usr/bin/env python3
"""mutants.py [RESULTS [TEXT]]: break the code on purpose and see a test fail.

tools/mutants.txt lists the faults. Each is put into a copy of the tree, built, and the tests it
names are run: a mutant that they let live is a failure. The copy is below build/mutants. With TEXT
only those whose name has it.
"""
import json
import os
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tools/lint"))
from faults import LIST, faults  # noqa: E402 (the path comes first)

WORK = os.path.join(ROOT, "build", "mutants")
TREE, OUT = os.path.join(WORK, "tree"), os.path.join(WORK, "out")


def run(*command, cwd=ROOT):
    return subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace", check=False)


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def write(path, text):
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


def copy_tree():
    """Only what changed is written, so that the copy builds incrementally."""
    names = run("git", "-c", "safe.directory=*", "ls-files", "-co", "--exclude-standard").stdout
    for name in names.splitlines():
        source, target = os.path.join(ROOT, name), os.path.join(TREE, name)
        if not os.path.isfile(source):
            continue
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if not os.path.exists(target) or open(source, "rb").read() != open(target, "rb").read():
            shutil.copy(source, target)
    deps = os.path.join(TREE, ".deps")
    if not os.path.lexists(deps):
        os.symlink(os.path.join(ROOT, ".deps"), deps)


def setup():
    if not os.path.exists(os.path.join(OUT, "build.ninja")):
        pc = os.path.join(ROOT, ".deps/openssl/lib/pkgconfig")
        vectors = os.environ.get("CASEMATE_VECTORS", os.path.join(ROOT, "../shared/vectors"))
        out = run("meson", "setup", OUT, TREE, f"-Dpkg_config_path={pc}", f"-Dvectors={vectors}")
        if out.returncode:
            raise SystemExit("mutants: the tree does not configure\n" + out.stdout[-2000:])


def introspect(what):
    return json.loads(run("meson", "introspect", f"--{what}", OUT).stdout)


def needs(names):
    """Files that these tests run: the rest of the tree is not built for each fault."""
    targets = {t["id"]: t["filename"] for t in introspect("targets")}
    tests = {t["name"]: t["depends"] for t in introspect("tests")}
    missing = [n for n in names if n not in tests]
    if missing:
        raise SystemExit(f"mutants: no such tests: {' '.join(missing)}")
    return sorted({os.path.relpath(file, OUT) for n in names for target in tests[n]
                   for file in targets[target]})


def build(names):
    return run("ninja", "-C", OUT, *needs(names))


def tests_fail(names):
    return run("meson", "test", "-C", OUT, "--no-rebuild", *names).returncode != 0


def try_one(fault):
    """What is wrong with this fault, or None when a test caught it."""
    path, names = os.path.join(TREE, fault.file), fault.tests.split()
    text = read(path)
    if text.count(fault.old) != 1:
        return f"its line occurs {text.count(fault.old)} times in {fault.file}"
    write(path, text.replace(fault.old, fault.new))
    try:
        out = build(names)
        if out.returncode:
            return "it does not compile:\n" + out.stdout[-1500:]
        return None if tests_fail(names) else f"{fault.tests} did not notice"
    finally:
        write(path, text)


def main():
    results = sys.argv[1] if len(sys.argv) > 1 else os.devnull
    only = sys.argv[2] if len(sys.argv) > 2 else ""
    os.makedirs(TREE, exist_ok=True)
    copy_tree()
    setup()
    chosen = [f for f in faults(read(os.path.join(ROOT, LIST))) if only in f.name]
    out = build(sorted({name for fault in chosen for name in fault.tests.split()}))
    if out.returncode:
        raise SystemExit("mutants: the tree does not build\n" + out.stdout[-2000:])
    bad = 0
    with open(results, "a", encoding="utf-8") as f:
        for fault in chosen:
            why = try_one(fault)
            bad += why is not None
            print(f"{'FAIL   ' if why else 'ok     '} mutant: {fault.name}"
                  + (f": {why}" if why else ""), flush=True)
            f.write(f"{'fail' if why else 'pass'} mutant: {fault.name}\n")
    return bad != 0


if __name__ == "__main__":
    sys.exit(main())
