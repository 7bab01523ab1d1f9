#!/usr/bin/env python3
"""Launch digests and MRTD again, written from AMD's and Intel's documents: no code is shared with
the program. Firmware images of our own making, or those named."""
import hashlib
import json
import struct
import subprocess
import sys
import uuid

PAGE = 4096


def le(guid):
    return uuid.UUID(guid).bytes_le


class Image:
    """The table of GUIDs, read from its end."""

    def __init__(self, data):
        self.data = data
        self.entries = {}
        at = len(data) - 32
        size = struct.unpack_from("<H", data, at - 18)[0]
        assert data[at - 16:at] == le("96b582de-1fb2-45f7-baea-a366c55a082d")
        low, at = at - size, at - 18
        while at > low:
            size = struct.unpack_from("<H", data, at - 18)[0]
            self.entries[data[at - 16:at]] = data[at - size:at - 18]
            at -= size

    def u32(self, guid):
        return struct.unpack_from("<I", self.entries[le(guid)])[0]

    def behind(self, guid):
        return self.data[len(self.data) - self.u32(guid):]


class Launch:
    """SNP_LAUNCH_UPDATE: a PAGE_INFO a page."""

    def __init__(self):
        self.digest = bytes(48)

    def add(self, kind, address, contents=bytes(48)):
        info = self.digest + contents + struct.pack("<HBBBBBBQ", 112, kind, 0, 0, 0, 0, 0, address)
        self.digest = hashlib.sha384(info).digest()

    def page(self, kind, address, data):
        self.add(kind, address, hashlib.sha384(data).digest())


def vmsa(start, signature, features):
    """Table B-4 of the APM, volume 2, as KVM and QEMU fill it."""
    page = bytearray(PAGE)

    def put(at, form, *values):
        struct.pack_into("<" + form, page, at, *values)

    attributes = [0x93, 0x9b, 0x93, 0x93, 0x93, 0x93, 0, 0x82, 0, 0x8b]
    for i, a in enumerate(attributes):
        put(16 * i, "HHIQ", 0, a, 0xFFFF, 0)
    put(0x10, "HHIQ", 0xF000, 0x9B, 0xFFFF, start & 0xFFFF0000)
    for at, v in {0xD0: 0x1000, 0x148: 0x40, 0x158: 0x10, 0x160: 0x400, 0x168: 0xFFFF0FF0,
                  0x170: 2, 0x178: start & 0xFFFF, 0x268: 0x7040600070406, 0x310: signature,
                  0x3B0: features, 0x3E8: 1}.items():
        put(at, "Q", v)
    put(0x408, "I", 0x1F80)
    put(0x410, "H", 0x37F)
    return bytes(page)


def hash_page(image, boot):
    def sha(b):
        return hashlib.sha256(b).digest()

    entries = b""
    for guid, data in (("97d02dd8-bd20-4c94-aa78-e7714d36ab2a", boot["cmdline"] + b"\0"),
                       ("44baf731-3a2f-4bd7-9af1-41e29169781d", boot["initrd"]),
                       ("4de79437-abd2-427f-b835-d5b172d2045b", boot["kernel"])):
        entries += le(guid) + struct.pack("<H", 50) + sha(data)
    table = le("9438d606-4f22-4cc9-b479-a793d411fd21") + struct.pack("<H", 168) + entries
    at = image.u32("7255371f-3a3b-4b04-927b-1da6efa8d454") % PAGE
    return bytes(at) + table + bytes(PAGE - at - len(table))


def snp(data, vcpus, signature, features, boot):
    image, launch = Image(data), Launch()
    for at in range(0, len(data), PAGE):
        launch.page(1, (1 << 32) - len(data) + at, data[at:at + PAGE])
    meta = image.behind("dc886566-984a-4798-a75e-5585a7bf67cc")
    sign, _, _, count = struct.unpack_from("<4sIII", meta)
    assert sign == b"ASEV"
    for i in range(count):
        address, size, kind = struct.unpack_from("<III", meta, 16 + 12 * i)
        if kind == 2:
            launch.add(5, address)
        elif kind == 3:
            launch.add(6, address)
        elif kind == 0x10 and boot:
            launch.page(1, address, hash_page(image, boot))
        else:
            for at in range(0, size, PAGE):
                launch.add(3, address + at)
    reset = image.u32("00f771de-1a7e-4fcb-890e-68c77e2fb44e")
    for i in range(vcpus):
        page = vmsa(reset if i else 0xFFFFFFF0, signature, features)
        launch.page(2, 0xFFFFFFFFF000, page)
    return launch.digest.hex()


def mrtd(data, by_page):
    meta = Image(data).behind("e47a6535-984a-4798-865e-4685a7bf8ec2")
    sign, _, _, count = struct.unpack_from("<4sIII", meta)
    assert sign == b"TDVF"
    h = hashlib.sha384()

    def record(name, address):
        h.update(name.ljust(16, b"\0") + struct.pack("<Q", address) + bytes(104))

    for i in range(count):
        offset, _, address, size, _, flags = struct.unpack_from("<IIQQII", meta, 16 + 32 * i)
        pages = range(0, size, PAGE)
        steps = [(p, p) for p in pages] if by_page else [(p, None) for p in pages] + \
            [(None, p) for p in pages]
        for add, extend in steps:
            if add is not None and not flags & 2:
                record(b"MEM.PAGE.ADD", address + add)
            for at in range(extend, extend + PAGE, 256) if extend is not None and flags & 1 else ():
                record(b"MR.EXTEND", address + at)
                h.update(data[offset + at:offset + at + 256])
    return h.hexdigest()


def make():
    """64 KiB of pages that differ, with both metadata and a table of hashes."""
    data = bytearray(b"".join(hashlib.sha512(struct.pack("<I", i)).digest() for i in range(1024)))
    sev_at, tdx_at = len(data) - 3000, len(data) - 2000
    sev = [(0x800000, 0x9000, 1), (0x80D000, 0x1000, 2), (0x80E000, 0x1000, 3),
           (0x80F000, 0x1000, 4), (0x810000, 0x1000, 16), (0x811000, 0xF000, 1)]
    blob = struct.pack("<4sIII", b"ASEV", 16 + 12 * len(sev), 1, len(sev))
    blob += b"".join(struct.pack("<III", *s) for s in sev)
    data[sev_at:sev_at + len(blob)] = blob
    tdx = [(0x4000, 0xC000, 0xFFFF4000, 0xC000, 0, 1), (0, 0x4000, 0xFFFF0000, 0x4000, 1, 0),
           (0, 0, 0x809000, 0x2000, 2, 0), (0, 0, 0x1000000, 0x100000, 4, 2)]
    blob = struct.pack("<4sIII", b"TDVF", 16 + 32 * len(tdx), 1, len(tdx))
    blob += b"".join(struct.pack("<IIQQII", *s) for s in tdx)
    data[tdx_at:tdx_at + len(blob)] = blob
    table = b""
    for guid, value in (("e47a6535-984a-4798-865e-4685a7bf8ec2", struct.pack("<I", 2000)),
                        ("dc886566-984a-4798-a75e-5585a7bf67cc", struct.pack("<I", 3000)),
                        ("7255371f-3a3b-4b04-927b-1da6efa8d454",
                         struct.pack("<II", 0x810C40, 1024)),
                        ("00f771de-1a7e-4fcb-890e-68c77e2fb44e", struct.pack("<I", 0x80B004))):
        table += value + struct.pack("<H", 18 + len(value)) + le(guid)
    table += struct.pack("<H", 18 + len(table)) + le("96b582de-1fb2-45f7-baea-a366c55a082d")
    data[-32 - len(table):-32] = table
    return bytes(data)


def said(*args):
    run = subprocess.run(["casemate", "attest", "measure", *args, "--json"], check=True,
                         capture_output=True, text=True)
    return json.loads(run.stdout.splitlines()[0])["measurement"]


def compare(path, with_boot):
    data = open(path, "rb").read()
    boot = {"kernel": b"kernel" * 999, "initrd": b"initrd", "cmdline": b"console=ttyS0 quiet"}
    for name in ("kernel", "initrd"):
        open(name + ".img", "wb").write(boot[name])
    for model, signature, vcpus in (("EPYC-v4", 0x800F12, 1), ("EPYC-Milan", 0xA00F11, 2),
                                    ("EPYC-Genoa", 0xA10F10, 4), ("EPYC-Turin", 0xB00F00, 3)):
        args = ["snp", "-f", path, "-n", str(vcpus), "--cpu", model]
        assert said(*args) == snp(data, vcpus, signature, 1, None), (path, model)
    if with_boot:
        args += ["--kernel", "kernel.img", "--initrd", "initrd.img", "--cmdline",
                 boot["cmdline"].decode(), "--features", "0x21"]
        assert said(*args) == snp(data, 3, 0xB00F00, 0x21, boot), path
    assert said("tdx", "-f", path) == mrtd(data, True), path
    assert said("tdx", "-f", path, "--order", "section") == mrtd(data, False), path


# AT-147, AT-148
def program(plus, certs, tail):
    """A PE file with two sections out of order, a checksum, and signatures behind."""
    opt = 112 + 16 * 8 if plus else 96 + 16 * 8
    data = bytearray(b"MZ".ljust(64, b"\0"))
    struct.pack_into("<I", data, 60, 64)
    data += b"PE\0\0" + struct.pack("<HHIIIHH", 0x8664, 2, 0, 0, 0, opt, 0)
    head = bytearray(opt)
    struct.pack_into("<H", head, 0, 0x20B if plus else 0x10B)
    struct.pack_into("<II", head, 60, 1024, 0xDEADBEEF)
    dirs = 112 if plus else 96
    struct.pack_into("<I", head, dirs - 4, 16)
    size = 1024 + 512 + 1024 + len(tail)
    struct.pack_into("<II", head, dirs + 32, size if certs else 0, certs)
    data += head
    for name, at, n in ((b".b", 1536, 1024), (b".a", 1024, 512)):
        data += struct.pack("<8sIIIIIIHHI", name, n, 0x1000, n, at, 0, 0, 0, 0, 0)
    data = data.ljust(1024, b"\0") + bytes(range(256)) * 6 + tail + b"signature" * 9
    checksum, entry = 64 + 24 + 64, 64 + 24 + dirs + 32
    hashed = data[:checksum] + data[checksum + 4:entry] + data[entry + 8:size] + \
        (b"" if certs else data[size:])
    return bytes(data), bytes(hashed)


def extend(digests):
    reg = bytes(48)
    for d in digests:
        reg = hashlib.sha384(reg + d).digest()
    return reg.hex()


def boots():
    """RTMR1 and RTMR2 of a kernel that is started directly."""
    for plus, certs, tail in ((True, 81, b""), (True, 0, b""), (False, 81, b"tail of it")):
        data, hashed = program(plus, certs, tail)
        open("program.efi", "wb").write(data)
        open("initrd.img", "wb").write(b"initrd")
        run = subprocess.run(["casemate", "attest", "measure", "tdx", "--kernel", "program.efi",
                              "--initrd", "initrd.img", "--cmdline", "quiet initrd=initrd",
                              "--json"], check=True, capture_output=True, text=True)
        seen = json.loads(run.stdout.splitlines()[0])

        def sha(b):
            return hashlib.sha384(b).digest()

        assert seen["kernel"] == sha(hashed).hex(), (plus, certs)
        assert seen["rtmr1"] == extend([sha(hashed), sha(
            b"Calling EFI Application from Boot Option"), sha(bytes(4)), sha(
                b"Exit Boot Services Invocation"), sha(
                    b"Exit Boot Services Returned with Success")])
        assert seen["rtmr2"] == extend([sha("quiet initrd=initrd\0".encode("utf-16-le")),
                                        sha(b"initrd")])


open("own.fd", "wb").write(make())
boots()
compare("own.fd", True)
for other in sys.argv[1:]:
    compare(other, False)
    print("also of", other)
