"""sealed_inward.py CASEMATE: containers of sealed_writer.py, opened by the program.

The honest ones it must open. Of the others each breaks one rule in a way that only a holder of the
content key can, and the program must refuse it for the reason given and leave no output.
"""
import os
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
from sealed_writer import Writer, cbor, table

if b"ML-DSA" not in subprocess.run([reader.OPENSSL, "list", "-signature-algorithms"], check=False,
                                   stdout=subprocess.PIPE).stdout:
    print("SKIP: no openssl of 3.5 or later")
    sys.exit(77)
CLI = os.path.abspath(sys.argv[1])
PHRASE = b"open sesame"
DATA = bytes(range(256)) * 600
failures = []


def casemate(*arguments):
    return subprocess.run([CLI, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          check=False)


def attempt(data, *trust):
    """(exit code, text, whether there is an output)"""
    with open("m.sealed", "wb") as f:
        f.write(data)
    subprocess.run(["rm", "-rf", "out", "out.part"], check=True)
    done = casemate("open", "m.sealed", "--passphrase-file", "phrase", "-o", "out", "--quiet",
                    *(trust or ["--unsigned"]))
    return done.returncode, done.stdout.decode(errors="replace").strip(), os.path.lexists("out")


def check(name, truth, text):
    print(("ok      " if truth else "FAIL    ") + name + ": " + text)
    if not truth:
        failures.append(name)


def opens(name, plain, **wrong):
    data = Writer(PHRASE, **wrong).seal(plain)
    assert reader.Sealed(data).open(passphrase=PHRASE) == plain
    code, text, there = attempt(data)
    same = there and open("out", "rb").read() == plain
    check(name, code == 0 and same, text or "opened")


def opens_folder(name, files):
    code, text, there = attempt(Writer(PHRASE).seal(table(files), "directory"))
    same = there and all(open("out/" + p, "rb").read() == d and
                         os.access("out/" + p, os.X_OK) == x for p, x, d in files)
    check(name, code == 0 and same, text or "opened")


def refuses(name, reasons, plain=DATA, kind="raw", trust=(), **wrong):
    code, text, there = attempt(Writer(PHRASE, **wrong).seal(plain, kind), *trust)
    named = any(f"[{why}]" in text for why in reasons.split())
    check(name, 0 < code < 126 and named and not there, text)


def change(key, value):
    """A record with one thing else."""
    return lambda r: {**r, key: value(r[key]) if callable(value) else value}


def without(key):
    return lambda r: {k: v for k, v in r.items() if k != key}


def flip(data):
    return data[:5] + bytes([data[5] ^ 1]) + data[6:]


def honest():
    for size in (0, 1, 4095, 4096, 4097, 65535, 65536, 131072, len(DATA)):
        opens(f"{size} bytes", DATA[:size])
    opens("private digest", DATA, salt=bytes(range(32)))
    opens("two levels", bytes(1025 * 65536 + 1))
    opens("a stanza of a kind unknown", DATA, stanzas=lambda s: [{1: 9, 2: b"x", 3: b"y"}] + s)
    opens("a format unknown here", DATA, manifest=change(8, "pickle"))
    opens("both slots: the later one", DATA, slots=lambda s: s[4096:] + s[:4096])
    opens_folder("folder", [("a/b", False, b"1"), ("a/c", True, bytes(5000)), ("d", False, b"")])


FOLDERS = {
    "parent": ["../x"], "parent inside": ["a/../x"], "absolute": ["/x"], "dot": ["./x"], "empty": [""],
    "empty component": ["a//b"], "slash at the end": ["a/"], "backslash": ["a\\b"],
    "control": ["a\nb"], "order": ["b", "a"], "twice": ["a", "a"], "prefix": ["a", "a/b"],
    "prefix, not next to it": ["a", "a-b", "a/c"], "long": ["x" * 1025], "long component": ["a/" + "x" * 256], "deep": ["a/" * 33 + "x"],
    "C1 control": ["a\x85"],
}


def hostile_folders():
    """S-7, S-17"""
    for name, paths in FOLDERS.items():
        plain = table([(p, False, b"x") for p in paths])
        refuses("table: " + name, "DIR_TABLE DIR_PATH DIR_ORDER", plain, "directory")
    good = table([("a", False, b"x")])
    refuses("table: padding", "DIR_TABLE", good[:-1] + b"x", "directory")
    refuses("table: bytes behind", "DIR_TABLE", good + bytes(4096), "directory")
    refuses("table: a size that wraps", "DIR_TABLE", table([("a", False, b"")]).replace(
        cbor(["a", 0, False]), cbor(["a", (1 << 64) - 4096, False])), "directory")


def hostile():
    """S-2, S-3, S-5, S-10, S-11, S-12, S-14, S-16, S-17; E-1, E-2, E-6, E-7"""
    refuses("commitment", "ENVELOPE_COMMITMENT", commitment=bytes(32))
    refuses("Argon2id of 2 TiB", "ENVELOPE_COST", stanzas=lambda s: [change(5, [1 << 31, 1, 1])(s[0])])
    refuses("Argon2id of 1 MiB", "ENVELOPE_COST", cost=(1024, 1, 1))
    refuses("a field more in a stanza", "ENVELOPE_MALFORMED", stanzas=lambda s: [change(4, 1)(s[0])])
    refuses("no stanza", "ENVELOPE_MALFORMED", stanzas=[])
    refuses("envelope of version 2", "ENVELOPE_MALFORMED", envelope=change(1, 2))
    refuses("no slot", "SEALED_SLOTS", slots=bytes(8192))
    for name, edit in {"suite": change(2, 2), "tier": change(3, 5), "segment": change(4, 65537),
                       "leaf": change(5, 131072), "layout": change(6, 2), "an unknown key": change(9, 1),
                       "salt": change(8, bytes(59)), "id": change(1, bytes(15))}.items():
        refuses("core header: " + name, "SEALED_SUITE SEALED_HEADER", core=edit)
    refuses("tier 3 to a passphrase", "ENVELOPE_PASSPHRASE", core=change(3, 3))
    refuses("a full last segment: body", "SEALED_MANIFEST", DATA[:131072], full_end=b"body")
    refuses("a full last segment: tree", "SEALED_TREE", bytes(1024 * 65536), full_end=b"tree")
    refuses("a segment swapped for another", "SEALED_DIGEST", body=flip(DATA))
    refuses("tree: a node", "SEALED_TREE", tree=flip)
    refuses("tree: a node of the upper level", "SEALED_TREE", bytes(1025 * 65536), tree=lambda t: t[:-1] + b"x")
    refuses("tree: padding", "SEALED_TREE", bytes(1025 * 65536), tree=lambda t: t[:-65] + b"x" + t[-64:])
    refuses("tree: longer", "SEALED_TREE", tree=lambda t: t + bytes(32))
    for name, edit in {"hd": change(2, bytes(32)), "digest": change(3, flip), "leaves": change(4, 1),
                       "size": change(5, len(DATA) - 1), "size, 2^63": change(5, 1 << 63),
                       "format": change(8, "directory"),
                       "index": change(9, flip), "version": change(1, 2),
                       "name": change(6, ""),
                       "an unknown key": change(15, 1), "no digest": without(3),
                       "a long licence": change(11, "x" * 129)}.items():
        refuses("manifest: " + name, "SEALED_MANIFEST SEALED_TREE SEALED_INDEX", manifest=edit)
    refuses("manifest: bytes behind", "SEALED_MANIFEST", manifest_bytes=lambda m: m + b"\0")
    refuses("manifest: too long", "SEALED_FOOTER", manifest=change(13, [["k", "v" * 200]] * 400))
    refuses("signatures: not an array", "SEALED_SIGNATURES", signatures=b"\xa0")
    refuses("signatures: nine", "SEALED_SIGNATURES", signatures=cbor([{1: 2, 2: bytes(1952), 3: bytes(3309)}] * 9))
    tensor = ["t", "F32", [1], 0, 4]
    for name, bad in {"outside": tensor[:3] + [len(DATA) - 3, 4], "wraps": tensor[:3] + [(1 << 64) - 4, 8],
                      "form": tensor[:4], "dtype": ["t", "F 32", [1], 0, 4],
                      "dimensions": ["t", "F32", [1] * 9, 0, 4]}.items():
        refuses("index: tensor " + name, "SEALED_INDEX", index=change(4, [bad]))
    for name, bad in {"twice": [tensor, ["t", "F32", [1], 4, 4]],
                      "overlap": [tensor, ["u", "F32", [1], 2, 4]],
                      "order": [["t", "F32", [1], 8, 4], ["u", "F32", [1], 0, 4]]}.items():
        refuses("index: tensors: " + name, "SEALED_INDEX", index=change(4, bad))
    for bad in ("../x", "a/b", "", "."):
        refuses("index: file name " + repr(bad), "SEALED_INDEX", index=change(3, bad))
    refuses("index: version", "SEALED_INDEX", index=change(1, 2))
    refuses("index: bytes behind", "SEALED_INDEX", index_bytes=lambda i: i + b"\0")


# ---- who may open it, who signed it ----------------------------------------------------------


def kem_stanza(kem, size):
    return {1: 1, 2: bytes(16), 3: bytes(size), 4: kem}


def recipients():
    """E-6, E-8, E-9, E-10"""
    classical, weak = kem_stanza(0x20, 80), kem_stanza(0x40, 768 + 48)
    refuses("classical beside a passphrase", "ENVELOPE_MIXED", stanzas=lambda s: s + [classical])
    refuses("classical alone", "ENVELOPE_CLASSICAL", stanzas=[classical])
    refuses("ML-KEM-512", "ENVELOPE_LEVEL", stanzas=lambda s: s + [weak])
    refuses("a KEM body too short", "ENVELOPE_MALFORMED",
            stanzas=lambda s: s + [kem_stanza(0x647A, 100)])
    refuses("the fifth passphrase", "ENVELOPE_WRONG_PASSPHRASE ENVELOPE_NOT_FOR_US",
            stanzas=lambda s: [change(2, bytes([i]) * 16)(s[0]) for i in range(4)] + s)


def make_key(name, algorithm):
    reader.openssl("genpkey", "-algorithm", algorithm, "-out", name + ".pem")
    reader.openssl("pkey", "-in", name + ".pem", "-pubout", "-out", name + ".pub")


def signature(name, message, context="casemate/model/v1"):
    number, public = reader.public_key(open(name + ".pub", "rb").read())
    made = reader.openssl("pkeyutl", "-sign", "-inkey", name + ".pem", "-rawin", "-in", "{message}",
                          "-out", "{out}", "-pkeyopt", "context-string:" + context,
                          secret=[("message", message)])
    return {1: number, 2: public, 3: made}


def signatures():
    """S-13, S-14: made by openssl(1)."""
    for name, algorithm in (("strong", "ML-DSA-65"), ("weak", "ML-DSA-44"), ("other", "ML-DSA-87")):
        make_key(name, algorithm)
    trust = ("--from", "strong.pub", "--from", "weak.pub")
    code, text, there = attempt(
        Writer(PHRASE, sign=lambda m: cbor([signature("strong", m)])).seal(DATA), *trust)
    check("signed by openssl", code == 0 and there, text or "opened")
    for name, why, sign in (
            ("nobody", "SEALED_UNSIGNED", lambda m: []),
            ("a stranger", "SEALED_UNTRUSTED", lambda m: [signature("other", m)]),
            ("ML-DSA-44", "SEALED_WEAK_SIGNATURE", lambda m: [signature("weak", m)]),
            ("for another purpose", "SEALED_SIGNATURE",
             lambda m: [signature("strong", m, "casemate/audit/v1")]),
            ("another manifest", "SEALED_SIGNATURE", lambda m: [signature("strong", m + b"x")]),
            ("one holds, one does not", "SEALED_SIGNATURE",
             lambda m: [signature("strong", m), signature("weak", m + b"x")]),
            ("the wrong number", "SEALED_SIGNATURE SEALED_UNTRUSTED SEALED_SIGNATURES",
             lambda m: [change(1, 10)(signature("strong", m))])):
        refuses("signed: " + name, why, trust=trust, sign=lambda m, s=sign: cbor(s(m)))


def main():
    with tempfile.TemporaryDirectory() as work:
        os.chdir(work)
        os.environ["CASEMATE_HOME"] = work + "/home"
        with open("phrase", "wb") as f:
            f.write(PHRASE + b"\n")
        for part in (honest, hostile_folders, hostile, recipients, signatures):
            part()
    print(f"{len(failures)} failed")
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
