"""Our JSON reader and Python's take the same texts and read the same in them."""
import json
import random

from probe import compare, mutate

rng = random.Random(8259)


class Number(str):
    """Kept as written, and no string of the text."""


def refuse(word):
    raise ValueError(word)


def unique(pairs):
    if len({k for k, _ in pairs}) < len(pairs):
        raise ValueError("duplicate key")
    return ("object", pairs)


def no_lone_surrogate(value):
    """Python lets \\ud800 through; what can't be written as UTF-8 can't be read either."""
    if isinstance(value, str):
        value.encode()
    elif isinstance(value, tuple):
        for key, member in value[1]:
            key.encode()
            no_lone_surrogate(member)
    elif isinstance(value, list):
        for item in value:
            no_lone_surrogate(item)
    return value


def loads(data):
    number = lambda digits: ("number", [("", Number(digits))])
    return no_lone_surrogate(
        json.loads(data.decode("utf-8"), parse_int=number, parse_float=number,
                   parse_constant=refuse, object_pairs_hook=unique))


def space():
    return rng.choice(["", "", "", " ", "\n", "\r\n\t"])


def string():
    parts = []
    for _ in range(rng.randint(0, 6)):
        parts.append(rng.choice([
            "a", "key", "é", "€", "😀", "\x7f", "\u2028", "\\n", '\\"', "\\\\", "\\/", "\\u0000",
            "\\u00e9", "\\uD83D\\uDE00", f"\\u{rng.randint(0, 0xd7ff):04x}",
            chr(rng.randint(0xe000, 0x10ffff)), chr(rng.randint(0x20, 0x21)),
        ]))
    return '"' + "".join(parts) + '"'


def number():
    return rng.choice(["-", ""]) + rng.choice(
        ["0", str(rng.randint(1, 99)), str(rng.randint(1, 10**25))]
    ) + rng.choice(["", "", ".0", ".125"]) + rng.choice(["", "", "e5", "E+05", "e-400"])


def value(depth):
    kind = rng.randint(0, 6 if depth else 4)
    if kind < 3:
        return [string, number, lambda: rng.choice(["true", "false", "null"])][kind]()
    if kind < 5:
        return number() if kind == 3 else string()
    items = range(rng.choice([0, 1, 2, 3, 12]))
    if kind == 5:
        body = ",".join(space() + value(depth - 1) + space() for _ in items)
        return "[" + (body or space()) + "]"
    body = ",".join(space() + string() + space() + ":" + space() + value(depth - 1) + space()
                    for _ in items)
    return "{" + (body or space()) + "}"


def soup():
    return "".join(rng.choice(["{", "}", "[", "]", ",", ":", '"a"', "1", "-", ".", "e", "true", "null",
                               " ", "0", '"', "\\", "NaN", "Infinity"])
                   for _ in range(rng.randint(0, 7)))


alphabet = b'{}[],:"\\0123456789-+.eEtrufalsn \t\n\r\x00\x1f/ud8c\x80\xc3\xed\xff'
good = [(space() + value(4) + space()).encode() for _ in range(5000)]
bad = [mutate(rng, text, alphabet) for text in good for _ in range(3)]
tokens = [soup().encode() for _ in range(20000)]
compare(b"j", good + bad + tokens + [b"", b"\xef\xbb\xbf1", "1".encode("utf-16")], loads, loads)
