"""Format, size, complexity and the functions nobody calls."""
import os
import re
import shutil
import sys

from tree import Skip, run

BANNED = {
    "strcpy strcat strncpy strncat stpcpy": "unbounded or unterminated: snprintf or cm_buf",
    "sprintf vsprintf gets": "unbounded: snprintf",
    "strtol strtoul strtoll strtoull strtod atoi atol atoll atof sscanf scanf fscanf":
        "accepts more than it should: a codec cursor",
    "alloca __builtin_alloca": "unbounded stack",
    "strtok": "hidden state",
    "tmpnam mktemp tempnam": "races",
    "EVP_Cipher": "returns forged plaintext as success: EVP_DecryptUpdate and Final",
    "bzero memset_s explicit_bzero OPENSSL_cleanse": "wipe with cm_wipe()",
}
BANNED_WORDS = {word: why for words, why in BANNED.items() for word in words.split()}
BANNED_CALL = re.compile(r"\b(" + "|".join(BANNED_WORDS) + r")\s*\(")
# One row a line, whatever its length.
TABLES = ("include/casemate/reasons.h", "src/codec/pkcs11.h", "src/svc/list_admin.h",
          "src/svc/list_keys.h", "src/svc/list_records.h", "src/svc/ops.c")
LIMITS = {"lines": (60, 120), "paths": (15, 25)}
FILE_LINES = 800
C_TOPS = ("src", "cmd", "include", "tests", "bench")


def numbered(tree, name, code=False):
    return enumerate((tree.code(name) if code else tree.text(name)).splitlines(), 1)


def banned(tree):
    found = []
    for name in tree.under("src", "cmd", "include"):
        for number, line in numbered(tree, name, code=True):
            for match in BANNED_CALL.finditer(line):
                if match[1] == "explicit_bzero" and name == "src/base/mem.c":
                    continue
                found.append(f"{name}:{number}: {match[1]}: {BANNED_WORDS[match[1]]}")
            if re.search(r"\bgoto\b", line):
                found.append(f"{name}:{number}: goto: scope cleanup with CM_AUTO")
    return found


def comments(tree):
    found = []
    for name in tree.under(*C_TOPS):
        plain = re.sub(r'"(?:\\.|[^"\\\n])*"', '""', tree.text(name))
        outside = re.sub(r"/\*.*?\*/", "", plain, flags=re.S)
        if re.search(r"//", outside):
            found.append(f"{name}: a // comment")
        if re.search(r"^[ \t]*#[ \t]*if[ \t]+0\b", outside, re.M):
            found.append(f"{name}: code switched off with #if 0")
        for number, line in enumerate(plain.splitlines(), 1):
            if re.search(r"\b(TODO|FIXME|XXX|HACK)\b", line):
                found.append(f"{name}:{number}: unfinished work belongs in the tracker")
            if re.match(r"^\s*/\*.*;\s*\*/\s*$", line):
                found.append(f"{name}:{number}: commented-out code")
    return found


def clang_format(tree):
    tool = shutil.which("clang-format-14") or shutil.which("clang-format")
    if tool is None:
        raise Skip("no clang-format")
    if " 14." not in run(tool, "--version").stdout:
        raise Skip("the style is defined by clang-format 14; this is another version")
    names = tree.under(*C_TOPS)
    out = run(tool, "--dry-run", "-Werror", "--style=file", *names, cwd=tree.root).stdout
    places = {}
    for name, line in re.findall(r"^(\S+?):(\d+):\d+: error: code should be", out, re.M):
        places.setdefault(name, []).append(line)
    return [f"{name}:{lines[0]}: not formatted ({len(lines)} places); clang-format-14 -i mends it"
            for name, lines in places.items()]


def ratchet(tree):
    """Allowed excesses: "lines|paths file function value" per line."""
    name, out = "tools/lint/ratchet.txt", {}
    if not os.path.exists(os.path.join(tree.root, name)):
        return out
    for line in tree.text(name).splitlines():
        words = line.split("#")[0].split()
        if len(words) == 4:
            out[tuple(words[:3])] = int(words[3])
    return out


def measure(tree, names):
    """(file, function, lines, paths) by pmccabe: paths is the traditional McCabe number."""
    text = run("pmccabe", *names, cwd=tree.root).stdout if names else ""
    for line in text.splitlines():
        match = re.match(r"\d+\t(\d+)\t\d+\t\d+\t(\d+)\t(\S+)\(\d+\): (\S+)$", line)
        if match:
            yield match[3], match[4], int(match[2]), int(match[1])


def complexity(tree):
    if shutil.which("pmccabe") is None:
        raise Skip("no pmccabe")
    allowed, used, found = ratchet(tree), set(), []
    names = tree.under("src", "cmd", "tests", "bench", ext=(".c",))
    for name, function, lines, paths in measure(tree, names):
        for kind, value in (("lines", lines), ("paths", paths)):
            soft, hard = LIMITS[kind]
            key = (kind, name, function)
            limit = soft if name.startswith(("src/", "cmd/")) else hard
            limit = min(hard, max(limit, allowed.get(key, 0)))
            if value > limit:
                found.append(f"{name}: {function}: {value} {kind}, over {limit}")
            if key in allowed:
                used.add(key)
                if value < allowed[key]:
                    found.append(f"ratchet.txt: {' '.join(key)} is down to {value}: lower it")
    found += [f"ratchet.txt: {' '.join(key)} is gone: take the line out"
              for key in sorted(set(allowed) - used)]
    return found


# One row a line, however long: what people and merges find their way by.
TABLES = ("include/casemate/reasons.h", "src/codec/pkcs11.h", "src/svc/list_admin.h",
          "src/svc/list_keys.h", "src/svc/list_records.h", "src/svc/ops.c")


def length(tree):
    found = []
    for name in tree.files():
        if name.endswith((".c", ".h", ".py", ".sh")) or name == "do":
            lines = tree.text(name).count("\n")
            if lines > FILE_LINES:
                found.append(f"{name}: {lines} lines, over {FILE_LINES}")
    for name in tree.under(*C_TOPS):
        for number, line in numbered(tree, name):
            if len(line) > 100 and "http" not in line and name not in TABLES:
                found.append(f"{name}:{number}: {len(line)} columns, over 100")
    return found


TEXT = (".c", ".h", ".py", ".sh", ".md", ".txt", ".build", ".map")


def spaces(tree):
    found = []
    for name in tree.files():
        if not name.endswith(TEXT) and name not in ("do", ".ci/run"):
            continue
        text = tree.text(name)
        for number, line in enumerate(text.split("\n"), 1):
            if line != line.rstrip():
                found.append(f"{name}:{number}: space at the end of the line")
            if "\t" in line and name.endswith((".c", ".h", ".py", ".sh")):
                found.append(f"{name}:{number}: a tab")
        if text and not text.endswith("\n"):
            found.append(f"{name}: no newline at the end")
    return found


# Who leaves before the end kills who writes, now and then; under pipefail that is a failure.
LEAVES = re.compile(r"\|\s*(?:grep\s+(?:-\S+\s+)*-[a-zA-Z]*[qm]|grep\s+.*--quiet|head\s+-(?:n\s*)?\d"
                    r"|sed\s+(?:-\w+\s+)*'?\d*q)")
SHARED = re.compile(r"^(\w+)\(\)", re.M)


def pipes(tree, name):
    """Of the tests' scripts: readers that leave early, and functions of lib.sh's made anew."""
    found = [f"{name}:{number}: a reader that leaves early: | has PATTERN, | sed -n 1p"
             for number, line in numbered(tree, name) if LEAVES.search(line.split(" #")[0])]
    library = "tests/e2e/lib.sh"
    if name.startswith("tests/e2e/") and name != library and library in tree.files():
        again = set(SHARED.findall(tree.text(name))) & set(SHARED.findall(tree.text(library)))
        found += [f"{name}: {one}() is lib.sh's" for one in sorted(again)]
    return found


def shell(tree, name):
    interpreter = "bash" if "bash" in tree.text(name).split("\n", 1)[0] else "sh"
    out = run(interpreter, "-n", name, cwd=tree.root)
    if out.returncode:
        return [f"{name}: {out.stdout.strip()}"]
    if shutil.which("shellcheck"):
        return run("shellcheck", "-S", "warning", "-f", "gcc", "-s", interpreter, name,
                   cwd=tree.root).stdout.splitlines()
    return []


def scripts(tree):
    found = []
    for name in tree.files():
        path = os.path.join(tree.root, name)
        if name.endswith(".py"):
            out = run(sys.executable, "-c", f"compile(open({path!r}).read(), {name!r}, 'exec')")
            if out.returncode:
                found.append(f"{name}: {out.stdout.splitlines()[-1]}")
        elif name.endswith(".sh") or name in ("do", ".ci/run"):
            found += shell(tree, name)
            if name.startswith("tests/"):
                found += pipes(tree, name)
    return found
