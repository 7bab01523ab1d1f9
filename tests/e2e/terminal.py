"""Programs on a terminal of their own: what a person at the keyboard meets."""
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time

HOME = os.environ["CASEMATE_HOME"]
ME = HOME + "/identity.pub"


def fail(why):
    sys.exit("FAILED: " + why)


class Terminal:
    """A program whose controlling terminal is a new pty."""

    def __init__(self, *argv):
        self.said = b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execvp(argv[0], argv)

    def read(self, seconds):
        ready, _, _ = select.select([self.fd], [], [], seconds)
        if not ready:
            return False
        try:
            some = os.read(self.fd, 4096)
        except OSError:
            return False
        self.said += some
        return bool(some)

    def until(self, text, seconds=300):
        end = time.monotonic() + seconds
        while text not in self.said:
            if time.monotonic() > end or not self.read(1) and self.over():
                fail(f"no {text!r} in {self.said!r}")

    def over(self):
        try:
            return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        except ChildProcessError:
            return True

    def send(self, text):
        self.said = b""
        os.write(self.fd, text)

    def end(self, seconds=300):
        stop = time.monotonic() + seconds
        while time.monotonic() < stop:
            if not self.read(0.2) and self.over():
                break
        else:
            fail(f"does not end: {self.said!r}")
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def run(*argv):
    return subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True)


def remove(*names):
    for name in names:
        if os.path.exists(name):
            os.remove(name)


def passphrases():
    t = Terminal("casemate", "key", "new", "--out", "asked.pem")
    t.until(b"Passphrase for the new key: ")
    t.send(b"open sesame\n")
    t.until(b"The same again: ")
    if b"sesame" in t.said:
        fail("the passphrase was echoed")
    t.send(b"open sesame\n")
    if t.end() != 0 or not os.path.exists("asked.pub"):
        fail(f"no key: {t.said!r}")

    t = Terminal("casemate", "key", "new", "--out", "differ.pem")
    t.until(b": ")
    t.send(b"one\n")
    t.until(b"again: ")
    t.send(b"two\n")
    if t.end() != 2 or b"CLI_PASSPHRASES_DIFFER" not in t.said or os.path.exists("differ.pem"):
        fail(f"two passphrases: {t.said!r}")

    run("casemate", "seal", "small.gguf", "--to", "asked.pub", "-o", "asked.sealed")
    t = Terminal("casemate", "open", "asked.sealed", "-i", "asked.pem", "-o", "asked.gguf")
    t.until(b"Passphrase of asked.pem: ")
    t.send(b"open sesame\n")
    if t.end() != 0:
        fail(f"open: {t.said!r}")
    t = Terminal("casemate", "open", "asked.sealed", "-i", "asked.pem", "-o", "asked2.gguf")
    t.until(b"Passphrase of asked.pem: ")
    t.send(b"open simsim\n")
    if t.end() != 3 or b"KEY_PASSPHRASE" not in t.said:
        fail(f"wrong passphrase: {t.said!r}")

    # Ctrl-C while asked: no key, and the terminal echoes again
    t = Terminal("sh", "-c", "trap : INT; casemate key new --out never.pem; stty -a")
    t.until(b": ")
    t.send(b"abc\x03")
    t.end()
    if os.path.exists("never.pem") or b"-echo " in t.said or b" echo " not in t.said:
        fail(f"interrupted prompt: {t.said!r}")

    # a model sealed to a passphrase asks only for that
    t = Terminal("casemate", "seal", "small.gguf", "--passphrase", "-o", "phrase.sealed")
    t.until(b"Passphrase for the model: ")
    t.send(b"xyz\n")
    t.until(b"again: ")
    t.send(b"xyz\n")
    if t.end() != 0:
        fail(f"seal to a passphrase: {t.said!r}")
    t = Terminal("casemate", "open", "phrase.sealed", "-o", "phrase.gguf")
    t.until(b"Passphrase of the model: ")
    t.send(b"xyz\n")
    if t.end() != 0:
        fail(f"open by passphrase: {t.said!r}")


def progress():
    for left in range(4, -1, -1):
        t = Terminal("casemate", "seal", "big.gguf", "--to", ME, "--force")
        begun = time.monotonic()
        if t.end() != 0:
            fail(f"seal: {t.said!r}")
        seconds = time.monotonic() - begun
        lines = re.findall(rb"\[[#.]{24}\] +\d+%  [\d.]+ [KMG]iB/s  [\d:]+ left", t.said)
        if lines or seconds <= 1:
            break
        # On a busy machine it may have waited for that second, and then been quick.
        if left == 0:
            fail(f"no progress line in {seconds:.1f} s: {t.said[:400]!r}")
    if len(lines) > 5 * seconds + 2:
        fail(f"{len(lines)} progress lines in {seconds:.1f} s: {t.said[:400]!r}")
    if not t.said.rstrip().split(b"\r")[-1].startswith(b"\x1b[K"):
        if b"\r\x1b[K" not in t.said:
            fail("the progress line was left standing")
    quiet = run("casemate", "verify", "big.gguf.sealed")
    if quiet.stderr:
        fail(f"progress without a terminal: {quiet.stderr!r}")
    none = run("casemate", "seal", "small.gguf", "--to", ME, "--force", "--quiet")
    if none.stdout or none.stderr or none.returncode:
        fail(f"--quiet said {none}")


def events():
    r = run("casemate", "seal", "big.gguf", "--to", ME, "--force", "--json")
    e = [json.loads(line) for line in r.stdout.splitlines()]
    if r.stderr or e[0]["event"] != "start" or e[-1]["event"] != "done":
        fail(f"events: {r}")
    steps = [x for x in e if x["event"] == "progress"]
    if len(steps) > 2 * e[-1]["seconds"] + 1:
        fail(f"{len(steps)} events in {e[-1]['seconds']} s")
    if e[-1]["bytes"] != os.path.getsize("big.gguf") or len(e[-1]["digest"]) != 64:
        fail(f"done: {e[-1]}")
    for x in steps:
        if not 0 < x["done"] <= x["total"]:
            fail(f"progress: {x}")


def start(*argv):
    return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True)


def wait_for(p, least):
    """Read events until that many bytes are done, or the program is."""
    out = ""
    for line in p.stdout:
        out += line
        e = json.loads(line)
        if e["event"] != "start" and e.get("done", least) >= least:
            break
    return out


def interrupt(sig, code):
    """Stopped in the middle, gone on with by the same command."""
    argv = ("casemate", "seal", "big.gguf", "--to", ME, "-o", "cut.sealed", "--json",
            "--segment-size", "64K", "--threads", "1")  # a checkpoint every 64 MiB
    remove("cut.sealed", "cut.sealed.part")
    p = start(*argv)
    out = wait_for(p, 130 << 20)
    p.send_signal(sig)
    out += p.communicate(timeout=300)[0]
    if p.returncode == 0:
        return False  # the machine was quicker
    last = json.loads(out.splitlines()[-1])
    if p.returncode != code or last["reason"] != "CANCELLED":
        fail(f"stopped by {sig}: exit {p.returncode}, {last}")
    kept = os.path.exists("cut.sealed.part")
    if os.path.exists("cut.sealed"):
        fail("an interrupted run must not leave OUT")
    if ("same command again" in last["fix"]) != kept:
        fail(f"OUT.part kept: {kept}, but {last}")
    if not kept:
        return False  # before the first checkpoint
    r = run(*argv)
    done = json.loads(r.stdout.splitlines()[-1])
    if r.returncode or done["resumed"] < 64 << 20:
        fail(f"did not go on: {r.stdout[-600:]}")
    if os.path.exists("cut.sealed.part"):
        fail("OUT.part stayed")
    if run("casemate", "verify", "cut.sealed").returncode:
        fail("what was gone on with does not verify")
    return True


def open_again():
    """The same for opening, which checks what is there."""
    argv = ("casemate", "open", "big.gguf.sealed", "-o", "big.out", "--json", "--threads", "1")
    remove("big.out", "big.out.part")
    p = start(*argv)
    out = wait_for(p, 100 << 20)
    p.send_signal(signal.SIGINT)
    out += p.communicate(timeout=300)[0]
    if p.returncode == 0:
        return False
    last = json.loads(out.splitlines()[-1])
    if p.returncode != 130 or last["reason"] != "CANCELLED" or os.path.exists("big.out"):
        fail(f"interrupted open: exit {p.returncode}, {last}")
    r = run(*argv)
    if r.returncode or json.loads(r.stdout.splitlines()[-1])["resumed"] == 0:
        fail(f"open did not go on: {r}")
    remove("big.out")
    return True


def listens(p, sig):
    """The program has begun: a signal would not just end it."""
    end = time.monotonic() + 300
    while time.monotonic() < end:
        with open(f"/proc/{p.pid}/status") as f:
            masks = re.findall(r"Sig(?:Blk|Cgt):\s*([0-9a-f]+)", f.read())
        if any(int(mask, 16) >> (sig - 1) & 1 for mask in masks):
            return
        time.sleep(0.02)
    fail(f"{sig} is not caught")


def second_signal():
    """A run that waits for its input ends at the second signal."""
    p = subprocess.Popen(("casemate", "seal", "-", "--to", ME, "-o", "stuck.sealed"),
                         stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    listens(p, signal.SIGTERM)
    time.sleep(0.5)
    p.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    if p.poll() is None:
        p.send_signal(signal.SIGTERM)
    if p.wait(timeout=300) != 143 or os.path.exists("stuck.sealed"):
        fail(f"two signals: {p.returncode}")


def stopped_pipeline():
    """Ctrl-C ends the producer too; what it managed to write is not a model."""
    p = subprocess.Popen(("casemate", "seal", "-", "--to", ME, "-o", "half.sealed"),
                         stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    p.stdin.write(bytes(3 << 20))
    p.stdin.flush()
    listens(p, signal.SIGINT)
    p.send_signal(signal.SIGINT)
    time.sleep(0.3)
    p.stdin.close()
    if p.wait(timeout=300) != 130 or os.path.exists("half.sealed"):
        fail(f"half a stream was sealed: exit {p.returncode}")


def main():
    passphrases()
    progress()
    events()
    tries = [interrupt(signal.SIGINT, 130), interrupt(signal.SIGTERM, 143), open_again()]
    if not all(tries):
        print(f"SKIP of three interruptions {tries.count(False)}: too quick for the signal")
    second_signal()
    stopped_pipeline()


main()
