"""Our CBOR reader takes what cbor2 decodes and encodes again to the same bytes, and reads the same."""
import json
import random
import sys

try:
    from cbor2 import dumps
    from cbor2.decoder import CBORDecoder  # the one in Python: no length makes it reserve memory
except ImportError:
    print("SKIP: no python3-cbor2")
    sys.exit(77)
import io

from probe import compare, mutate

rng = random.Random(8949)


def encode(value, depth=0):
    """Bytewise order of encoded keys, RFC 8949 section 4.2.1; cbor2 knows the older order only."""
    if isinstance(value, (list, dict)):
        if depth == 16:
            raise ValueError("too deep")
        head = dumps([0] * len(value))[: len(dumps([0] * len(value))) - len(value)]
        if isinstance(value, list):
            return head + b"".join(encode(v, depth + 1) for v in value)
        head = bytes([head[0] | 0x20]) + head[1:]
        pairs = sorted((encode(k, depth + 1), v) for k, v in value.items())
        if any(type(k) not in (int, bytes, str) for k in value):
            raise ValueError("key")
        return head + b"".join(k + encode(v, depth + 1) for k, v in pairs)
    if type(value) not in (int, bytes, str, bool, type(None)):
        raise ValueError("kind")
    if type(value) is int and not -(2**64) <= value < 2**64:
        raise ValueError("bignum")
    return dumps(value)


def plain(value):
    """As codec_probe shows it."""
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    if isinstance(value, list):
        return [plain(v) for v in value]
    if isinstance(value, dict):
        pairs = sorted((encode(k), k, v) for k, v in value.items())
        return {"map": [plain(x) for _, k, v in pairs for x in (k, v)]}
    return value


def expect(data):
    stream = io.BytesIO(data)
    value = CBORDecoder(stream).decode()
    if stream.read() or encode(value) != data:
        raise ValueError("not canonical")
    return plain(value)


def integer():
    edge = rng.choice([0, 23, 24, 255, 256, 65535, 65536, 2**32 - 1, 2**32, 2**63, 2**64 - 1])
    n = max(0, min(2**64 - 1, edge + rng.randint(-2, 2)))
    return n if rng.randint(0, 2) else -1 - n


def text():
    return "".join(rng.choice(["a", "bc", "é", "€", "😀", "\0"]) for _ in range(rng.randint(0, 5)))


def value(depth):
    kind = rng.randint(0, 6 if depth else 4)
    if kind < 2:
        return integer()
    if kind == 2:
        return rng.randbytes(rng.choice([0, 1, 3, 23, 24, 256]))
    if kind == 3:
        return text()
    if kind == 4:
        return rng.choice([True, False, None])
    n = rng.choice([0, 1, 2, 3, 24])
    if kind == 5:
        return [value(depth - 1) for _ in range(n)]
    return {rng.choice([integer, text, lambda: rng.randbytes(2)])(): value(depth - 1)
            for _ in range(n)}


def unsorted(value):
    """Definite and shortest, but in any order."""
    return dumps({text(): value, integer(): 0, text(): 1})


good = [encode(value(rng.randint(0, 4))) for _ in range(5000)]
short = [d for d in good if len(d) < 200]
bad = [mutate(rng, d, range(256)) for d in short for _ in range(3)]
noise = [rng.randbytes(rng.randint(0, 4)) for _ in range(20000)]
deep = [b"\x81" * n + b"\x00" for n in range(20)] + [b"\xa1\x00" * n + b"\x00" for n in range(20)]
compare(b"c", good + bad + noise + deep + [unsorted(1) for _ in range(200)], expect, json.loads)
