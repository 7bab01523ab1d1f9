#!/usr/bin/env python3
"""Each check is shown a clean small tree, where it must be silent, and a planted fault it must find."""
import os
import subprocess
import sys
import tempfile

from lint import CHECKS
from tree import Skip, Tree

LAYERS = """0 base:
1 codec: base
2 crypt: base
9 cmd: base codec crypt
public model.h: crypt
effect files: base/os.c
state base/a.c: known
"""
REASONS = """/* clang-format off */
#define CM_REASONS(X) \\
    /* base: 0x0001 */ \\
    X(NO_MEMORY, EXHAUSTED, 0x0001, "a", "b") \\
    /* codec: 0x0101 */ \\
    X(BAD_HEX, MALFORMED, 0x0101, "a", "b")
"""
CLEAN = {
    "layers.txt": LAYERS,
    ".clang-format": "BasedOnStyle: LLVM\nIndentWidth: 4\n"
                     "AllowShortFunctionsOnASingleLine: None\n",
    "include/casemate/reasons.h": REASONS,
    "include/casemate/model.h": "int cm_model(void);\n",
    "src/base/a.h": "int cm_base(void);\n",
    "src/base/a.c": '#include "base/a.h"\nint cm_base(void) {\n    static int known = 1;\n'
                    "    return ++known; /* CM_NO_MEMORY, B-1 */\n}\nint cm_no = CM_NO_MEMORY;\n",
    "src/codec/b.c": '#include "base/a.h"\nint cm_codec(void);\nint cm_codec(void) {\n'
                     "    return cm_base() + CM_FAIL(BAD_HEX);\n}\n",
    "src/crypt/c_int.h": "int cm_crypt(void);\n",
    "src/crypt/c.c": '#include "crypt/c_int.h"\nint cm_crypt(void) {\n    return 0;\n}\n',
    "spec/base.md": "**B-1** It MUST be so. See [itself](base.md).\n",
    "tests/unit/meson.build": "unit_base = [\n  'a',\n]\nforeach t : unit_base\n  test(t)\n"
                              "endforeach\n",
    "tests/unit/test_a.c": "/* B-1 */\nint main(void) {\n    return 0;\n}\n",
    "tools/x.sh": "#!/bin/sh\nexit 0\n",
    "tools/y.py": "print(1)\n",
    "tests/e2e/lib.sh": "#!/bin/sh\nhas() {\n    grep x >/dev/null\n}\n",
    "tests/e2e/x.sh": "#!/bin/sh\nprintf '%s\\n' a | sed -n 1p\n",
}
CLEAN["src/base/a.c"] = CLEAN["src/base/a.c"].replace("int cm_no = CM_NO_MEMORY;\n",
                                                      "const int cm_no = CM_NO_MEMORY;\n")
LONG = "int cm_long(int x);\nint cm_long(int x) {\n" + "    x++;\n" * 70 + "    return x;\n}\n"
BRANCHY = ("int cm_b(int x);\nint cm_b(int x) {\n" + "    if (x)\n        x++;\n" * 16 +
           "    return x;\n}\n")


def function(name, body):
    return f"int {name}(void);\nint {name}(void) {{\n    {body}\n}}\n"


# check, file, text put at its end, what the finding must contain
PLANTED = [
    ("includes", "src/base/a.c", '#include "codec/b.h"\n', "base may not use codec"),
    ("includes", "src/crypt/c.c", '#include "codec/b.h"\n', "crypt may not use codec"),
    ("includes", "src/codec/b.c", '#include "crypt/c_int.h"\n', "may not use crypt"),
    ("includes", "cmd/casemate/m.c", '#include "crypt/c_int.h"\n', "private to crypt"),
    ("includes", "src/base/a.c", "#include <casemate/model.h>\n", "belongs to crypt"),
    ("includes", "src/base/a.c", '#include "b.h"\n', "names no module"),
    ("includes", "src/new/n.c", "\n", "no line in layers.txt"),
    ("includes", "layers.txt", "3 up: cmd\n", "not below it"),
    ("symbols", "src/base/a.c", "int cm_codec(void);\n" + function("cm_up", "return cm_codec();"),
     "calls cm_codec of codec"),
    ("prefix", "src/codec/b.c", function("helper", "return 1;"), "helper does not begin"),
    ("effects", "src/codec/b.c", "int puts(const char *);\n" + function("cm_e", 'return puts("");'),
     "puts (printing)"),
    ("effects", "src/base/a.c", "void abort(void);\n" + function("cm_e", "abort();"), "leaving"),
    ("effects", "src/crypt/c.c", "char *getenv(const char *);\n" +
     function("cm_e", 'return *getenv("A");'), "environment"),
    ("effects", "src/crypt/c.c", "int open(const char *, int);\n" +
     function("cm_e", 'return open("A", 0);'), "open (files)"),
    ("effects", "src/crypt/c.c", "long time(long *);\n" + function("cm_e", "return (int)time(0);"),
     "time (clock)"),
    ("effects", "src/crypt/c.c", "int socket(int, int, int);\n" +
     function("cm_e", "return socket(1, 2, 3);"), "network"),
    ("effects", "src/crypt/c.c", "int memcmp(const void *, const void *, unsigned long);\n" +
     function("cm_e", "return memcmp(0, 0, 1);"), "memcmp"),
    ("state", "src/crypt/c.c", function("cm_e", "static int calls; return ++calls;"),
     "calls is mutable state"),
    ("state", "layers.txt", "state codec/b.c: gone\n", "has no variable gone"),
    ("banned", "src/crypt/c.c", "int x = strcpy(a, b);\n", "strcpy"),
    ("banned", "src/crypt/c.c", "int x = atoi(a);\n", "atoi"),
    ("banned", "src/crypt/c.c", "int x = EVP_Cipher(a);\n", "EVP_Cipher"),
    ("banned", "src/crypt/c.c", "goto out;\n", "goto"),
    ("comments", "src/crypt/c.c", "// hello\n", "// comment"),
    ("comments", "src/crypt/c.c", "/* x = 1; */\n", "commented-out"),
    ("comments", "src/crypt/c.c", "#if 0\n#endif\n", "#if 0"),
    ("comments", "src/crypt/c.c", "/* TO" + "DO: later */\n", "unfinished"),
    ("format", "src/crypt/c.c", "int   cm_x;\n", "not formatted"),
    ("complexity", "src/crypt/c.c", LONG, "73 lines, over 60"),
    ("complexity", "src/crypt/c.c", BRANCHY, "17 paths, over 15"),
    ("complexity", "tools/lint/ratchet.txt", "lines src/crypt/c.c cm_gone 70\n", "is gone"),
    ("length", "src/crypt/c.c", "\n" * 801, "over 800"),
    ("length", "src/crypt/c.c", "/*" + "x" * 100 + "*/\n", "columns"),
    ("spaces", "src/crypt/c.c", "int cm_x; \n", "space at the end"),
    ("spaces", "src/crypt/c.c", "\tint cm_x;\n", "a tab"),
    ("scripts", "tools/x.sh", "if\n", "x.sh"),
    ("scripts", "tests/e2e/x.sh", "yes | grep -vq no\n", "x.sh:3: a reader that leaves early"),
    ("scripts", "tests/e2e/x.sh", "yes |\n    cat | head -1\n", "x.sh:4: a reader that leaves early"),
    ("scripts", "tests/e2e/x.sh", "has() { true; }\n", "x.sh: has() is lib.sh's"),
    ("scripts", "tools/y.py", "def\n", "y.py"),
    ("places", "spec/base.md", "from http://deb." + "debian.org/\n", "registry host"),
    ("places", "spec/base.md", "in /wo" + "rk/x\n", "one machine"),
    ("places", "spec/base.md", "../sha" + "red/design\n", "outside the project"),
    ("links", "spec/base.md", "[gone](gone.md)\n", "gone.md does not exist"),
    ("spec-tags", "spec/base.md", "**B-2** Not cited.\n", "B-2 is not cited in the code or a test"),
    ("spec-tags", "src/crypt/c.c", "/* B-9 */\n", "B-9 is cited, but no spec"),
    ("spec-tags", "spec/base.md", "**B-1** again\n", "given out before"),
    ("reasons", "include/casemate/reasons.h", 'X(IDLE, IO, 0x0102, "a", "b")\n', "no code gives"),
    ("reasons", "include/casemate/reasons.h", 'X(BAD_HEX, IO, 0x0103, "a", "b")\n', "two rows"),
    ("reasons", "include/casemate/reasons.h", 'X(BAD_X, IO, 0x0101, "a", "b")\n', "is BAD_HEX's"),
    ("reasons", "include/casemate/reasons.h", 'X(BAD_X, IO, 0x0201, "a", "b")\n', "outside the block"),
    ("listed", "tests/unit/test_b.c", "\n", "test_b.c: in no list"),
    ("listed", "tests/unit/meson.build", "unit_base = ['a']\n", "unit_base is set twice"),
    ("listed", "tests/unit/meson.build", "foreach t : ['a']\n", "test_a.c: listed twice"),
    ("listed", "tests/unit/meson.build", "unit_base = []\n", "test_a.c: in no list"),
    ("listed", "tests/unit/meson.build", "test('a', x)\ntest('a', y)\n", "a is 2 tests"),
    ("faults", "tools/mutants.txt", "[x]\nfile src/crypt/c.c\nfrom gone\nto 1\ntests a\n", "occurs 0"),
    ("faults", "tools/mutants.txt", "[x]\nfile src/c.c\nfrom gone\nto 1\ntests a\n", "occurs 0"),
]


def write(root, name, text):
    path = os.path.join(root, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "a", encoding="utf-8") as f:
        f.write(text)


def compile_all(root):
    """Objects where a build would put them; what does not compile is left out."""
    for name in Tree(root, "build").under("src", ext=(".c",)):
        module, base = name.split("/")[1:]
        folder = os.path.join(root, "build", f"libcm_{module}.a.p")
        os.makedirs(folder, exist_ok=True)
        subprocess.run(["cc", "-w", "-DCM_NO_MEMORY=1", "-DCM_FAIL(x)=1", "-Isrc", "-Iinclude", "-c",
                        name, "-o", os.path.join(folder, f"src_{module}_{base}.o")], cwd=root,
                       stderr=subprocess.DEVNULL, check=False)


def findings(check, plant=None):
    with tempfile.TemporaryDirectory() as root:
        for name, text in CLEAN.items():
            write(root, name, text)
        if plant:
            write(root, *plant)
        if check in ("symbols", "prefix", "effects", "state"):
            compile_all(root)
        return CHECKS[check](Tree(root, "build"))


def main():
    bad = 0
    for check in CHECKS:
        try:
            found = findings(check)
        except Skip as why:
            print(f"skip - {check}: {why}")
            continue
        if found:
            print(f"not ok - {check} is silent on a clean tree: {found}")
            bad += 1
        for wanted, name, text, message in PLANTED:
            if wanted == check:
                found = findings(check, (name, text))
                if not any(message in line for line in found):
                    print(f"not ok - {check} finds {message!r} in {name}: {found}")
                    bad += 1
    without = set(CHECKS) - {p[0] for p in PLANTED}
    if without:
        print("not ok - no fault planted for " + ", ".join(sorted(without)))
    print(f"{len(PLANTED)} planted faults, {bad} missed")
    return bad != 0 or bool(without)


if __name__ == "__main__":
    sys.exit(main())
