"""A port of 127.0.0.1 that is a test's own: nobody has it, the kernel gives it to no connection, and
no other test takes it before the file that is held open is closed, by who asked and all it started.

own_port.py FD      one more, locked in the file that stands open as FD"""
import fcntl
import os
import random
import socket
import struct
import sys
import tempfile

PORTS = range(20000, 32000)  # below what connections are given


def lock_file():
    """Opened, for as long as the port is wanted."""
    path = os.path.join(os.environ.get("TMPDIR") or tempfile.gettempdir(), f"casemate-ports.{os.getuid()}")
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)


def locked(fd, port):
    try:
        fcntl.fcntl(fd, fcntl.F_OFD_SETLK, struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, port, 1, 0))
    except OSError:
        return False
    return True


def own_port(fd, taken=()):
    for port in random.sample(PORTS, len(PORTS)):
        if port in taken or not locked(fd, port):
            continue
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    sys.exit("no port is free")


if __name__ == "__main__":
    print(own_port(int(sys.argv[1]), set(map(int, sys.argv[2:]))))
