"""A running server under strangers who do everything wrong: a thousand malformed requests for each
parser by a fixed seed, floods of HTTP/2 frames, slow and silent peers. Nothing of it is served,
nothing crashes or grows, and others are served meanwhile.
CASEMATE_HOSTILE: how many requests a parser."""
import base64
import json
import os
import random
import select
import socket
import ssl
import struct
import threading
import time

import kms_faults as k
from kms_faults import H2, Server, die, frame, hpack, request, until

EACH = int(os.environ.get("CASEMATE_HOSTILE", "1000"))
SIGN = "/v1/tenants/default/keys/h2:sign"
SANITIZED = not os.environ.get("CASEMATE_BAD_WORLD")
GROWTH_MIB = 64
QUIET_S = 240  # of a server that should have answered or hung up


class Good(threading.Thread):
    """Somebody who does it right, all the while, on one connection."""

    def __init__(self, server, token):
        super().__init__(daemon=True)
        self.server, self.token, self.stop, self.wrong, self.calls = server, token, False, None, 0
        self.worst = 0.0

    def run(self):
        h2 = H2(self.server.connect(k.WAIT_S))
        while not self.stop:
            begin = time.monotonic()
            got = h2.call("POST", SIGN, self.token, b'{"data":"aGVsbG8="}')
            if got is None or got[0] != 200:
                self.wrong = f"{got}"
                return
            self.worst = max(self.worst, time.monotonic() - begin)
            self.calls += 1
            time.sleep(0.02)


def exchange(s, data):
    """Sends it all, says that there is no more, and gives what came until the server hung up."""
    got = b""
    s.settimeout(QUIET_S)
    try:
        s.sendall(data)
        s.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # it hung up before the end: that is an answer
    try:
        while piece := s.recv(65536):
            got += piece
    except (ConnectionError, ssl.SSLEOFError):
        pass
    except TimeoutError:
        die(f"neither answer nor end after {data[:300]!r}")
    s.close()
    return got


def mutate(dice, data, most=4):
    b = bytearray(data)
    for _ in range(dice.randint(1, most)):
        at = dice.randrange(len(b)) if b else 0
        kind = dice.randrange(6)
        if kind == 0 and b:
            b[at] ^= 1 << dice.randrange(8)
        elif kind == 1:
            b[at:at] = dice.randbytes(dice.randint(1, 9))
        elif kind == 2:
            del b[at:at + dice.randint(1, 20)]
        elif kind == 3:
            b[at:at] = b[at:at + dice.randint(1, 40)]
        elif kind == 4:
            b[at:at] = dice.choice([b"\r\n", b"\n", b"\0", b" ", b"\t", b":", b"\xff", b"%00", b"-1", b"{", b"\""])
        else:
            del b[at:]
    return bytes(b)


# ---- HTTP/1.1

H1_WRONG = [
    b"GET / HTTP/1.1\nHost: x\n\n", b"GET  / HTTP/1.1\r\nHost: x\r\n\r\n", b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", b"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n", b"G\0T / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 70000 + b"\r\n\r\n",
    b"GET /" + b"a" * 70000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x02\x00", b"PRI * HTTP/1.1\r\n\r\n",
]


def h1(dice, connect, count):
    whole = (f"POST {SIGN} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
             "Content-Length: 19\r\n\r\n{\"data\":\"aGVsbG8=\"}").encode()
    chunked = (f"POST {SIGN} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
               "13\r\n{\"data\":\"aGVsbG8=\"}\r\n0\r\n\r\n").encode()
    for i in range(count):
        data = H1_WRONG[i] if i < len(H1_WRONG) else mutate(dice, dice.choice([whole, chunked]))
        got = exchange(connect(), data)
        if got and not got.startswith((b"HTTP/1.1 4", b"HTTP/1.1 501", b"HTTP/1.1 505", b"HTTP/1.0 4")):
            die(f"HTTP/1.1: {got[:200]!r} to {data[:300]!r}")


# ---- HTTP/2

def statuses(got):
    """Of the answers among the frames."""
    while len(got) >= 9:
        n = int.from_bytes(got[:3], "big")
        if got[3] == k.HEADERS and len(got) >= 9 + n:
            yield k.status_of(got[9:9 + n])
        got = got[9 + n:]


def h2_wrong(dice):
    head = request("POST", SIGN)
    good = [frame(k.HEADERS, 4, 1, head), frame(k.DATA, 1, 1, b'{"data":"aGVsbG8="}')]
    odd = frame(dice.randrange(12), dice.randrange(256), dice.choice([0, 1, 2, 3, 2**31 - 1]),
                dice.randbytes(dice.choice([0, 1, 4, 5, 6, 8, 9, 100])))
    return dice.choice([
        lambda: mutate(dice, b"".join(good)),
        lambda: frame(k.HEADERS, 5, 1, mutate(dice, head)),
        lambda: odd + b"".join(good),
        lambda: good[0] + odd,
        lambda: b"\xff\xff\xff" + bytes([k.DATA, 0, 0, 0, 0, 1]),
        lambda: frame(k.WINDOW, 0, dice.randrange(2), struct.pack(">I", dice.choice([0, 2**31 - 1]))) * 2,
        lambda: frame(k.SETTINGS, 0, 0, struct.pack(">HI", dice.randrange(8), dice.choice([0, 2**31, 2**32 - 1]))),
        lambda: frame(k.HEADERS, 5, 1, hpack((":method", "POST"), (":path", ""), ("Upper", "x"))),
        lambda: frame(k.HEADERS, 5, 1, hpack((":method", "GET"), ("te", "gzip"), (":path", "/"))),
        lambda: frame(k.CONTINUATION, 4, 1, head),
    ])()


def h2(dice, connect, count):
    start = k.PREFACE + frame(k.SETTINGS, 0, 0, struct.pack(">HI", 1, 0))
    for i in range(count):
        data = (mutate(dice, start) if i % 10 == 0 else start) + h2_wrong(dice)
        got = exchange(connect(), data)
        if 200 in list(statuses(got)):
            die(f"HTTP/2: served {data[:300]!r}")


# ---- what stands in a request that is whole

JSON_WRONG = [b"", b"{", b"[]", b"null", b'{"data":1}', b'{"data":"aGVsbG8="}x', b'{"data":"aGVsbG8"}',
              b'{"data":"aGVsbG8=","data":"aGVsbG8="}', b'{"data":"aGVsbG8=","nope":1}', b"\xef\xbb\xbf{}",
              b'{"data":"\xff"}', b'{"data":"\\ud800"}', b"[" * 100000, b'{"a":' * 5000, b'{"data":"aGVsbG8=","version":1e99}',
              b'{"data":"aGVsbG8=","version":-1}', b"{'data':'aGVsbG8='}", b'{"data":"aGVsbG8=",}', b'{"version":' + b"9" * 100000 + b"}"]


def sound(body):
    """Whether the mutation has left it a request."""
    try:
        v = json.loads(body)
        base64.b64decode(v["data"], validate=True)
        return isinstance(v, dict)
    except (ValueError, KeyError, TypeError, RecursionError):
        return False


def calls(connect, count, make, wrong):
    """Many over one connection, as long as it lasts; wrong(status, body) complains."""
    conn, answered = None, 0
    for i in range(0, count, 20):
        conn = conn or H2(connect())
        try:
            sent = [(conn.send(**one), one) for one in (make(j) for j in range(i, min(i + 20, count)))]
            answers = [(conn.answer(stream), one) for stream, one in sent]
        except OSError:
            answers = [(None, None)]
        for got, one in answers:
            if got is None:
                conn = None
                continue
            answered += 1
            if wrong(*got):
                die(f"{got} to {str(one)[:400]}")
    if answered < count * 3 // 4:
        die(f"only {answered} of {count} were answered: {str(make(0))[:300]}")


def not_4xx(status, _):
    return not (400 <= status < 500 or status == -1)


def jsons(dice, connect, count, token):
    def make(i):
        body = JSON_WRONG[i] if i < len(JSON_WRONG) else b'{"data":"aGVsbG8="}'
        while sound(body):
            body = mutate(dice, b'{"data":"aGVsbG8=","version":1,"form":"message"}')
        return {"method": "POST", "path": SIGN, "token": token, "body": body}
    calls(connect, count, make, not_4xx)


def protos(dice, connect, count, token):
    """An answer that is a message would be a DATA frame."""
    good = b"\x0a\x07default\x12\x02h2\x32\x05hello"

    def make(i):
        body = mutate(dice, good) if i % 3 else dice.randbytes(dice.randint(0, 200))
        prefix = bytes([0]) + struct.pack(">I", len(body) if i % 5 else dice.choice([0, len(body) + 1, 2**32 - 1]))
        return {"method": "POST", "path": "/casemate.kms.v1.Kms/Sign", "body": prefix + body,
                "body_type": "application/grpc", "more": [("te", "trailers")],
                "token": token if i % 2 else "", }
    served = [0]

    def wrong(status, body):
        served[0] += bool(body)
        return status >= 500
    calls(connect, count, make, wrong)
    # A mutation may leave a request; most don't.
    if served[0] > count // 4:
        die(f"gRPC: {served[0]} of {count} damaged messages were served")


def signatures(dice, connect, count):
    inputs = b'sig=("@method" "@authority" "@path" "content-digest");created=%d;nonce="AAAA";keyid="%s";alg="ml-dsa-65"'
    digest = "sha-256=:" + base64.b64encode(bytes(32)).decode() + ":"

    def make(i):
        line = inputs % (int(time.time()), dice.randbytes(32).hex().encode())
        line = mutate(dice, line) if i % 4 else line
        sig = b"sig=:" + base64.b64encode(dice.randbytes(dice.choice([0, 1, 64, 3309]))) + b":"
        sig = mutate(dice, sig) if i % 3 else sig
        return {"method": "POST", "path": SIGN, "body": b'{"data":"aGVsbG8="}',
                "more": [("signature-input", line), ("signature", sig), ("content-digest", digest)]}
    calls(connect, count, make, not_4xx)


def tokens(dice, connect, count, token):
    def part(v):
        return base64.urlsafe_b64encode(json.dumps(v).encode()).rstrip(b"=")

    def make(i):
        alg = dice.choice(["none", "HS256", "RS256", "ES256", "ML-DSA-65", "", 7])
        jwt = b".".join([part({"alg": alg, "kid": "x"}), part({"iss": "x", "aud": "y", "exp": 2**40}),
                         base64.urlsafe_b64encode(dice.randbytes(64)).rstrip(b"=")])
        bad = dice.choice([lambda: jwt, lambda: mutate(dice, jwt), lambda: mutate(dice, token.encode()),
                           lambda: dice.randbytes(dice.randint(0, 100)), lambda: b"." * dice.randint(0, 2000)])()
        if bad == token.encode():
            bad += b"x"
        scheme = dice.choice([b"Bearer ", b"bearer ", b"Session ", b"", b"Basic "])
        return {"method": "POST", "path": SIGN, "body": b'{"data":"aGVsbG8="}',
                "more": [("authorization", scheme + bad)]}
    calls(connect, count, make, not_4xx)


# ---- floods

def flooded(name, connect, start, pieces):
    """The server hangs up on it."""
    s = connect()
    s.settimeout(QUIET_S)
    try:
        s.sendall(k.PREFACE + frame(k.SETTINGS, 0, 0) + start)
        for piece in pieces:
            s.sendall(piece)
            while select.select([s], [], [], 0)[0]:
                if not s.recv(1 << 16):
                    return
        while s.recv(1 << 16):
            continue
    except (ConnectionError, ssl.SSLEOFError):
        return
    except TimeoutError:
        die(f"{name}: the connection is still there")
    finally:
        s.close()


def floods(connect):
    head = request("POST", SIGN)
    resets = (b"".join(frame(k.HEADERS, 4, n, head) + frame(k.RST_STREAM, 0, n, struct.pack(">I", 8))
                       for n in range(at, at + 200, 2)) for at in range(1, 40000, 200))
    flooded("rapid reset", connect, b"", resets)
    flooded("SETTINGS", connect, b"", (frame(k.SETTINGS, 0, 0, struct.pack(">HI", 4, 65535)) * 100 for _ in range(200)))
    flooded("PING", connect, b"", (frame(k.PING, 0, 0, bytes(8)) * 100 for _ in range(200)))
    flooded("CONTINUATION", connect, frame(k.HEADERS, 0, 1, head),
            (frame(k.CONTINUATION, 0, 1, b"") * 100 for _ in range(200)))
    flooded("long CONTINUATION", connect, frame(k.HEADERS, 0, 1, head),
            (frame(k.CONTINUATION, 0, 1, hpack(("x-a", "a" * 16000))) for _ in range(400)))
    flooded("empty DATA", connect, frame(k.HEADERS, 4, 1, head), (frame(k.DATA, 0, 1) * 100 for _ in range(400)))
    flooded("window of 2^31", connect, frame(k.HEADERS, 4, 1, head),
            (frame(k.WINDOW, 0, 0, struct.pack(">I", 2**31 - 1)) for _ in range(3)))
    flooded("PRIORITY", connect, b"", (frame(k.PRIORITY, 0, n | 1, struct.pack(">IB", 0, 1)) * 100 for n in range(2000)))


def big_heads(connect):
    for fields in ([("x-a", "a" * 900)] * 100, [("x-a", "b")] * 4000, [("cookie", "c" * 40000)]):
        got = exchange_h2(connect(), request("POST", SIGN, "", "application/json", *fields))
        if got and got[0] not in (400, 431):
            die(f"a head of many: {got}")


def exchange_h2(s, block):
    s.settimeout(QUIET_S)
    try:
        h = H2(s)
        parts = [block[i:i + 16000] for i in range(0, len(block), 16000)]
        out = b"".join(frame(k.CONTINUATION if i else k.HEADERS, 1 * (i == 0) | 4 * (i == len(parts) - 1), 1, p)
                       for i, p in enumerate(parts))
        s.sendall(out)
        return h.answer(1)
    except OSError:
        return None


def no_window(connect, token):
    """Answers that nobody takes: the server gives up on them."""
    s = connect()
    begin = time.monotonic()
    h = H2(s, struct.pack(">HI", 4, 0))
    for _ in range(50):
        h.send("POST", SIGN, token, b'{"data":"aGVsbG8="}')
    s.settimeout(0.2)
    try:
        while still(h):
            s.sendall(frame(k.PING, 0, 0, bytes(8)))  # few enough to be no flood
            time.sleep(0.1)
            if time.monotonic() - begin > QUIET_S:
                die("answers that nobody takes are kept for ever")
    except OSError:
        pass
    if time.monotonic() - begin < 1:
        die("hung up before its time")
    s.close()


def still(h):
    """Whether it is open, whatever it has to say."""
    try:
        return h.pump()
    except TimeoutError:
        return True


class Slow:
    """Connections that send a byte now and then; the server ends each."""

    def __init__(self, connect, count):
        self.left = [connect() for _ in range(count)]
        for s in self.left:
            s.setblocking(False)

    def step(self, byte):
        for s in list(self.left):
            try:
                s.send(byte)
                if s.recv(4096) == b"":
                    raise ConnectionError
            except BlockingIOError:
                continue
            except OSError:
                s.close()
                self.left.remove(s)
        return not self.left


def slow_ones(server):
    some = [Slow(server.connect, 100), Slow(lambda: tcp(server), 50)]
    some[0].step(b"G")

    def all_gone():
        time.sleep(0.1)
        return all([some[0].step(b"E"), some[1].step(b"\x16")])
    until("the slow ones are gone", all_gone, QUIET_S)


def tcp(server):
    return socket.create_connection(("127.0.0.1", server.port), timeout=QUIET_S)


def tls(server, alpn):
    """Python's TLS knows no post-quantum group: the listener lets it in by the opt-in."""
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    c.check_hostname, c.verify_mode = False, ssl.CERT_NONE
    c.set_alpn_protocols([alpn])
    return Unshut(c.wrap_socket(tcp(server)))


class Unshut:
    """Over TLS a half-closed connection is none: the end is said by closing."""

    def __init__(self, s):
        self.s = s

    def shutdown(self, _):
        self.s.settimeout(QUIET_S)

    def __getattr__(self, name):
        return getattr(self.s, name)


def main():
    server = Server("  request_time: 10s\n  write_time: 2s\n  handshake_time: 15s\n", tls="legacy")
    server.start()
    token = server.app()
    server.casemate("key", "create", "h2", "--type", "P-256")
    dice, good = random.Random(9421), Good(server, token)
    good.start()
    jobs = [("HTTP/1.1", lambda n: h1(dice, server.connect, n)), ("HTTP/2", lambda n: h2(dice, server.connect, n)),
            ("JSON", lambda n: jsons(dice, server.connect, n, token)),
            ("gRPC", lambda n: protos(dice, server.connect, n, token)),
            ("signatures", lambda n: signatures(dice, server.connect, n)),
            ("tokens", lambda n: tokens(dice, server.connect, n, token))]
    for name, job in jobs:  # warm: what is kept for reuse is there
        job(100)
    before = server.rss()
    for name, job in jobs:
        begin = time.monotonic()
        job(EACH)
        print(f"{name}: {EACH} in {time.monotonic() - begin:.1f} s", flush=True)
    for name, job in (("floods", lambda: floods(server.connect)), ("heads", lambda: big_heads(server.connect)),
                      ("floods over TLS", lambda: floods(lambda: tls(server, "h2"))),
                      ("no window", lambda: no_window(server.connect, token)), ("slow", lambda: slow_ones(server))):
        begin = time.monotonic()
        job()
        print(f"{name}: {time.monotonic() - begin:.1f} s", flush=True)
    good.stop = True
    good.join()
    server.gone_wrong()
    grown = server.rss() - before
    if good.wrong or good.calls < 10:
        die(f"somebody who did nothing wrong: {good.wrong} after {good.calls} calls")
    if grown > GROWTH_MIB and not SANITIZED:
        die(f"{grown:.0f} MiB more than before")
    print(f"{good.calls} calls of others served meanwhile, the slowest in {good.worst:.2f} s; {grown:.1f} MiB more")
    server.stop()


main()
