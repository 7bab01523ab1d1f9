"""What the words promise: numbered MUSTs, reasons, links, and no place named that is not ours."""
import os
import re

from tree import Skip

TAG = re.compile(r"\*\*([A-Z]{1,4}-\d+)\*\*")
PLACES = (
    (re.compile(r"\b(?:deb|security|snapshot|ftp[.\w]*)\.debian\.org|archive\.ubuntu\.com|pypi\.org|"
                r"registry\.npmjs\.org|crates\.io|proxy\.golang\.org|docker\.io"), "a registry host"),
    (re.compile(r"(?<![\w.])/(?:work|home|root)/\w"), "a path of one machine"),
    (re.compile(r"(?<!\.\./)\bshared/(?:vectors|design|reference|seeds)\b|\.\./shared/(?!vectors)"),
     "a folder outside the project"),
)
ROW = re.compile(r'\bX\(([A-Z0-9_]+),\s*([A-Z]+),\s*(0x[0-9a-f]+|\d+)\s*,')
BLOCK = re.compile(r"/\*\s*([a-z0-9_]+):\s*0x([0-9a-f]+)01\b")
DATA = (".png", ".svg", ".bin", ".sealed", ".der", ".gguf", ".safetensors", ".gz")


def places(tree):
    found = []
    for name in tree.files():
        if name.startswith(("tools/lint/", "tests/fuzz/corpus/")) or name.endswith(DATA):
            continue
        for number, line in enumerate(tree.text(name).splitlines(), 1):
            for pattern, what in PLACES:
                match = pattern.search(line)
                if match:
                    found.append(f"{name}:{number}: {match[0]} is {what}")
    return found


def links(tree):
    """Relative links of the documents lead to files that exist."""
    found = []
    for name in tree.files():
        if not name.endswith(".md"):
            continue
        text = re.sub(r"```.*?```", "", tree.text(name), flags=re.S)
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
            if re.match(r"[a-z]+:", target):
                continue
            path = os.path.normpath(os.path.join(tree.root, os.path.dirname(name), target))
            if not os.path.exists(path):
                found.append(f"{name}: {target} does not exist")
    return found


def cited(tree, *tops, ext):
    out = set()
    for name in tree.under(*tops, ext=ext):
        out |= set(re.findall(r"\b[A-Z]{1,4}-\d+\b", tree.text(name)))
    return out


def spec_tags(tree):
    where, found = {}, []
    for name in tree.under("spec", ext=(".md",)):
        for tag in TAG.findall(tree.text(name)):
            if tag in where:
                found.append(f"{name}: {tag} was given out before, in {where[tag]}")
            where.setdefault(tag, name)
    if not where:
        raise Skip("no numbered MUST")
    code = cited(tree, "src", "cmd", "include", ext=(".c", ".h"))
    tests = cited(tree, "tests", ext=(".c", ".h", ".sh", ".py"))
    for tag, name in where.items():
        missing = [what for what, tags in (("the code", code), ("a test", tests))
                   if tag not in tags]
        if missing:
            found.append(f"{name}: {tag} is not cited in {' or '.join(missing)}")
    families = {tag.split("-")[0] for tag in where}
    return found + [f"{tag} is cited, but no spec has it" for tag in sorted((code | tests) - set(where))
                    if tag.split("-")[0] in families]


def reasons(tree):
    text = tree.text("include/casemate/reasons.h")
    used = "\n".join(tree.code(n) for n in tree.under("src", "cmd"))
    found, names, numbers, block = [], set(), {}, None
    for match in re.finditer(BLOCK.pattern + "|" + ROW.pattern, text):
        if match[1]:
            block = (match[1], int(match[2], 16))
            continue
        name, number = match[3], int(match[5], 0)
        if name in names:
            found.append(f"{name}: two rows")
        if number in numbers:
            found.append(f"{name}: number {number:#06x} is {numbers[number]}'s")
        if block and number >> 8 != block[1]:
            found.append(f"{name}: {number:#06x} is outside the block of {block[0]}")
        names.add(name)
        numbers[number] = name
        if not re.search(rf"CM_FAIL\(\s*{name}\s*\)|\bCM_{name}\b", used):
            found.append(f"{name}: no code gives this reason")
    return found
