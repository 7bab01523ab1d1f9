"""sealed_outside.py CASEMATE MAKE_MODEL MAPPER: containers of the program, read by sealed_reader.py."""
import json
import os
import struct
import subprocess
import sys
import tempfile

try:
    import argon2.low_level  # noqa: F401
    import cryptography.hazmat.primitives.ciphers.aead  # noqa: F401
except ImportError as missing:
    print(f"SKIP: {missing} (Debian: python3-cryptography python3-argon2)")
    sys.exit(77)
import sealed_reader as reader

if b"ML-KEM" not in subprocess.run([reader.OPENSSL, "list", "-kem-algorithms"], check=False,
                                   stdout=subprocess.PIPE).stdout:
    print("SKIP: no openssl of 3.5 or later")
    sys.exit(77)
CLI, MAKE_MODEL, MAPPER = (os.path.abspath(a) for a in sys.argv[1:4])
PASSPHRASE = b"correct horse battery staple"
failures = []


def casemate(*arguments, refuse=False, **options):
    done = subprocess.run([CLI, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          check=False, **options)
    if (done.returncode != 0) != refuse:
        raise SystemExit(f"casemate {' '.join(arguments)}: {done.returncode}\n" +
                         done.stderr.decode(errors="replace"))
    return done.stdout


def write(name, data):
    os.makedirs(os.path.dirname(name) or ".", exist_ok=True)
    with open(name, "wb") as f:
        f.write(data)


def read(name):
    with open(name, "rb") as f:
        return f.read()


def noise(n, seed=1):
    return reader.hashlib.shake_128(bytes([seed])).digest(n)


def check(name, truth):
    print(("ok      " if truth else "FAIL    ") + name)
    if not truth:
        failures.append(name)


def refused(name, call, *arguments):
    try:
        call(*arguments)
        check(name, False)
    except ValueError as why:
        check(f"{name} ({why})", True)


# ---- keys ------------------------------------------------------------------------------------


def make_keys():
    for name, kind in (("wing", "x-wing"), ("kem768", "ML-KEM-768"), ("kem1024", "ML-KEM-1024"),
                       ("other", "x-wing"), ("dual65", "ML-DSA-65+Ed25519"),
                       ("dual87", "ML-DSA-87+Ed25519"), ("mldsa65", "ML-DSA-65"),
                       ("mldsa87", "ML-DSA-87"), ("stranger", "ML-DSA-65")):
        casemate("key", "new", "--type", kind, "--out", name + ".pem", "--no-passphrase")
    casemate("key", "new", "--type", "x-wing", "--out", "guarded.pem", "--passphrase-file", "phrase")


def identity(name, passphrase=b""):
    return reader.Identity(read(name + ".pem"), passphrase)


def trust(*names):
    return [reader.public_key(read(n + ".pub")) for n in names]


# ---- one container ---------------------------------------------------------------------------


def sealed(out, model, *options):
    casemate("seal", model, "-o", out, "--force", "--quiet", *options)
    return reader.Sealed(read(out))


def digest_shown(name):
    return json.loads(casemate("inspect", name, "--json").splitlines()[-1])["digest"]


def outside(name, plain, signers, identities, options):
    """The program seals, we read."""
    write("model.bin", plain)
    c = sealed("model.sealed", "model.bin", *options)
    check(f"{name}: signatures", len(c.verify(trust(*signers))) == len(signers))
    for who in identities:
        same = c.open([who], PASSPHRASE) if who else c.open(passphrase=PASSPHRASE)
        check(f"{name}: {'identity ' + hex(who.kem) if who else 'passphrase'}", same == plain)
    check(f"{name}: digest", c.digest.hex() in digest_shown("model.sealed"))
    refused(f"{name}: a stranger opens nothing", c.open, [identity("other")], None)
    refused(f"{name}: a stranger signed nothing", c.verify, trust("stranger"))
    return c


def sizes():
    wing = [identity("wing")]
    base = ["--to", "wing.pub", "--sign", "dual65.pem"]
    for size in (0, 1, 65535, 65536, 65537, 1 << 20, 3000000, 4 << 20):
        outside(f"{size} bytes", noise(size), ["dual65"], wing, base)
    for size in (0, 65535, 65536, 3000000):
        outside(f"{size} bytes in 64 KiB", noise(size), ["dual65"], wing,
                base + ["--segment-size", "64K"])


def kinds():
    many = ["--to", "wing.pub", "--to", "kem768.pub", "--to", "kem1024.pub", "--to", "guarded.pub",
            "--passphrase-file", "phrase", "--sign", "mldsa65.pem", "--sign", "dual65.pem"]
    who = [identity("wing"), identity("kem768"), identity("kem1024"),
           identity("guarded", PASSPHRASE), None]
    outside("many recipients, two signatures", noise(200000), ["mldsa65", "dual65"], who, many)
    c = outside("private digest", noise(200000), ["dual65"], [identity("wing")],
                ["--to", "wing.pub", "--sign", "dual65.pem", "--private-digest"])
    leaves = reader.leaves_of(noise(200000), c.leaf, b"")
    check("the private digest is not the plain one", c.digest != reader.tree_root(leaves))
    c = outside("keyless", noise(3000000), ["dual65"], [identity("wing")],
                ["--to", "wing.pub", "--sign", "dual65.pem", "--keyless-verify"])
    check("keyless: sealed root", c.manifest.get(14) == c.sealed_root())
    c = outside("tier 3", noise(200000), ["dual87", "mldsa87"], [identity("kem1024")],
                ["--tier", "3", "--to", "kem1024.pub", "--sign", "dual87.pem", "--sign", "mldsa87.pem"])
    check("tier 3: tier", c.tier == 3)


def texts():
    c = outside("texts", b"x", ["mldsa87"], [identity("wing")],
                ["--to", "wing.pub", "--sign", "mldsa87.pem", "--name", "N\u00e9", "--licence", "MIT",
                 "--model-version", "2.1", "--publisher", "P", "--provenance", "a=b", "--policy", "pol"])
    m = c.manifest
    check("texts: manifest", (m[6], m[7], m[8], m[11], m[12], m[13]) ==
          ("N\u00e9", "2.1", "raw", "MIT", "P", [["a", "b"]]) and c.core[7] == "pol")


def rewrapped():
    sealed("model.sealed", "model.bin", "--to", "wing.pub", "--sign", "dual65.pem")
    casemate("rewrap", "model.sealed", "--add", "kem768.pub", "--identity", "wing.pem")
    c = reader.Sealed(read("model.sealed"))
    check("rewrapped: new recipient", c.open([identity("kem768")]) == read("model.bin"))
    check("rewrapped: one slot, a later one", [s[0] for s in c.slots if s] == [2])


def levels():
    """More than 1024 segments: two levels."""
    plain = noise((80 << 20) + 12345)
    c = outside("80 MiB in 64 KiB", plain, ["dual65"], [identity("wing")],
                ["--to", "wing.pub", "--sign", "dual65.pem", "--segment-size", "64K"])
    check("80 MiB: levels", [len(level) for level in c.levels] == [1281, 2])
    check("80 MiB: a part of it", casemate("cat", "model.sealed", "--range", "70000000:100000", "-i",
          "wing.pem", "--from", "dual65.pub") == plain[70000000:70100000])


def tensors_of(data):
    """{name: (dtype, shape, offset, size)} of a safetensors file"""
    (n,) = struct.unpack("<Q", data[:8])
    head = json.loads(data[8 : 8 + n])
    return {k: (v["dtype"], v["shape"], 8 + n + v["data_offsets"][0],
                v["data_offsets"][1] - v["data_offsets"][0])
            for k, v in head.items() if k != "__metadata__"}


def safetensors():
    subprocess.run([MAKE_MODEL, "safetensors", "m.safetensors", "5M"], check=True,
                   stdout=subprocess.DEVNULL)
    plain = read("m.safetensors")
    c = sealed("m.sealed", "m.safetensors", "--to", "wing.pub", "--sign", "dual65.pem")
    check("safetensors: bytes", c.open([identity("wing")]) == plain)
    check("safetensors: format and name", (c.manifest[8], c.name) == ("safetensors", "m.safetensors"))
    check("safetensors: index", c.tensors == tensors_of(plain) and len(c.tensors) > 1)
    name, (_, _, at, size) = sorted(c.tensors.items())[0]
    check("safetensors: one tensor", casemate("cat", "m.sealed", "--tensor", name, "-i", "wing.pem",
          "--from", "dual65.pub") == plain[at : at + size])


def directory():
    files = {"config.json": b"{}", "a/b/deep.bin": noise(70000), "empty": b"", "run.sh": b"#!/bin/sh\n",
             "a-b": b"1", "\u00fc.txt": noise(4096)}
    for name, data in files.items():
        write("folder/" + name, data)
    os.chmod("folder/run.sh", 0o755)
    c = sealed("folder.sealed", "folder", "--to", "wing.pub", "--sign", "dual65.pem", "--private-digest")
    table = reader.table_of(c.open([identity("wing")]))
    check("directory: files", {p: d for p, _, d in table} == files)
    check("directory: executable", [p for p, x, _ in table if x] == ["run.sh"])
    check("directory: format", c.manifest[8] == "directory")


def in_memory():
    """exec: another program opens and maps the path, and can't change what is there."""
    write("model.bin", noise(3000000))
    sealed("model.sealed", "model.bin", "--to", "wing.pub", "--sign", "dual65.pem")
    out = casemate("exec", "--model", "model.sealed", "-i", "wing.pem", "--from", "dual65.pub", "--",
                   MAPPER, "{}")
    check("exec: mapped by another program", out == read("model.bin"))


# ---- and we find what is wrong ---------------------------------------------------------------


def damaged():
    write("model.bin", noise(200000))
    sealed("model.sealed", "model.bin", "--to", "wing.pub", "--sign", "mldsa65.pem")
    good = read("model.sealed")
    c = reader.Sealed(good)
    places = {"prelude": 9, "core header": 70, "body": c.at + 100000, "header of the body": c.at + 50,
              "tree": c.at + len(c.body) + 80, "index": c.at + len(c.body) + len(c.tree) + 80,
              "manifest": len(good) - 64 - len(c.signature_bytes) - 3,
              "signature": len(good) - 64 - 9, "footer": len(good) - 60,
              "slot": 4096 + 48 + 60}
    for name, at in places.items():
        bad = bytearray(good)
        bad[at] ^= 1
        refused("a flipped bit: " + name, lambda b=bytes(bad): whole(b))


def whole(data):
    c = reader.Sealed(data)
    c.verify(trust("mldsa65"))
    return c.open([identity("wing")])


def main():
    with tempfile.TemporaryDirectory() as work:
        os.chdir(work)
        os.environ["CASEMATE_HOME"] = work + "/home"
        write("phrase", PASSPHRASE + b"\n")
        make_keys()
        for part in (sizes, kinds, texts, rewrapped, levels, safetensors, directory, in_memory,
                     damaged):
            part()
    print(f"{len(failures)} failed")
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
