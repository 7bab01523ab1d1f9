"""Our protobuf and Google's: the same bytes, the same refusals, the same descriptor."""
import base64
import json
import random
import shutil
import subprocess
import sys
import tempfile

from probe import ask, mutate

try:
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
    from google.protobuf.message import DecodeError
except ImportError:
    print("SKIP: python3-protobuf is not installed")
    sys.exit(77)

rng = random.Random(3)
KINDS = {1: "aes-256", 2: "ml-dsa-65", 300: "other"}
FORMS = {0: "message", 1: "digest"}


def load():
    ((ok, data),) = ask(b"d", [b""])
    assert ok, data
    file = descriptor_pb2.FileDescriptorProto.FromString(data)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return file, pool


def compare_with_protoc(ours):
    """The .proto and the descriptor are two ways to say one thing."""
    if not shutil.which("protoc"):
        print("SKIP: protoc is not installed: the .proto is not held against the descriptor")
        return
    ((ok, text),) = ask(b"t", [b""])
    assert ok, text
    with tempfile.TemporaryDirectory() as folder:
        with open(f"{folder}/probe.proto", "wb") as f:
            f.write(text)
        subprocess.run(["protoc", f"-I{folder}", f"-o{folder}/set", f"{folder}/probe.proto"],
                       check=True)
        with open(f"{folder}/set", "rb") as f:
            theirs = descriptor_pb2.FileDescriptorSet.FromString(f.read()).file[0]
    for message in theirs.message_type:
        for field in message.field:
            field.ClearField("json_name")
    if theirs != ours:
        sys.exit(f"descriptors differ:\n{theirs}\n---\n{ours}")
    print("descriptor and .proto agree with protoc")


def text(most):
    out = ""
    while rng.random() < 0.8:
        c = rng.choice(["a", "ä", "€", "😀", "\0", '"', "\\", "\x7f", "\u2028", "z"])
        if len((out + c).encode()) > most:
            break
        out += c
    return out


def number():
    return rng.choice([0, 1, 127, 128, 300, 2**32, 2**63, 2**64 - 1, rng.getrandbits(64)])


def some(n, make):
    return [make() for _ in range(rng.randint(1, n))]


def inner(depth=2):
    m = {"id": number()}
    if rng.random() < 0.5:
        m["label"] = text(16)
    if depth and rng.random() < 0.5:
        m["next"] = inner(depth - 1)
    return m


def sample():
    makers = {
        "name": lambda: text(64), "data": lambda: rng.randbytes(rng.choice([0, 1, 2, 3, 64, 4096])),
        "count": number, "on": lambda: rng.random() < 0.5, "kind": lambda: rng.choice([*KINDS]),
        "inner": inner, "names": lambda: some(5, lambda: text(8)),
        "blobs": lambda: some(5, lambda: rng.randbytes(rng.randint(0, 8))),
        "numbers": lambda: some(9, number), "flags": lambda: some(5, lambda: rng.random() < 0.5),
        "kinds": lambda: some(5, lambda: rng.choice([*KINDS])),
        "inners": lambda: some(5, inner), "small": lambda: rng.randint(0, 100),
        "form": lambda: rng.choice([*FORMS]),
    }
    return {k: make() for k, make in makers.items() if rng.random() < 0.5}


def as_json(v, key=None):
    if isinstance(v, dict):
        return {k: as_json(x, k) for k, x in v.items()}
    if isinstance(v, list):
        return [as_json(x, key) for x in v]
    if isinstance(v, bytes):
        return base64.b64encode(v).decode()
    if key in ("kind", "kinds"):
        return KINDS[v]
    return FORMS[v] if key == "form" else v


def as_message(cls, v):
    return cls(**{k: x for k, x in v.items()})


def both_ways(cls, values):
    wires = [as_message(cls, v).SerializeToString() for v in values]
    for v, wire, (ok, out) in zip(values, wires, ask(b"p", wires)):
        assert ok and json.loads(out) == as_json(v), (v, out)
    for wire, (ok, out) in zip(wires, ask(b"q", wires)):
        assert ok and cls.FromString(out) == cls.FromString(wire), (wire, out)
    texts = [json.dumps(as_json(v), ensure_ascii=rng.random() < 0.5).encode() for v in values]
    for v, (ok, out) in zip(values, ask(b"j", texts)):
        assert ok and cls.FromString(out) == as_message(cls, v), (v, out)
    print(f"{len(values)} messages the same both ways, in protobuf and JSON")


def mutations(cls, values):
    """What we take, Google's takes and reads the same; what it refuses, we refuse."""
    wires = [mutate(rng, as_message(cls, v).SerializeToString(), range(256)) for v in values]
    taken = refused = 0
    for wire, (ok, out) in zip(wires, ask(b"q", wires)):
        if not ok:
            refused += 1
            continue
        taken += 1
        try:
            theirs = cls.FromString(wire)
        except DecodeError:
            sys.exit(f"taken by us alone: {wire!r}")
        theirs.DiscardUnknownFields()
        mine = cls.FromString(out)
        if theirs.HasField("kind") and theirs.kind == 0:
            theirs.ClearField("kind")
        if theirs != mine:
            sys.exit(f"read differently: {wire!r}\n{theirs}\n---\n{mine}")
    print(f"{taken} mutated messages read the same, {refused} refused by us")
    if taken < 300 or refused < 300:
        sys.exit("too few cases on one side")


def main():
    file, pool = load()
    compare_with_protoc(file)
    factory = message_factory.MessageFactory(pool)
    cls = factory.GetPrototype(pool.FindMessageTypeByName("casemate.test.v1.Sample"))
    both_ways(cls, [sample() for _ in range(1500)])
    mutations(cls, [sample() for _ in range(8000)])


main()
