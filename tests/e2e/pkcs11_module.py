#!/usr/bin/env python3
"""pkcs11_module.py MODULE: the module inside a process that uses the system's OpenSSL: ML-DSA,
ML-KEM and AES through C_GetInterface, the rule of two calls, hostile arguments, threads, a fork."""
import ctypes
import hashlib
import os
import ssl
import sys
import threading
from ctypes import POINTER, byref, c_char_p, c_ubyte, c_ulong, c_void_p

U = c_ulong


class Attribute(ctypes.Structure):
    _fields_ = [("type", U), ("value", c_void_p), ("n", U)]


class Mechanism(ctypes.Structure):
    _fields_ = [("type", U), ("parameter", c_void_p), ("n", U)]


class Gcm(ctypes.Structure):
    _fields_ = [("iv", c_void_p), ("iv_n", U), ("iv_bits", U), ("aad", c_void_p), ("aad_n", U), ("tag_bits", U)]


class Interface(ctypes.Structure):
    _fields_ = [("name", c_char_p), ("list", c_void_p), ("flags", U)]


before = hashlib.sha256(b"x").hexdigest(), ssl.OPENSSL_VERSION
lib = ctypes.CDLL(sys.argv[1], mode=os.RTLD_LOCAL | os.RTLD_NOW)


def call(name, *args, want=0):
    f = getattr(lib, "C_" + name)
    f.restype = U
    rv = f(*[U(a) if isinstance(a, int) else a for a in args])
    assert rv == want, f"C_{name} returned {rv:#x}, not {want:#x}"


def template(*pairs):
    a = (Attribute * len(pairs))()
    keep = []
    for i, (t, v) in enumerate(pairs):
        if isinstance(v, bool):
            v = b"\1" if v else b"\0"
        elif isinstance(v, int):
            v = v.to_bytes(8, "little")
        keep.append(ctypes.create_string_buffer(v, len(v)))
        a[i] = Attribute(t, ctypes.cast(keep[-1], c_void_p), len(v))
    a.keep = keep
    return a


def find(session, *pairs):
    t, got, n = template(*pairs), (U * 64)(), U()
    call("FindObjectsInit", session, t, len(pairs))
    call("FindObjects", session, got, 64, byref(n))
    call("FindObjectsFinal", session)
    return list(got[:n.value])


def attribute(session, obj, kind, want=0):
    a = (Attribute * 1)(Attribute(kind, None, 0))
    call("GetAttributeValue", session, obj, a, 1, want=want)
    if want:
        return None
    room = ctypes.create_string_buffer(a[0].n)
    a[0].value = ctypes.cast(room, c_void_p)
    call("GetAttributeValue", session, obj, a, 1)
    return room.raw[:a[0].n]


def sign(session, mech, key, data):
    m, n = Mechanism(mech, None, 0), U(0)
    call("SignInit", session, byref(m), key)
    call("Sign", session, data, len(data), None, byref(n))
    small = U(n.value - 1)
    call("Sign", session, data, len(data), (c_ubyte * n.value)(), byref(small), want=0x150)
    out = (c_ubyte * n.value)()
    call("Sign", session, data, len(data), out, byref(n))
    call("Sign", session, data, len(data), out, byref(n), want=0x91)
    return bytes(out[:n.value])


def verify(session, mech, key, data, sig, want=0):
    m = Mechanism(mech, None, 0)
    call("VerifyInit", session, byref(m), key)
    call("Verify", session, data, len(data), sig, len(sig), want=want)


def open_session():
    s = U()
    call("OpenSession", 0, 6, None, None, byref(s))
    return s.value


def key_of(session, label, cls):
    found = find(session, (0x3, label), (0x0, cls))
    assert len(found) == 1, (label, cls, found)
    return found[0]


call("GetSlotList", 1, None, byref(U()), want=0x190)
call("Initialize", None)
call("Initialize", None, want=0x191)
i = POINTER(Interface)()
call("GetInterface", b"PKCS 11", bytes([3, 2]), byref(i), 0)
assert bytes((c_ubyte * 2).from_address(i.contents.list)) == bytes([3, 2])
call("GetInterface", b"PKCS 12", None, byref(i), 0, want=0x6)
s = open_session()

# ---- ML-DSA, short and long, and what is wrong
private, public = key_of(s, b"mldsa", 3), key_of(s, b"mldsa", 2)
for data in b"hello", bytes(300000):
    sig = sign(s, 0x1D, private, data)
    assert len(sig) == 3309
    verify(s, 0x1D, public, data, sig)
    verify(s, 0x1D, public, data, sig[:-1] + bytes([sig[-1] ^ 1]), want=0xC0)
    verify(s, 0x1D, public, data, sig[:-1], want=0xC1)
assert len(attribute(s, public, 0x11)) == 1952 and attribute(s, public, 0x61D)[0] == 2
attribute(s, private, 0x11, want=0x11)
attribute(s, private, 0x120, want=0x12)
m = Mechanism(0x1D, None, 0)
call("SignInit", s, byref(m), public, want=0x68)
call("SignInit", s, byref(Mechanism(0x1041, None, 0)), private, want=0x63)
call("SignInit", s, byref(Mechanism(0x9999, None, 0)), private, want=0x70)
call("SignInit", s, byref(Mechanism(0x1D, ctypes.cast(b"x" * 7, c_void_p), 7)), private, want=0x71)
call("SignInit", s, byref(m), 999999, want=0x60)
call("SignInit", 77, byref(m), private, want=0xB3)
call("FindObjectsInit", s, None, 1 << 40, want=0x7)
huge = (Attribute * 1)(Attribute(3, ctypes.cast(b"x", c_void_p), 1 << 40))
call("FindObjectsInit", s, huge, 1, want=0x13)

# ---- ML-KEM
ct, n, h = (c_ubyte * 1088)(), U(0), U()
t = template((0x0, 4), (0x100, 0x10), (0x103, False), (0x162, True))
kem_public, kem_private = key_of(s, b"kem", 2), key_of(s, b"kem", 3)
m = Mechanism(0x17, None, 0)
call("EncapsulateKey", s, byref(m), kem_public, t, 4, None, byref(n), byref(h))
assert n.value == 1088
call("EncapsulateKey", s, byref(m), kem_public, t, 4, ct, byref(n), byref(h))
ours = attribute(s, h.value, 0x11)
call("DecapsulateKey", s, byref(m), kem_private, t, 4, ct, 1088, byref(h))
assert attribute(s, h.value, 0x11) == ours and len(ours) == 32
call("DecapsulateKey", s, byref(m), kem_private, t, 4, ct, 1087, byref(h), want=0x41)
call("DecapsulateKey", s, byref(m), kem_private, template((0x0, 4)), 1, ct, 1088, byref(h))
attribute(s, h.value, 0x11, want=0x11)
call("DestroyObject", s, h.value)
attribute(s, h.value, 0x11, want=0x82)
call("DestroyObject", s, kem_private, want=0x1B)

# ---- AES: the nonce is the server's
aes = key_of(s, b"aes", 4)
g = Gcm(None, 0, 0, ctypes.cast(b"aad", c_void_p), 3, 128)
m = Mechanism(0x1087, ctypes.cast(byref(g), c_void_p), ctypes.sizeof(g))
box, n = (c_ubyte * 200)(), U(200)
call("EncryptInit", s, byref(m), aes)
call("Encrypt", s, b"secret", 6, box, byref(n))
assert n.value == 88
back, k = (c_ubyte * 200)(), U(200)
call("DecryptInit", s, byref(m), aes)
call("Decrypt", s, box, n.value, back, byref(k))
assert bytes(back[:k.value]) == b"secret"
box[20] ^= 1
call("DecryptInit", s, byref(m), aes)
call("Decrypt", s, box, n.value, back, byref(k), want=0x40)
call("EncryptInit", s, byref(m), aes)
call("Encrypt", s, bytes(65537), 65537, back, byref(k), want=0x21)
g.iv, g.iv_n, g.iv_bits = ctypes.cast(bytes(12), c_void_p), 12, 96
call("EncryptInit", s, byref(m), aes, want=0x71)
attribute(s, aes, 0x11, want=0x11)

# ---- threads, each with a session of its own
failed = []


def work():
    try:
        mine = open_session()
        for _ in range(5):
            verify(mine, 0x1D, public, b"t", sign(mine, 0x1D, private, b"t"))
        call("CloseSession", mine)
    except BaseException as e:
        failed.append(e)
        raise


threads = [threading.Thread(target=work) for _ in range(4)]
for x in threads:
    x.start()
for x in threads:
    x.join()
assert not failed, failed

# ---- a child begins anew, and its parent goes on
pid = os.fork()
if pid == 0:
    try:
        call("GetSessionInfo", s, None, want=0x190)
        call("Initialize", None)
        s = open_session()
        sign(s, 0x1D, key_of(s, b"mldsa", 3), b"child")
        call("Finalize", None)
    except BaseException as e:
        print("child:", e, flush=True)
        os._exit(1)
    os._exit(0)
assert os.waitpid(pid, 0)[1] == 0, "the child failed"
sign(s, 0x1D, private, b"parent")
call("Finalize", None)
call("Finalize", None, want=0x190)
assert (hashlib.sha256(b"x").hexdigest(), ssl.OPENSSL_VERSION) == before
ssl.create_default_context()
print("ok", before[1])
