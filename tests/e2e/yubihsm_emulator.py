#!/usr/bin/env python3
"""yubihsm_emulator.py PORT_FILE: a YubiHSM 2 behind a connector, as far as Yubico's published
protocol says what it does: HTTP to the connector, SCP03 to the device, and the commands that its
PKCS#11 module sends for P-256, secp256k1, Ed25519, RSA and AES keys, random bytes and objects.
Written from what is published; never compared with a device. One authentication key, 1, whose
password is "48291648"; everything is forgotten with the process."""
import hashlib
import http.server
import os
import struct
import sys
import threading

from cryptography.hazmat.primitives import cmac, hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

ECHO, CREATE, AUTHENTICATE, MESSAGE, INFO = 0x01, 0x03, 0x04, 0x05, 0x06
ERROR = 0x7f
WRONG_COMMAND, WRONG_DATA, NO_SESSION, AUTH_FAILED, WRONG_LENGTH, NO_OBJECT = 1, 2, 3, 4, 8, 11
OPAQUE, AUTH_KEY, ASYMMETRIC, SYMMETRIC = 1, 2, 3, 8
CURVES = {12: ec.SECP256R1, 13: ec.SECP384R1, 15: ec.SECP256K1}
RSA_BITS = {9: 2048, 10: 3072, 11: 4096}
ED25519, AES = 46, {50: 16, 51: 24, 52: 32}
SIZES = {12: 32, 13: 48, 15: 32, 46: 32, 9: 256, 10: 384, 11: 512, 50: 16, 51: 24, 52: 32}
DIGESTS = {20: hashes.SHA1, 32: hashes.SHA256, 48: hashes.SHA384, 64: hashes.SHA512}
PREFIXES = {19 + 32: (bytes.fromhex("3031300d060960864801650304020105000420"), hashes.SHA256)}
MGF = {32: hashes.SHA1, 33: hashes.SHA256, 34: hashes.SHA384, 35: hashes.SHA512}


class Refused(Exception):
    """A device error."""


def mac(key, data):
    c = cmac.CMAC(algorithms.AES(key))
    c.update(data)
    return c.finalize()


def derive(key, constant, context, bits):
    return mac(key, bytes(11) + bytes([constant, 0]) + struct.pack(">HB", bits, 1) +
               context)[:bits // 8]


def cbc(key, iv, data, encrypt):
    c = Cipher(algorithms.AES(key), modes.CBC(iv))
    c = c.encryptor() if encrypt else c.decryptor()
    return c.update(data) + c.finalize()


def ecb(key, data, encrypt=True):
    c = Cipher(algorithms.AES(key), modes.ECB())
    c = c.encryptor() if encrypt else c.decryptor()
    return c.update(data) + c.finalize()


def frame(command, data=b""):
    return struct.pack(">BH", command, len(data)) + data


def public_bytes(key):
    if isinstance(key, rsa.RSAPrivateKey):
        n = key.public_key().public_numbers().n
        return n.to_bytes((key.key_size + 7) // 8, "big")
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.public_key().public_bytes(serialization.Encoding.Raw,
                                             serialization.PublicFormat.Raw)
    return key.public_key().public_bytes(serialization.Encoding.X962,
                                         serialization.PublicFormat.UncompressedPoint)[1:]


class Session:
    def __init__(self, context, enc, mac_key):
        self.enc = derive(enc, 4, context, 128)
        self.mac = derive(mac_key, 6, context, 128)
        self.rmac = derive(mac_key, 7, context, 128)
        self.card = derive(self.mac, 0, context, 64)
        self.host = derive(self.mac, 1, context, 64)
        self.chain, self.counter, self.open = bytes(16), 0, False

    def checked(self, raw):
        """The message without its MAC, which is right."""
        body, tag = raw[:-8], raw[-8:]
        chain = mac(self.mac, self.chain + body)
        if chain[:8] != tag:
            raise Refused(AUTH_FAILED)
        self.chain = chain
        return body[3:]


class Device:
    def __init__(self):
        keys = hashlib.pbkdf2_hmac("sha256", b"48291648", b"Yubico", 10000, 32)
        self.enc, self.mac = keys[:16], keys[16:]
        self.sessions, self.next, self.sequence = {}, 1, {}
        self.objects = {(1, AUTH_KEY): {
            "label": b"password".ljust(40, b"\0"), "domains": 0xffff, "can": b"\xff" * 8,
            "algorithm": 38, "secret": b"", "size": 40, "sequence": 0}}
        self.lock = threading.Lock()

    # ---- transport

    def ask(self, raw):
        with self.lock:
            try:
                if len(raw) < 3 or struct.unpack(">H", raw[1:3])[0] != len(raw) - 3:
                    raise Refused(WRONG_LENGTH)
                return self.plain(raw[0], raw)
            except Refused as e:
                return frame(ERROR, bytes([e.args[0]]))

    def plain(self, command, raw):
        data = raw[3:]
        if command == INFO:
            return frame(INFO | 0x80, self.info())
        if command == ECHO:
            return frame(ECHO | 0x80, data)
        if command == CREATE:
            return frame(CREATE | 0x80, self.create(data))
        session = self.sessions.get(data[0]) if data else None
        if session is None:
            raise Refused(NO_SESSION)
        if command == AUTHENTICATE:
            if session.checked(raw)[1:] != session.host:
                raise Refused(AUTH_FAILED)
            session.open, session.counter = True, 1
            return frame(AUTHENTICATE | 0x80)
        if command != MESSAGE or not session.open:
            raise Refused(WRONG_COMMAND)
        return self.message(session, data[0], raw)

    def message(self, session, number, raw):
        iv = ecb(session.enc, session.counter.to_bytes(16, "big"))
        inner = cbc(session.enc, iv, session.checked(raw)[1:], False).rstrip(b"\0")
        if inner[-1:] != b"\x80":
            raise Refused(WRONG_DATA)
        inner = inner[:-1]
        try:
            answer = frame(inner[0] | 0x80, self.command(inner[0], inner[3:]))
        except Refused as e:
            answer = frame(ERROR, bytes([e.args[0]]))
        if inner[0] == 0x40:
            del self.sessions[number]
        answer += b"\x80"
        answer += bytes(-len(answer) % 16)
        body = struct.pack(">BHB", MESSAGE | 0x80, 1 + len(answer) + 8, number)
        body += cbc(session.enc, iv, answer, True)
        session.counter += 1
        return body + mac(session.rmac, session.chain + body)[:8]

    def create(self, data):
        if len(data) != 10 or struct.unpack(">H", data[:2])[0] != 1 or len(self.sessions) > 15:
            raise Refused(NO_OBJECT if len(data) == 10 else WRONG_LENGTH)
        number = next(i for i in range(16) if i not in self.sessions)
        challenge = os.urandom(8)
        session = Session(data[2:] + challenge, self.enc, self.mac)
        self.sessions[number] = session
        return bytes([number]) + challenge + session.card

    @staticmethod
    def info():
        algorithms_ = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 15, 23, 30, 32, 33, 34, 35, 38,
                       43, 44, 45, 46, 50, 51, 52, 53, 54]
        return struct.pack(">BBBIBB", 2, 4, 1, 17041204, 62, 0) + bytes(algorithms_)

    # ---- commands

    def command(self, code, data):
        handler = {
            0x40: self.nothing, 0x41: self.storage, 0x42: self.put_opaque, 0x43: self.get_opaque,
            0x46: self.generate, 0x47: self.sign_pkcs1, 0x48: self.list, 0x4e: self.describe,
            0x51: self.random, 0x54: self.public, 0x55: self.sign_pss, 0x56: self.sign_ecdsa,
            0x58: self.delete, 0x6a: self.sign_eddsa, 0x6e: self.generate, 0x6f: self.aes_ecb(False),
            0x70: self.aes_ecb(True), 0x71: self.aes_cbc(False), 0x72: self.aes_cbc(True),
            ECHO: lambda d: d,
        }.get(code)
        if handler is None:
            raise Refused(WRONG_COMMAND)
        try:
            return handler(data)
        except (struct.error, IndexError, ValueError) as e:
            raise Refused(WRONG_DATA) from e

    @staticmethod
    def nothing(_):
        return b""

    def storage(self, _):
        used = len(self.objects)
        return struct.pack(">HHHHH", 256, 256 - used, 1024, 1024 - used, 126)

    def add(self, kind, data, secret, size, head=53):
        number, label, domains, can, algorithm = struct.unpack(">H40sH8sB", data[:head])
        while number == 0 or (number, kind) in self.objects:
            number, self.next = self.next, self.next + 1
        sequence = self.sequence.get((number, kind), -1) + 1 & 255
        self.sequence[number, kind] = sequence
        self.objects[number, kind] = {
            "label": label, "domains": domains, "can": can, "algorithm": algorithm,
            "secret": secret, "size": size, "sequence": sequence}
        return struct.pack(">H", number)

    def generate(self, data):
        algorithm = data[52]
        if len(data) != 53:
            raise Refused(WRONG_LENGTH)
        if algorithm in AES:
            return self.add(SYMMETRIC, data, os.urandom(AES[algorithm]), AES[algorithm])
        if algorithm in CURVES:
            key = ec.generate_private_key(CURVES[algorithm]())
        elif algorithm == ED25519:
            key = ed25519.Ed25519PrivateKey.generate()
        elif algorithm in RSA_BITS:
            key = rsa.generate_private_key(65537, RSA_BITS[algorithm])
        else:
            raise Refused(WRONG_DATA)
        return self.add(ASYMMETRIC, data, key, SIZES[algorithm])

    def put_opaque(self, data):
        return self.add(OPAQUE, data, data[53:], len(data) - 53)

    def get(self, number, kind):
        if (number, kind) not in self.objects:
            raise Refused(NO_OBJECT)
        return self.objects[number, kind]

    def key(self, data, kind=ASYMMETRIC):
        return self.get(struct.unpack(">H", data[:2])[0], kind)["secret"]

    def get_opaque(self, data):
        return self.key(data, OPAQUE)

    def list(self, data):
        want, widths = {}, {1: 2, 2: 1, 3: 2, 4: 8, 5: 1, 6: 40}
        while data:
            n = widths[data[0]] if data[0] in widths else None
            if n is None or len(data) < 1 + n:
                raise Refused(WRONG_DATA)
            want[data[0]] = data[1:1 + n]
            data = data[1 + n:]
        out = b""
        for (number, kind), o in sorted(self.objects.items()):
            fits = {1: struct.pack(">H", number), 2: bytes([kind]), 5: bytes([o["algorithm"]]),
                    6: o["label"]}
            ok = all(fits[k] == v for k, v in want.items() if k in fits)
            ok &= 3 not in want or bool(o["domains"] & struct.unpack(">H", want[3])[0])
            ok &= 4 not in want or any(a & b for a, b in zip(want[4], o["can"]))
            if ok:
                out += struct.pack(">HBB", number, kind, o["sequence"])
        return out

    def describe(self, data):
        number, kind = struct.unpack(">HB", data)
        o = self.get(number, kind)
        return o["can"] + struct.pack(">HHHBBBB", number, o["size"], o["domains"], kind,
                                      o["algorithm"], o["sequence"], 1) + o["label"] + bytes(8)

    def delete(self, data):
        number, kind = struct.unpack(">HB", data)
        self.get(number, kind)
        del self.objects[number, kind]
        return b""

    @staticmethod
    def random(data):
        return os.urandom(struct.unpack(">H", data)[0])

    def public(self, data):
        o = self.get(struct.unpack(">H", data[:2])[0], ASYMMETRIC)
        return bytes([o["algorithm"]]) + public_bytes(o["secret"])

    def sign_ecdsa(self, data):
        digest = data[2:]
        return self.key(data).sign(digest, ec.ECDSA(utils.Prehashed(DIGESTS[len(digest)]())))

    def sign_eddsa(self, data):
        return self.key(data).sign(data[2:])

    def sign_pkcs1(self, data):
        digest = data[2:]
        if len(digest) in PREFIXES and digest.startswith(PREFIXES[len(digest)][0]):
            digest = digest[19:]
        return self.key(data).sign(digest, padding.PKCS1v15(),
                                   utils.Prehashed(DIGESTS[len(digest)]()))

    def sign_pss(self, data):
        mgf, salt = struct.unpack(">BH", data[2:5])
        digest = data[5:]
        return self.key(data).sign(digest, padding.PSS(padding.MGF1(MGF[mgf]()), salt),
                                   utils.Prehashed(DIGESTS[len(digest)]()))

    def aes_ecb(self, encrypt):
        return lambda data: ecb(self.key(data, SYMMETRIC), data[2:], encrypt)

    def aes_cbc(self, encrypt):
        return lambda data: cbc(self.key(data, SYMMETRIC), data[2:18], data[18:], encrypt)


class Connector(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    device = Device()

    def answer(self, body, kind):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.answer(b"status=OK\nserial=*\nversion=3.0.4\npid=1\naddress=127.0.0.1\nport=1\n",
                    "text/plain")

    def do_POST(self):
        n = int(self.headers.get("Content-Length", "0"))
        self.answer(self.device.ask(self.rfile.read(min(n, 4096))), "application/octet-stream")

    def log_message(self, *_):
        pass


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Connector)
    with open(sys.argv[1] + ".new", "w", encoding="ascii") as f:
        f.write(f"{server.server_address[1]}\n")
    os.rename(sys.argv[1] + ".new", sys.argv[1])
    server.serve_forever()


if __name__ == "__main__":
    main()
