#!/usr/bin/env python3
"""Seal and open a model side by side with cp, age, gpg and openssl enc, and read one tensor.

Every round runs each program once, so that all of them meet the same neighbours. A program that
writes a file is timed until that file is on the disk: casemate syncs by itself, the others are
followed by sync(1), whose time and CPU count. Inputs are read into the page cache first (warm), or
their pages are dropped (cold). Outputs are removed and the disk is settled between runs.
"""
import argparse
import contextlib
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
UNITS = {"K": 10, "M": 20, "G": 30}


def size_of(text):
    return int(text[:-1]) << UNITS[text[-1]] if text[-1] in UNITS else int(text)


def warm(path):
    with open(path, "rb", buffering=0) as f:
        buffer = bytearray(1 << 20)
        while f.readinto(buffer):
            pass


def cold(path):
    with open(path, "rb", buffering=0) as f:
        os.fsync(f.fileno())
        os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def spawn(argv, stdout=None):
    """Wall seconds, and what wait4 says."""
    out = os.open(stdout or os.devnull, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    err = os.open(os.devnull if argv[0] == "gpg" else "/dev/stderr", os.O_WRONLY)
    actions = [(os.POSIX_SPAWN_DUP2, out, 1), (os.POSIX_SPAWN_DUP2, err, 2)]
    start = time.monotonic()
    pid = os.posix_spawnp(argv[0], argv, os.environ, file_actions=actions)
    _, status, usage = os.wait4(pid, 0)
    wall = time.monotonic() - start
    os.close(out)
    os.close(err)
    if status:
        sys.exit(f"seal.py: {' '.join(argv)}: status {os.waitstatus_to_exitcode(status)}")
    return wall, usage


class Job:
    """A command that makes out from source; synced: it is on the disk when the command returns."""

    def __init__(self, name, argv, source, out, synced=False, few=False):
        self.name, self.argv, self.source, self.out = name, argv, source, out
        self.synced, self.few = synced, few

    def run(self, prepare):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.out)
        os.sync()
        prepare(self.source)
        runs = [spawn(self.argv)]
        if not self.synced:
            runs.append(spawn(["sync", self.out]))
        return {
            "wall": sum(wall for wall, _ in runs),
            "user": sum(u.ru_utime for _, u in runs),
            "sys": sum(u.ru_stime for _, u in runs),
            "cpu": sum(u.ru_utime + u.ru_stime for _, u in runs),
        }


def peak(job):
    """Peak resident KiB of one more run. wait4 would count this interpreter's own memory."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(job.out)
    child, most = subprocess.Popen(job.argv), 0
    while child.poll() is None:
        with contextlib.suppress(OSError, StopIteration):
            status = pathlib.Path(f"/proc/{child.pid}/status").read_text().splitlines()
            most = max(most, int(next(x for x in status if x.startswith("VmHWM")).split()[1]))
        time.sleep(0.02)
    return most


def first_line(argv):
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return (done.stdout or done.stderr).splitlines()[0]


class Bench:
    def __init__(self, args):
        self.args = args
        self.work = pathlib.Path(args.work)
        self.work.mkdir(parents=True, exist_ok=True)
        self.model = str(self.work / "model.safetensors")
        self.casemate = str(pathlib.Path(args.build) / "cmd/casemate/casemate")
        os.environ["CASEMATE_HOME"] = str(self.work / "home")
        self.peers, self.versions = [], {"casemate": first_line([self.casemate, "version"])}

    def path(self, name):
        return str(self.work / name)

    def make_model(self):
        maker = pathlib.Path(self.args.build) / "tests/testlib/make-model"
        subprocess.run([maker, "safetensors", self.model, self.args.size], check=True)
        subprocess.run([self.casemate, "init", "--no-passphrase", "-q"], check=True)

    def casemate_jobs(self):
        sealed, to = self.path("sealed"), self.path("home/identity.pub")
        for n in ("1", "2"):
            yield Job(f"casemate seal, {n} thread{'s'[:n > '1']}",
                      [self.casemate, "seal", "-q", "-r", to, "--threads", n, "-o", sealed,
                       self.model], self.model, sealed, synced=True)
            yield Job(f"casemate open, {n} thread{'s'[:n > '1']}",
                      [self.casemate, "open", "-q", "--threads", n, "-o", self.path("plain"),
                       sealed], sealed, self.path("plain"), synced=True)

    def age_jobs(self):
        """The newest age, and the distribution's, which knows X25519 only."""
        own, system = ROOT / ".deps/peers/bin/age", shutil.which("age")
        if own.exists():
            yield from self.one_age(str(own), "age", ["-pq"], "ML-KEM-768 with X25519")
        if system:
            name = "old age" if own.exists() else "age"
            yield from self.one_age(system, name, [], "X25519")

    def one_age(self, age, name, options, recipient):
        self.versions[name] = first_line([age, "--version"]) + ", " + recipient
        key = subprocess.run([age + "-keygen"] + options, capture_output=True, text=True,
                             check=True).stdout
        stem = self.path(name.replace(" ", "-"))
        pathlib.Path(stem + ".key").write_text(key)
        to = next(x.split(": ")[1] for x in key.splitlines() if x.startswith("# public key"))
        pathlib.Path(stem + ".pub").write_text(to + "\n")
        few = name != "age"
        yield Job(f"{name} encrypt", [age, "-R", stem + ".pub", "-o", stem, self.model],
                  self.model, stem, few=few)
        yield Job(f"{name} decrypt", [age, "-d", "-i", stem + ".key", "-o", self.path("plain"),
                                      stem], stem, self.path("plain"), few=few)

    def gpg_jobs(self):
        if not shutil.which("gpg"):
            return
        home, sealed = self.work / "gpg", self.path("model.gpg")
        home.mkdir(mode=0o700, exist_ok=True)
        self.versions["gpg"] = first_line(["gpg", "--version"]) + ", AES-256, no compression"
        gpg = ["gpg", "--batch", "--yes", "--quiet", "--homedir", str(home), "--pinentry-mode",
               "loopback", "--passphrase", "bench"]
        yield Job("gpg encrypt", gpg + ["--cipher-algo", "AES256", "--compress-algo", "none", "-o",
                                        sealed, "--symmetric", self.model],
                  self.model, sealed, few=True)
        yield Job("gpg decrypt", gpg + ["-o", self.path("plain"), "--decrypt", sealed], sealed,
                  self.path("plain"), few=True)

    def openssl_jobs(self):
        own = ROOT / ".deps/openssl/bin/openssl"
        openssl = str(own) if own.exists() else "openssl"
        self.versions["openssl"] = (first_line([openssl, "version"]) +
                                    ", enc -aes-256-ctr (not authenticated)")
        enc = [openssl, "enc", "-aes-256-ctr", "-pbkdf2", "-pass", "pass:bench"]
        sealed = self.path("enc")
        yield Job("openssl enc", enc + ["-in", self.model, "-out", sealed], self.model, sealed,
                  few=True)
        yield Job("openssl enc -d", enc + ["-d", "-in", sealed, "-out", self.path("plain")],
                  sealed, self.path("plain"), few=True)

    def jobs(self):
        yield Job("cp", ["cp", self.model, self.path("copy")], self.model, self.path("copy"))
        yield from self.casemate_jobs()
        yield from self.age_jobs()
        yield from self.gpg_jobs()
        yield from self.openssl_jobs()

    def check(self, digests, job):
        """What was opened is what was sealed."""
        if job.out == self.path("plain"):
            with open(job.out, "rb") as f:
                if hashlib.file_digest(f, "sha256").digest() != digests:
                    sys.exit(f"seal.py: {job.name} did not give the model back")

    def rounds(self, jobs, state, prepare, deadline):
        runs = {job.name: [] for job in jobs}
        with open(self.model, "rb") as f:
            digest = hashlib.file_digest(f, "sha256").digest()
        for number in range(self.args.rounds):
            if number >= 1 and time.monotonic() > deadline:
                break
            for job in jobs:
                # What nothing is measured against, once: those are slow.
                if job.few and (state == "cold" or number >= 1):
                    continue
                runs[job.name].append(job.run(prepare))
                if number == 0 and state == "warm":
                    self.check(digest, job)
                print(f"{state} {number} {job.name}: " + ", ".join(
                    f"{k} {v:.2f}" for k, v in runs[job.name][-1].items()), file=sys.stderr)
        return {name: samples for name, samples in runs.items() if samples}

    def tensor(self):
        """One tensor of 16 MiB through the program, beside dd of the same bytes."""
        name, offset, length = tensor_of(self.model, 16 << 20)
        out = {"name": name, "bytes": length}
        cat = [self.casemate, "cat", "--tensor", name, "-o", "-", self.path("sealed")]
        dd = ["dd", f"if={self.model}", "bs=1M", "iflag=skip_bytes,count_bytes", f"skip={offset}",
              f"count={length}", "status=none"]
        for state, prepare in (("warm", warm), ("cold", cold)):
            samples = {"cat": [], "dd": []}
            prepare(self.model), prepare(self.path("sealed"))
            for _ in range(9):
                for key, argv in (("dd", dd), ("cat", cat)):
                    if state == "cold":
                        cold(self.model), cold(self.path("sealed"))
                    samples[key].append(spawn(argv, self.path(key))[0])
            out[state] = samples
        if pathlib.Path(self.path("cat")).read_bytes() != pathlib.Path(self.path("dd")).read_bytes():
            sys.exit("seal.py: cat --tensor differs from the model")
        return out

    def run(self):
        self.make_model()
        jobs, begin = list(self.jobs()), time.monotonic()
        budget = self.args.minutes * 60
        result = {"size": size_of(self.args.size), "versions": self.versions}
        result["load_before"] = os.getloadavg()[0]
        result["warm"] = self.rounds(jobs, "warm", warm, begin + 0.6 * budget)
        result["cold"] = self.rounds(jobs, "cold", cold, begin + budget)
        result["tensor"] = self.tensor()
        result["peak_kib"] = {job.name: peak(job) for job in jobs if not job.few}
        for job in jobs:
            if job.out != self.path("sealed"):  # left for those who come next
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(job.out)
        return result


def tensor_of(model, length):
    """Name and place of a tensor of that length near the middle of a safetensors file."""
    with open(model, "rb") as f:
        n = int.from_bytes(f.read(8), "little")
        head = json.loads(f.read(n))
    found = [(k, v["data_offsets"]) for k, v in head.items()
             if k != "__metadata__" and v["data_offsets"][1] - v["data_offsets"][0] <= length]
    best = max(b - a for _, (a, b) in found)
    found = [(k, 8 + n + a, b - a) for k, (a, b) in found if b - a == best]
    return found[len(found) // 2]


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--build", default=str(ROOT / "build/main"))
    p.add_argument("--work", default=str(ROOT / "build/bench"))
    p.add_argument("--size", default="4G")
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--minutes", type=float, default=8, help="no new round after these")
    p.add_argument("--quick", action="store_true", help="512 MiB and two rounds, for trying")
    p.add_argument("--out", required=True)
    args = p.parse_args()
    if args.quick:
        args.size, args.rounds = "512M", 2
    result = Bench(args).run()
    pathlib.Path(args.out).write_text(json.dumps(result, indent=1) + "\n")


main()
