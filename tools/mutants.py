#!/usr/bin/env python3
"""mutants.py [RESULTS [TEXT]]: break the code on purpose and see a test fail.

tools/mutants.txt lists the faults. Each is put into a copy of the tree, built, and the tests it
names are run: a mutant that they let live is a failure. The copy is below build/mutants. With TEXT
only those whose name has it.
"""
import os
import re
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
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


def mutants():
    """Blocks of `[name]`, `file`, `from`, `to`, `tests` lines."""
    for block in re.split(r"^\[", read(os.path.join(ROOT, "tools/mutants.txt")), flags=re.M)[1:]:
        head, _, rest = block.partition("]\n")
        fields = dict(line.split(" ", 1) for line in rest.splitlines()
                      if " " in line and not line.startswith("#"))
        yield head, fields["file"], fields["from"].strip(), fields["to"].strip(), fields["tests"]


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


def build():
    if not os.path.exists(os.path.join(OUT, "build.ninja")):
        pc = os.path.join(ROOT, ".deps/openssl/lib/pkgconfig")
        vectors = os.environ.get("CASEMATE_VECTORS", os.path.join(ROOT, "../shared/vectors"))
        out = run("meson", "setup", OUT, TREE, f"-Dpkg_config_path={pc}", f"-Dvectors={vectors}")
        if out.returncode:
            return out
    return run("ninja", "-C", OUT)


def tests_fail(names):
    """None when the tests pass; else which way they failed."""
    out = run("meson", "test", "-C", OUT, "--no-rebuild", *names.split())
    if "No suitable tests" in out.stdout or "ERROR" in out.stdout:
        raise SystemExit(f"mutants: no such tests: {names}\n{out.stdout[-500:]}")
    return out.returncode != 0


def try_one(name, path, old, new, tests):
    """What is wrong with this mutant, or None when a test caught it."""
    path = os.path.join(TREE, path)
    text = read(path)
    if text.count(old) != 1:
        return f"its line occurs {text.count(old)} times in {os.path.relpath(path, TREE)}"
    write(path, text.replace(old, new))
    try:
        out = build()
        if out.returncode:
            return "it does not compile:\n" + out.stdout[-1500:]
        return None if tests_fail(tests) else f"{tests} did not notice"
    finally:
        write(path, text)


def main():
    results = sys.argv[1] if len(sys.argv) > 1 else os.devnull
    only = sys.argv[2] if len(sys.argv) > 2 else ""
    os.makedirs(TREE, exist_ok=True)
    copy_tree()
    out = build()
    if out.returncode:
        raise SystemExit("mutants: the tree does not build\n" + out.stdout[-2000:])
    bad = 0
    with open(results, "a", encoding="utf-8") as f:
        for name, *mutant in (m for m in mutants() if only in m[0]):
            why = try_one(name, *mutant)
            bad += why is not None
            print(f"{'FAIL   ' if why else 'ok     '} mutant: {name}" + (f": {why}" if why else ""),
                  flush=True)
            f.write(f"{'fail' if why else 'pass'} mutant: {name}\n")
    return bad != 0


if __name__ == "__main__":
    sys.exit(main())
