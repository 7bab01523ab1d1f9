"""The whole server over a disk that is slow, fills up and fails its flushes: clear answers, nothing
acknowledged is lost, nothing is signed without a leaf, and work goes on when it can."""
import os
import time

from kms_faults import H2, WORK, Server, World, die, fields_of, until

SIGN = ("POST", "/v1/tenants/default/keys/h2:sign")
BODY = b'{"data":"aGVsbG8="}'


def reason_of(body):
    return fields_of(body).get("error", {}).get("reason", "")


def sign(server, token):
    got = H2(server.connect()).call(*SIGN, token, BODY)
    if got is None:
        die("no answer")
    return got


def refused(server, token, why):
    """Nothing is signed, and the answer says that it is the server's trouble and which."""
    for _ in range(5):
        status, body = sign(server, token)
        if status != 503 or reason_of(body) not in why:
            die(f"{status} {body[:200]}")
    status, body = server.admin("/readyz")
    if status != 503 or fields_of(body)["ready"]:
        die(f"ready all the same: {status} {body}")


def trouble(server, token, why):
    """Until somebody's write has hit it."""
    until("trouble", lambda: reason_of(sign(server, token)[1]) in why)
    refused(server, token, why)


def loaded(server, during):
    """Clients at work meanwhile; what they were told is so afterwards."""
    acks = WORK / "acks"
    acks.unlink(missing_ok=True)
    clients = server.load(acks)
    until("work", lambda: acks.exists() and acks.stat().st_size > 20000)
    during()
    size = acks.stat().st_size
    until("work again", lambda: acks.stat().st_size > size + 20000)
    done = server.end_load(clients)
    server.check(acks, "whole")
    return done


def slow(server, world):
    def during():
        world.set(slow_us=20000)
        time.sleep(1)
        world.set(slow_us=0)
    return loaded(server, during)


FULL = ("NO_SPACE", "AUDIT_CLOSED")


def full(server, world, token):
    def during():
        world.set(full=1)
        trouble(server, token, FULL)
        world.set(full=0)
        until("recovery", lambda: server.is_ready() and sign(server, token)[0] == 200)
    return loaded(server, during)


def flush_fails(server, world, token):
    def during():
        # What a failed flush left behind, nobody knows: only reading it anew from the disk helps.
        # So the server ends, and not as if all were well.
        world.set(sync_bad=1)
        until("the end", lambda: ended(server, token))
        if server.process.returncode != 1 or "store_broken" not in server.last_log():
            die(f"ended with {server.process.returncode}: {server.last_log()}")
        world.set(sync_bad=0)
        server.start()
    return loaded(server, during)


def ended(server, token):
    """Until then, nothing is signed."""
    try:
        got = H2(server.connect()).call(*SIGN, token, BODY)
    except OSError:
        got = None
    if got and got[0] == 200:
        die(f"{got[0]} {got[1][:200]}")
    return server.process.poll() is not None


def main():
    world = World()
    server = Server(env=world.env())
    server.start()
    token = server.app()
    server.casemate("key", "create", "h2", "--type", "P-256")
    done = slow(server, world)
    print(f"slow: {done} effects", flush=True)
    print(f"full: {full(server, world, token)} effects", flush=True)
    print(f"flushes fail: {flush_fails(server, world, token)} effects", flush=True)
    if world.hits() < 2:
        die("nothing was made to fail")
    server.stop()


if not os.environ.get("CASEMATE_BAD_WORLD"):
    print("SKIP: a sanitizer leaves no room for a preloaded library")
    raise SystemExit(77)
main()
