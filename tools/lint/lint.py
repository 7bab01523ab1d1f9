#!/usr/bin/env python3
"""lint.py [--root DIR] [--build DIR] [--results FILE] [CHECK...]: the rules of the house.

Each check is a function that takes a Tree and returns its findings, one line each.
"""
import argparse
import sys

import docs
import faults
import layers
import listed
import style
from tree import Skip, Tree

CHECKS = {
    "includes": layers.includes,
    "symbols": layers.symbols,
    "prefix": layers.prefix,
    "effects": layers.effects,
    "state": layers.state,
    "banned": style.banned,
    "comments": style.comments,
    "format": style.clang_format,
    "complexity": style.complexity,
    "length": style.length,
    "spaces": style.spaces,
    "scripts": style.scripts,
    "places": docs.places,
    "links": docs.links,
    "spec-tags": docs.spec_tags,
    "reasons": docs.reasons,
    "listed": listed.listed,
    "faults": faults.planted,
}


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--root", default=".")
    args.add_argument("--build", default="build/main")
    args.add_argument("--results")
    args.add_argument("checks", nargs="*", metavar="CHECK", help=", ".join(CHECKS))
    args = args.parse_args()
    tree = Tree(args.root, args.build)
    lines, failed = [], 0
    for name in args.checks or CHECKS:
        try:
            found = CHECKS[name](tree)
        except Skip as why:
            lines.append(f"skip lint-{name}: {why}")
            print(f"skip    lint-{name}: {why}")
            continue
        failed += bool(found)
        lines.append(("fail" if found else "pass") + f" lint-{name}")
        print(f"{'FAIL   ' if found else 'ok     '} lint-{name}")
        for line in found:
            print(f"          {line}")
    if args.results:
        with open(args.results, "a", encoding="utf-8") as f:
            f.writelines(line + "\n" for line in lines)
        return 0
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
