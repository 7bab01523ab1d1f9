#!/usr/bin/env python3
"""card_emulator.py PORT CONTROL: smart cards of the kind SmartCard-HSM (a Nitrokey HSM 2 is one) for
the virtual reader of vsmartcard, as far as OpenSC and what is published say what they do: files,
PINs with a counter of tries, P-256, secp256k1 and RSA keys that are made in the card and never leave
it. Written from what is published; never compared with a card. Everything is forgotten with the
process. CONTROL is a socket that takes one line a connection, and answers:
    insert SERIAL   this card, new from the factory if it was never seen, in place of any other
    remove          no card
    tries SERIAL    how often its PIN may still be wrong
    verified SERIAL how often a PIN was tried
    drawn SERIAL    how often it was asked for random bytes
    lie N           the next N signatures have a wrong bit
"""
import os
import socket
import struct
import sys
import threading

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

ATR = bytes.fromhex("3bde18ff8191fe1fc3803181544853 4d31738021408107 1c".replace(" ", ""))
AID = bytes.fromhex("e82b0601040181c31f0201")
FCI = bytes.fromhex("850500 01ff0305".replace(" ", ""))
OK, SHORTER, NO_RIGHT, BLOCKED, NO_USE = 0x9000, 0x6282, 0x6982, 0x6983, 0x6985
WRONG_DATA, NO_FILE, WRONG_P, NO_DATA, NO_INS, WRONG_LENGTH = (
    0x6a80, 0x6a82, 0x6a86, 0x6a88, 0x6d00, 0x6700)
DEVICE, TOKEN_INFO = 0x2f02, 0x2f03
KEY, PIN, SO_PIN, TRIES = 0xcc, 0x81, 0x88, 3
EC_ID, RSA_ID = bytes.fromhex("04007f00070202020203"), bytes.fromhex("04007f00070202020102")
CURVES = {(1 << 256) - (1 << 224) + (1 << 192) + (1 << 96) - 1: ec.SECP256R1,
          (1 << 256) - (1 << 32) - 977: ec.SECP256K1}
DIGESTS = {20: hashes.SHA1, 32: hashes.SHA256, 48: hashes.SHA384, 64: hashes.SHA512}


class Refused(Exception):
    """Two bytes of status."""


# ---- card verifiable certificates

def tlv(tag, value):
    head = tag.to_bytes((tag.bit_length() + 7) // 8, "big")
    n = len(value)
    size = bytes([n]) if n < 128 else bytes([0x81, n]) if n < 256 else struct.pack(">BH", 0x82, n)
    return head + size + value


def parse(data):
    """The fields of a level, by their tags."""
    out = {}
    while data:
        tag, at = data[0], 1
        if tag & 0x1f == 0x1f:
            tag, at = tag << 8 | data[1], 2
        n, at = data[at], at + 1
        if n & 0x80:
            more = n & 0x7f
            n, at = int.from_bytes(data[at:at + more], "big"), at + more
        if at + n > len(data):
            raise Refused(WRONG_DATA)
        out[tag], data = data[at:at + n], data[at + n:]
    return out


def number(value, size=0):
    return value.to_bytes(size or (value.bit_length() + 7) // 8, "big")


def point(key):
    at = key.public_key().public_numbers()
    return b"\x04" + number(at.x, 32) + number(at.y, 32)


def signature(key, data):
    """As certificates have it: two numbers of a fixed size, or PKCS#1."""
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(data, padding.PKCS1v15(), hashes.SHA256())
    r, s = utils.decode_dss_signature(key.sign(data, ec.ECDSA(hashes.SHA256())))
    return number(r, 32) + number(s, 32)


def certificate(key, authority, holder, asked):
    """asked: the fields of the public key that the request has, which come back in the answer."""
    if isinstance(key, rsa.RSAPrivateKey):
        n = key.public_key().public_numbers()
        public = tlv(0x06, RSA_ID) + tlv(0x81, number(n.n)) + tlv(0x82, number(n.e))
    else:
        public = tlv(0x06, EC_ID)
        for tag in range(0x81, 0x86):
            public += tlv(tag, asked[tag]) if tag in asked else b""
        public += tlv(0x86, point(key)) + (tlv(0x87, asked[0x87]) if 0x87 in asked else b"")
    body = tlv(0x7f4e, tlv(0x5f29, b"\0") + tlv(0x42, authority) + tlv(0x7f49, public) +
               tlv(0x5f20, holder))
    return tlv(0x7f21, body + tlv(0x5f37, signature(key, body)))


# ---- the card

class Card:
    def __init__(self, serial):
        self.serial, self.device = serial, ec.generate_private_key(ec.SECP256R1())
        self.pin, self.so_pin, self.most = b"648219", bytes.fromhex("3537363231383830"), TRIES
        self.verified = self.drawn = 0
        self.clear()
        self.reset()

    def clear(self):
        self.keys, self.tries = {}, self.most
        self.files = {DEVICE: certificate(self.device, b"DESRCACC100001", self.name(), {})}

    def name(self):
        return self.serial.encode() + b"00001"

    def reset(self):
        self.open, self.current = False, None

    def ask(self, raw):
        try:
            data, status = self.command(*self.split(raw))
        except Refused as e:
            data, status = b"", e.args[0]
        except (IndexError, ValueError, KeyError, struct.error):
            data, status = b"", WRONG_DATA
        return data + struct.pack(">H", status)

    @staticmethod
    def split(raw):
        """Class, instruction and parameters, data, and how many bytes are wanted."""
        head, body = raw[:4], raw[4:]
        if len(head) != 4:
            raise Refused(WRONG_LENGTH)
        wide = len(body) >= 3 and body[0] == 0
        width, most = (2, 65536) if wide else (1, 256)
        body = body[1:] if wide else body
        if len(body) == width:
            return head, b"", int.from_bytes(body, "big") or most
        n = int.from_bytes(body[:width], "big")
        data, rest = body[width:width + n], body[width + n:]
        if len(data) != n or len(rest) not in (0, width):
            raise Refused(WRONG_LENGTH)
        return head, data, (int.from_bytes(rest, "big") or most) if rest else 0

    def command(self, head, data, want):
        run = {
            0xa4: self.select, 0xb1: self.read, 0xd7: self.write, 0xe4: self.delete,
            0x58: self.list, 0x46: self.generate, 0x68: self.sign, 0x62: self.decipher,
            0x84: self.random, 0x20: self.verify, 0x24: self.change, 0x2c: self.unblock,
            0x50: self.initialize,
        }.get(head[1])
        if run is None:
            raise Refused(NO_INS)
        return run(head[2], head[3], data, want)

    def only_open(self):
        if not self.open:
            raise Refused(NO_RIGHT)

    # ---- files

    def file(self, p1, p2):
        name = p1 << 8 | p2 or self.current
        if name is None or name not in self.files:
            raise Refused(NO_FILE)
        return name

    def select(self, p1, _p2, data, _want):
        if p1 == 4:
            if data != AID:
                raise Refused(NO_FILE)
            self.reset()
            return tlv(0x6f, tlv(0x84, AID) + FCI), OK
        self.current = self.file(data[0], data[1])
        size = len(self.files[self.current])
        return tlv(0x62, tlv(0x80, number(size, 2)) + tlv(0x82, b"\x01") + tlv(0x83, data)), OK

    def read(self, p1, p2, data, want):
        at = int.from_bytes(parse(data)[0x54], "big")
        part = self.files[self.file(p1, p2)][at:at + want]
        return part, OK if len(part) == want else SHORTER

    def write(self, p1, p2, data, _want):
        self.only_open()
        name, fields = p1 << 8 | p2 or self.current, parse(data)
        at, old = int.from_bytes(fields[0x54], "big"), self.files.get(name, b"")
        if name is None or name == DEVICE or at > len(old):
            raise Refused(WRONG_P)
        self.files[name] = old[:at] + fields[0x53] + old[at + len(fields[0x53]):]
        self.current = name
        return b"", OK

    def delete(self, _p1, _p2, data, _want):
        self.only_open()
        name = data[0] << 8 | data[1]
        if data[0] == KEY:
            if self.keys.pop(data[1], None) is None:
                raise Refused(NO_FILE)
        elif self.files.pop(name, None) is None or name == DEVICE:
            raise Refused(NO_FILE)
        return b"", OK

    def list(self, _p1, _p2, _data, _want):
        names = list(self.files) + [KEY << 8 | n for n in self.keys]
        return b"".join(struct.pack(">H", n) for n in sorted(names)), OK

    # ---- PINs

    def attempt(self, good):
        self.verified += 1
        if self.tries == 0:
            raise Refused(BLOCKED)
        self.tries = self.most if good else self.tries - 1
        self.open = good
        if not good:
            raise Refused(0x63c0 | self.tries if self.tries else BLOCKED)

    def verify(self, _p1, p2, data, _want):
        if p2 != PIN:
            raise Refused(NO_DATA)
        if data:
            self.attempt(data == self.pin)
        elif not self.open:
            raise Refused(0x63c0 | self.tries if self.tries else BLOCKED)
        return b"", OK

    def change(self, _p1, p2, data, _want):
        if p2 != PIN:
            raise Refused(NO_DATA)
        old, new = data[:len(self.pin)], data[len(self.pin):]
        if not 6 <= len(new) <= 15:
            raise Refused(WRONG_LENGTH)
        self.attempt(old == self.pin)
        self.pin = new
        return b"", OK

    def unblock(self, _p1, p2, data, _want):
        if p2 != PIN or data[:8] != self.so_pin:
            raise Refused(NO_RIGHT)
        self.pin, self.tries = data[8:] or self.pin, self.most
        return b"", OK

    def initialize(self, _p1, _p2, data, _want):
        """All keys are gone, which is why the first officer's code is whatever it says."""
        fields = parse(data)
        self.pin, self.so_pin, self.most = fields[0x81], fields[0x82], fields[0x91][0]
        self.clear()
        self.reset()
        return b"", OK

    # ---- keys

    def generate(self, p1, _p2, data, _want):
        self.only_open()
        fields = parse(data)
        asked = parse(fields[0x7f49])
        if p1 in self.keys:
            raise Refused(NO_USE)
        if asked[0x06] == RSA_ID:
            key = rsa.generate_private_key(int.from_bytes(asked[0x82], "big"),
                                           int.from_bytes(asked[0x02], "big"))
        else:
            key = ec.generate_private_key(CURVES[int.from_bytes(asked[0x81], "big")]())
        self.keys[p1] = key
        made = certificate(key, fields[0x42], fields[0x5f20], asked) + tlv(0x42, self.name())
        return tlv(0x67, made + tlv(0x5f37, signature(self.device, made))), OK

    def key(self, name, kind):
        self.only_open()
        if name not in self.keys:
            raise Refused(NO_DATA)
        if not isinstance(self.keys[name], kind):
            raise Refused(NO_USE)
        return self.keys[name]

    def raw(self, p1, data):
        key = self.key(p1, rsa.RSAPrivateKey)
        n, value = key.private_numbers(), int.from_bytes(data, "big")
        if len(data) != key.key_size // 8 or value >= n.public_numbers.n:
            raise Refused(WRONG_DATA)
        p, q = (pow(value, d, m) for d, m in ((n.dmp1, n.p), (n.dmq1, n.q)))
        return number(q + (p - q) * n.iqmp % n.p * n.q, len(data))

    def sign(self, p1, p2, data, _want):
        if p2 == 0x70:
            prehashed = utils.Prehashed(DIGESTS[len(data)]())
            made = self.key(p1, ec.EllipticCurvePrivateKey).sign(data, ec.ECDSA(prehashed))
        elif p2 == 0x20:
            made = self.raw(p1, data)
        elif p2 == 0x40:
            digest = DIGESTS[len(data)]()
            made = self.key(p1, rsa.RSAPrivateKey).sign(
                data, padding.PSS(padding.MGF1(digest), len(data)), utils.Prehashed(digest))
        else:
            raise Refused(WRONG_P)
        if Reader.lies > 0:
            Reader.lies -= 1
            made = made[:-1] + bytes([made[-1] ^ 1])
        return made, OK

    def decipher(self, p1, p2, data, _want):
        if p2 == 0x21:
            return self.raw(p1, data), OK
        if p2 != 0x80:
            raise Refused(WRONG_P)
        key = self.key(p1, ec.EllipticCurvePrivateKey)
        other = ec.EllipticCurvePublicKey.from_encoded_point(key.curve, data)
        return b"\x04" + key.exchange(ec.ECDH(), other), OK

    def random(self, _p1, _p2, _data, want):
        self.drawn += 1
        return os.urandom(want), OK


# ---- the reader, and who puts cards into it

class Reader:
    lies = 0

    def __init__(self, port):
        self.port, self.cards, self.there, self.lock = port, {}, None, threading.Lock()

    def card(self, serial):
        return self.cards.setdefault(serial, Card(serial))

    def remove(self):
        if self.there:
            self.there.shutdown(socket.SHUT_RDWR)
            self.there.close()
            self.there = None

    def insert(self, serial):
        self.remove()
        self.card(serial).reset()
        self.there = socket.create_connection(("127.0.0.1", self.port))
        threading.Thread(target=self.serve, args=(self.there, self.card(serial)),
                         daemon=True).start()

    @staticmethod
    def take(s, n):
        data = b""
        while len(data) < n:
            # An order to the card has no answer that its receipt could come with.
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            part = s.recv(n - len(data))
            if not part:
                raise OSError
            data += part
        return data

    def serve(self, s, card):
        try:
            while True:
                raw = self.take(s, struct.unpack(">H", self.take(s, 2))[0])
                answer = ATR if raw == b"\4" else b""
                with self.lock:
                    if len(raw) == 1 and raw != b"\4":
                        card.reset()
                        continue
                    if len(raw) > 1:
                        answer = card.ask(raw)
                s.sendall(struct.pack(">H", len(answer)) + answer)
        except OSError:
            pass

    def order(self, words):
        with self.lock:
            if words[0] == "insert":
                self.insert(words[1])
            elif words[0] == "remove":
                self.remove()
            elif words[0] == "tries":
                return str(self.card(words[1]).tries)
            elif words[0] == "verified":
                return str(self.card(words[1]).verified)
            elif words[0] == "drawn":
                return str(self.card(words[1]).drawn)
            elif words[0] == "lie":
                Reader.lies = int(words[1])
            else:
                return "what?"
            return "done"


def main():
    reader = Reader(int(sys.argv[1]))
    control = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    control.bind(sys.argv[2])
    control.listen(8)
    while True:
        c, _ = control.accept()
        with c:
            c.sendall((reader.order(c.recv(1000).decode().split()) + "\n").encode())


if __name__ == "__main__":
    main()
