"""The whole server while its wall clock jumps hours ahead and back: a signed request that was used
is never taken again, what needs no clock goes on, receipts hold, and the log's times never fall."""
import base64
import json
import os
import re
import socket
import threading

from kms_faults import H2, WORK, Server, World, die, fields_of, until

HOUR = 3600
SIGN = ("POST", "/v1/tenants/default/keys/h2:sign")
BODY = b'{"data":"aGVsbG8="}'


class Tap:
    """A socket in front of the server's, which keeps what clients send: as someone on the way."""

    def __init__(self, to):
        self.to, self.path, self.sent = to, str(WORK / "tap.sock"), b""
        self.s = socket.socket(socket.AF_UNIX)
        self.s.bind(self.path)
        self.s.listen()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            near, _ = self.s.accept()
            far = socket.socket(socket.AF_UNIX)
            far.connect(self.to)
            threading.Thread(target=self.copy, args=(near, far, True), daemon=True).start()
            threading.Thread(target=self.copy, args=(far, near, False), daemon=True).start()

    def copy(self, a, b, keep):
        try:
            while piece := a.recv(65536):
                if keep:
                    self.sent += piece
                b.sendall(piece)
            b.shutdown(socket.SHUT_WR)
        except OSError:
            pass


def reason_in(raw):
    found = re.search(rb'"reason":"([A-Z_]+)"', raw)
    return found[1].decode() if found else "none"


def replay(server, recorded):
    """The same bytes once more: the reason of the refusal."""
    got = b""
    with server.connect() as s:
        s.sendall(recorded)
        while b'"reason":"' not in got and b'"name":' not in got:
            piece = s.recv(65536)
            if not piece:
                break
            got += piece
    return reason_in(got)


def expect(server, recorded, reason):
    got = replay(server, recorded)
    if got != reason:
        die(f"replayed: {got}, not {reason}")


def jumped(server, way):
    """The scheduler has seen it, and has done what it does."""
    until(f"clock {way}", lambda: f"clock_jumped way={way}" in server.log_path.read_text())


def sign(server, token, receipts):
    status, body = H2(server.connect()).call(*SIGN, token, BODY)
    if status != 200:
        die(f"sign: {status} {body[:200]}")
    path = WORK / f"receipt{len(receipts)}"
    path.write_bytes(base64.b64decode(fields_of(body)["receipt"]))
    receipts.append(path)


def times(server):
    lines = server.casemate("audit", "tail", "-n", "200", "--json").splitlines()
    return [int(json.loads(line)["time_ms"]) for line in lines]


def main():
    world = World()
    server = Server(env=world.env())
    server.start()
    token = server.app()
    server.casemate("key", "create", "h2", "--type", "P-256")
    receipts = []
    tap = Tap(server.clear)
    who = json.loads((server.dir / "admin.json").read_text())
    who["server"] = f"unix:{tap.path}"
    tapped = server.dir / "tapped.json"
    tapped.write_text(json.dumps(who))
    tapped.chmod(0o600)
    home, server.env["CASEMATE_SERVER"] = server.env["CASEMATE_SERVER"], str(tapped)
    server.casemate("key", "list")
    server.env["CASEMATE_SERVER"] = home
    recorded = tap.sent
    if b"signature-input" not in recorded.lower():
        die("nothing signed was recorded")
    expect(server, recorded, "SVC_REPLAY")

    # Ahead: signed requests are of the past; nonces are forgotten.
    world.set(clock_s=3 * HOUR)
    expect(server, recorded, "SIGN_WINDOW")
    sign(server, token, receipts)
    jumped(server, "ahead")
    expect(server, recorded, "SIGN_WINDOW")

    # And back: its time is good once more, its nonce gone.
    world.set(clock_s=0)
    expect(server, recorded, "SVC_FORGOTTEN")
    server.casemate("key", "list")
    sign(server, token, receipts)

    # Back behind the start.
    world.set(clock_s=-3 * HOUR)
    for _ in range(3):
        sign(server, token, receipts)
    expect(server, recorded, "SIGN_WINDOW")
    world.set(clock_s=0)
    expect(server, recorded, "SVC_FORGOTTEN")
    server.casemate("key", "list")

    server.verify(receipts)
    all_times = times(server)
    if all_times != sorted(all_times) or all_times[-1] - all_times[0] < 2 * HOUR * 1000:
        die(f"times of the log: {all_times}")
    if not server.is_ready():
        die("not ready")
    server.stop()
    server.start()
    expect(server, recorded, "SVC_FORGOTTEN")
    server.casemate("key", "list")
    server.stop()


if not os.environ.get("CASEMATE_BAD_WORLD"):
    print("SKIP: a sanitizer leaves no room for a preloaded library")
    raise SystemExit(77)
main()
