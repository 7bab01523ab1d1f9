"""What the builds of the tests are told: a test that is in no list passes by never running."""
import re
from collections import Counter

LIST = re.compile(r"^(\w+) (\+?=) \[(.*?)\]", re.M | re.S)
LOOP = re.compile(r"^\s*foreach t : ((?:\[[^\]]*\]|[^\n\[])*)", re.M)
NAMED = re.compile(r"^\s*test\('(\w+)',", re.M)
STRING = re.compile(r"'([^'\n]*)'")
HELPERS = (
    "tests/e2e/run.sh",
    "tests/e2e/lib.sh",
    "tests/e2e/nodes_lib.sh",
    "tests/e2e/policies.sh",
    "tests/e2e/server.sh",
    "tests/e2e/card.sh",
    "tests/e2e/soft_tokens.sh",
    "tests/e2e/swtpm.sh",
    "tests/e2e/tokens.sh",
)
OTHERS = {"ct": ("ct_", ".c"), "fuzz": ("fuzz_", ".c"), "e2e": ("", ".sh")}


def lists_of(name, text, found):
    """{variable: names}, as meson has them at the end: a second `=` throws away what was there."""
    lists = {}
    for match in LIST.finditer(text):
        variable, add, names = match[1], match[2] == "+=", STRING.findall(match[3])
        if variable in lists and not add:
            found.append(f"{name}: {variable} is set twice, and only the last counts")
        lists[variable] = lists.get(variable, []) + names if add else names
    return lists


def run_by(text, lists):
    """Names that a loop makes tests of."""
    names = []
    for loop in LOOP.findall(text):
        names += STRING.findall(loop)
        for variable in re.findall(r"\b\w+\b", re.sub(STRING, "", loop)):
            names += lists.get(variable, [])
    return names


def listed(tree):
    """Every test file of a folder is once in the lists of its meson.build."""
    found = []
    for build in tree.under("tests", ext=("/meson.build",)):
        folder = build.split("/")[-2]
        text = re.sub(r"#.*", "", tree.text(build))
        names = run_by(text, lists_of(build, text, found))
        found += [f"{build}: {name} is {n} tests" for name, n in Counter(NAMED.findall(text)).items()
                  if n > 1]
        prefix, end = OTHERS.get(folder, ("test_", ".c"))
        for name in tree.under(build.rsplit("/", 1)[0], ext=(end,)):
            above, base = name.rsplit("/", 1)
            if not base.startswith(prefix) or above + "/meson.build" != build or name in HELPERS:
                continue
            times = names.count(base[len(prefix) : -len(end)])
            if times != 1:
                what = "in no list that runs" if not times else "listed twice"
                found.append(f"{name}: {what} in {build}")
    return found
