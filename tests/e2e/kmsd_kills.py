"""kill -9 of kmsd and of keyd at random moments while clients make, rotate and use keys, over
HTTP/1.1 with signatures and sessions and over HTTP/2. After each: the server comes back, stands by
everything that it acknowledged, and its log goes on from every receipt that it gave.
CASEMATE_KILLS: how many; CASEMATE_SEED: which moments."""
import os
import random
import threading
import time

from kms_faults import H2, WORK, Server, die, fields_of, stop_hard, un64

KILLS = int(os.environ.get("CASEMATE_KILLS", "6"))
SEED = int(os.environ.get("CASEMATE_SEED", str(random.randrange(10**9))))
EVERY = 25  # rounds between looks at the whole log


class Signers(threading.Thread):
    """Sign over HTTP/2, sixteen at once, and keep the receipts."""

    def __init__(self, server, token):
        super().__init__(daemon=True)
        self.server, self.token, self.stop, self.wrong = server, token, False, None
        self.receipts, self.seen = [], 0

    def run(self):
        while not self.stop and not self.wrong:
            try:
                self.batches(H2(self.server.connect()))
            except OSError:
                time.sleep(0.02)

    def batches(self, h2):
        while not self.stop and not self.wrong:
            streams = [h2.send("POST", "/v1/tenants/default/keys/h2:sign", self.token,
                               b'{"data":"aGVsbG8="}') for _ in range(16)]
            for stream in streams:
                got = h2.answer(stream)
                if got is None:
                    return
                self.take(*got)

    def take(self, status, body):
        if status == 200:
            self.seen += 1
            if self.seen % 40 == 1:
                path = WORK / f"r{self.seen}.tlog-proof"
                path.write_bytes(un64(fields_of(body)["receipt"]))
                self.receipts.append(path)
        elif status in (429, 503):
            time.sleep(0.02)
        elif status != -1:
            self.wrong = f"{status} {body}"


def kill_one(server, dice):
    """keyd if there is one and the dice say so, else kmsd, which is started again."""
    pid = server.keyd() if dice.random() < 0.5 else None
    if pid:
        stop_hard(pid)
        return "keyd"
    server.kill()
    server.start(ready=False)
    return "kmsd"


def one_round(server, dice, token, kills, whole):
    """Some kills in a row, also of what is only just starting; then everything is looked at."""
    acks = WORK / "acks"
    acks.unlink(missing_ok=True)
    clients, signers = server.load(acks), Signers(server, token)
    signers.start()
    time.sleep(dice.uniform(0.05, 0.6))
    killed = [kill_one(server, dice)]
    while len(killed) < kills:
        time.sleep(dice.choice((0.01, 0.1, 1)) * dice.random())
        killed.append(kill_one(server, dice))
    server.wait_ready()
    time.sleep(dice.uniform(0.0, 0.2))
    signers.stop = True
    done = server.end_load(clients)
    signers.join()
    if signers.wrong:
        die(f"over HTTP/2: {signers.wrong}")
    server.check(acks, *(["whole"] if whole else []))
    server.verify(signers.receipts)
    for path in signers.receipts:
        path.unlink()
    return killed, done + signers.seen


def main():
    dice, server, effects, killed = random.Random(SEED), Server(), 0, []
    server.start()
    token = server.app()
    server.casemate("key", "create", "h2", "--type", "P-256")
    begin, rounds = time.monotonic(), 0
    while len(killed) < KILLS:
        rounds += 1
        now, done = one_round(server, dice, token, min(dice.randint(1, 4), KILLS - len(killed)),
                              rounds % EVERY == 0)
        killed += now
        effects += done
        if KILLS > 20:
            print(f"{len(killed)} kills, {effects} effects acknowledged", flush=True)
    (WORK / "acks").write_text("")
    server.check(WORK / "acks", "whole")
    server.stop()
    print(f"{killed.count('kmsd')} kills of kmsd and {killed.count('keyd')} of keyd in {rounds} rounds, "
          f"{effects} effects acknowledged, none lost ({time.monotonic() - begin:.0f} s, seed {SEED})")


main()
