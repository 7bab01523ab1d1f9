"""Our readers of safetensors and GGUF and ones in Python, written from the formats' own documents,
take the same files and find the same tensors in them."""
import json
import math
import random
import struct

from probe import compare, mutate

rng = random.Random(20230)

BITS = {"BOOL": 8, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8,
        "F8_E5M2FNUZ": 8, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "I16": 16, "U16": 16, "F16": 16,
        "BF16": 16, "I32": 32, "U32": 32, "F32": 32, "F64": 64, "I64": 64, "U64": 64, "C64": 64}

# Elements and bytes of a block.
GGML = {0: ("F32", 1, 4), 1: ("F16", 1, 2), 2: ("Q4_0", 32, 18), 3: ("Q4_1", 32, 20),
        6: ("Q5_0", 32, 22), 7: ("Q5_1", 32, 24), 8: ("Q8_0", 32, 34), 9: ("Q8_1", 32, 36),
        10: ("Q2_K", 256, 84), 11: ("Q3_K", 256, 110), 12: ("Q4_K", 256, 144),
        13: ("Q5_K", 256, 176), 14: ("Q6_K", 256, 210), 15: ("Q8_K", 256, 292),
        16: ("IQ2_XXS", 256, 66), 17: ("IQ2_XS", 256, 74), 18: ("IQ3_XXS", 256, 98),
        19: ("IQ1_S", 256, 50), 20: ("IQ4_NL", 32, 18), 21: ("IQ3_S", 256, 110),
        22: ("IQ2_S", 256, 82), 23: ("IQ4_XS", 256, 136), 24: ("I8", 1, 1), 25: ("I16", 1, 2),
        26: ("I32", 1, 4), 27: ("I64", 1, 8), 28: ("F64", 1, 8), 29: ("IQ1_M", 256, 56),
        30: ("BF16", 1, 2), 34: ("TQ1_0", 256, 54), 35: ("TQ2_0", 256, 66), 39: ("MXFP4", 32, 17),
        40: ("NVFP4", 64, 36), 41: ("Q1_0", 128, 18), 42: ("Q2_0", 64, 18)}


def need(condition, why="refused"):
    if not condition:
        raise ValueError(why)


def in_order(tensors):
    return sorted(tensors, key=lambda t: (t[3], t[4], t[0].encode()))


# ---- safetensors

def unique(pairs):
    need(len({k for k, _ in pairs}) == len(pairs), "duplicate")
    return dict(pairs)


def natural(digits):
    need(digits[0] != "-" and int(digits) < 1 << 64, "number")
    return int(digits)


def refuse(word):
    raise ValueError(word)


def is_name(text):
    return isinstance(text, str) and len(text.encode()) <= 1024


def read_safetensors(data):
    need(len(data) >= 8)
    (n,) = struct.unpack_from("<Q", data)
    need(2 <= n <= 100_000_000 and n <= len(data) - 8 and data[8:9] == b"{")
    header = json.loads(data[8 : 8 + n].decode(), object_pairs_hook=unique, parse_int=natural,
                        parse_float=refuse, parse_constant=refuse)
    metadata = header.pop("__metadata__", {})
    need(isinstance(metadata, dict))
    for key, value in metadata.items():
        need(is_name(key) and isinstance(value, str))
        value.encode()
    found, start = [], 8 + n
    for name, t in header.items():
        need(is_name(name) and isinstance(t, dict))
        need(set(t) == {"dtype", "shape", "data_offsets"})
        numbers = [t["shape"], t["data_offsets"]]
        need(all(isinstance(x, list) and all(type(i) is int for i in x) for x in numbers))
        need(len(t["shape"]) <= 8 and len(t["data_offsets"]) == 2)
        a, b = t["data_offsets"]
        bits = math.prod(t["shape"]) * BITS[t["dtype"]]
        need(a <= b and bits % 8 == 0 and b - a == bits // 8)
        found.append([name, t["dtype"], t["shape"], a, b - a])
    found, at = in_order(found), 0
    for t in found:
        need(t[3] == at)
        at += t[4]
        t[3] += start
    need(start + at == len(data))
    return found


def name():
    return rng.choice(["w", "model.layers.%d.mlp" % rng.randint(0, 99), "é€", "😀", "a/b:c", "",
                       "q\n\"\\"]) + "%x" % rng.getrandbits(24)


def cut(total):
    """Sizes of a few tensors."""
    return [rng.choice([0, 1, 2, 8, 24, total]) for _ in range(rng.randint(0, 4))]


def frame(header, data):
    return struct.pack("<Q", len(header)) + header + data


def write_safetensors():
    header, at = {}, 0
    if rng.random() < 0.5:
        header["__metadata__"] = {name(): name() for _ in range(rng.randint(0, 3))}
    for units in cut(40):
        dtype = rng.choice(list(BITS))
        shape = [units * 8 // math.gcd(8, BITS[dtype])] + [1] * rng.randint(0, 4)
        rng.shuffle(shape)
        size = math.prod(shape) * BITS[dtype] // 8
        fields = [("dtype", dtype), ("shape", shape), ("data_offsets", [at, at + size])]
        rng.shuffle(fields)
        header[name()] = dict(fields)
        at += size
    items = list(header.items())
    rng.shuffle(items)
    text = json.dumps(dict(items), ensure_ascii=rng.random() < 0.5,
                      separators=rng.choice([(",", ":"), (", ", ": ")])).encode()
    return text + b" " * rng.choice([0, 0, -len(text) % 8]), bytes(at)


def bend_safetensors():
    """A header changed and framed anew, or a file changed anywhere."""
    header, data = write_safetensors()
    if rng.random() < 0.7:
        return frame(mutate(rng, header, b'{}[]",:0123456789 \\uedat\xc3\x00'), data)
    return mutate(rng, frame(header, data), bytes(range(256)))


# ---- GGUF

SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
STRING, ARRAY = 8, 9


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, n):
        need(n <= len(self.data) - self.at, "ends early")
        self.at += n
        return self.data[self.at - n : self.at]

    def u32(self):
        return struct.unpack("<I", self.take(4))[0]

    def u64(self):
        return struct.unpack("<Q", self.take(8))[0]

    def text(self):
        text = self.take(self.u64())
        need(len(text) <= 1024)
        return text.decode()

    def skip(self, kind, level=0):
        if kind == STRING:
            self.take(self.u64())
        elif kind == ARRAY:
            need(level < 3, "nested too deep")
            inner, n = self.u32(), self.u64()
            if inner in SIZES:
                self.take(n * SIZES[inner])
                return
            need(inner in (STRING, ARRAY) and n <= len(self.data))
            for _ in range(n):
                self.skip(inner, level + 1)
        else:
            self.take(SIZES[kind])


def read_gguf(data):
    r = Reader(data)
    need(r.take(4) == b"GGUF" and r.u32() in (2, 3))
    tensors, pairs, alignment, keys, found = r.u64(), r.u64(), 32, set(), []
    need(tensors <= 1 << 20)
    for _ in range(pairs):
        key = r.text()
        need(key and key not in keys)
        keys.add(key)
        kind = r.u32()
        need(kind in SIZES or kind in (STRING, ARRAY))
        if key == "general.alignment":
            need(kind == 4)
            alignment = r.u32()
            need(alignment and not alignment & (alignment - 1))
        else:
            r.skip(kind)
    for _ in range(tensors):
        tensor, dims = r.text(), r.u32()
        need(dims <= 4)
        shape = [r.u64() for _ in range(dims)]
        dtype, block, size = GGML[r.u32()]
        offset = r.u64()
        for i in range(1, dims + 1):
            need(math.prod(shape[:i]) < 1 << 63)
        need((shape[0] if shape else 1) % block == 0 and offset % alignment == 0)
        found.append([tensor, dtype, shape, offset, math.prod(shape) // block * size])
    start = -(-r.at // alignment) * alignment
    need(len({t[0] for t in found}) == len(found))
    end = 0
    for t in in_order(found):
        need(t[3] >= end and start + t[3] + t[4] <= len(data))
        end = t[3] + t[4]
        t[3] += start
    return in_order(found)


def string(text):
    text = text if isinstance(text, bytes) else text.encode()
    return struct.pack("<Q", len(text)) + text


def value(kind, level=0):
    if kind in SIZES:
        return rng.randbytes(SIZES[kind])
    if kind == STRING:
        return string(rng.choice(["", "llama", "\xff" * 40]))
    inner = rng.choice(list(SIZES) + [STRING] + [ARRAY] * (level < 2))
    n = rng.randint(0, 3)
    return struct.pack("<IQ", inner, n) + b"".join(value(inner, level + 1) for _ in range(n))


def write_gguf():
    pairs, alignment = [], 32
    for _ in range(rng.randint(0, 4)):
        kind = rng.choice(list(SIZES) + [STRING, ARRAY, ARRAY])
        pairs.append(string(name()) + struct.pack("<I", kind) + value(kind))
    if rng.random() < 0.3:
        alignment = rng.choice([1, 8, 64, 256])
        pairs.insert(rng.randint(0, len(pairs)),
                     string("general.alignment") + struct.pack("<II", 4, alignment))
    infos, at = [], 0
    for _ in range(rng.randint(0, 3)):
        kind = rng.choice(list(GGML))
        _, block, size = GGML[kind]
        shape = [block * rng.randint(0, 2)] + [rng.randint(1, 2) for _ in range(rng.randint(0, 3))]
        if block == 1 and rng.random() < 0.2:
            shape = []
        infos.append(string(name()) + struct.pack("<I", len(shape)) +
                     b"".join(struct.pack("<Q", d) for d in shape) +
                     struct.pack("<IQ", kind, at))
        at += math.prod(shape) // block * size
        at += -at % alignment
    rng.shuffle(infos)
    head = b"GGUF" + struct.pack("<IQQ", rng.choice([2, 3]), len(infos), len(pairs))
    head += b"".join(pairs) + b"".join(infos)
    return head + bytes(-len(head) % alignment) + bytes(at)


def bend_gguf():
    data = write_gguf()
    head = rng.randint(4, max(5, len(data) // 2))
    return mutate(rng, data[:head], bytes(range(10)) + b"\x20\x80\xff") + data[head:]


safetensors = [frame(*write_safetensors()) for _ in range(3000)]
compare(b"s", safetensors + [bend_safetensors() for _ in range(6000)], read_safetensors, json.loads)
compare(b"g", [write_gguf() for _ in range(3000)] + [bend_gguf() for _ in range(6000)], read_gguf,
        json.loads)
