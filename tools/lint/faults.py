"""The faults that tools/mutants.py puts into the code on purpose."""
import collections
import re

LIST = "tools/mutants.txt"
Fault = collections.namedtuple("Fault", "name file old new tests")


def faults(text):
    """Blocks of `[name]`, `file`, `from`, `to`, `tests` lines."""
    for block in re.split(r"^\[", text, flags=re.M)[1:]:
        head, _, rest = block.partition("]\n")
        fields = dict(line.split(" ", 1) for line in rest.splitlines()
                      if " " in line and not line.startswith("#"))
        yield Fault(head, fields["file"], fields["from"].strip(), fields["to"].strip(),
                    fields["tests"])


def planted(tree):
    """A fault has a line to stand in: one that moved is found here, and not after the whole CI."""
    found = []
    for fault in faults(tree.text(LIST)) if LIST in tree.files() else []:
        times = tree.text(fault.file).count(fault.old) if fault.file in tree.files() else 0
        if times != 1:
            found.append(f"{LIST}: [{fault.name}]: its line occurs {times} times in {fault.file}")
    return found
