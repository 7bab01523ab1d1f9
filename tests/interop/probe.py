"""Asks codec_probe what our readers make of many inputs."""
import struct
import subprocess
import sys


def ask(kind, inputs):
    """[(taken, text)] for each input, in order."""
    frames = b"".join(struct.pack(">I", len(i) + 1) + kind + i for i in inputs)
    out = subprocess.run([sys.argv[1]], input=frames, stdout=subprocess.PIPE, check=True).stdout
    answers, at = [], 0
    while at < len(out):
        (n,) = struct.unpack_from(">I", out, at)
        answers.append((out[at + 4 : at + 5] == b"+", out[at + 5 : at + 4 + n]))
        at += 4 + n
    if len(answers) != len(inputs):
        sys.exit(f"{len(inputs)} questions, {len(answers)} answers")
    return answers


def compare(kind, inputs, expect, loads):
    """expect(input) is the value that must be read, or an exception when it must be refused."""
    taken = refused = wrong = 0
    for data, (ok, text) in zip(inputs, ask(kind, inputs)):
        try:
            value, known = expect(data), True
        except Exception as e:  # whatever the other reader raises, it refuses
            value, known = e, False
        if ok != known or (ok and loads(text) != value):
            wrong += 1
            print(f"{data!r}\n  ours: {text!r}\n  theirs: {value!r}")
        taken += ok
        refused += not ok
    print(f"{taken} taken by both, {refused} refused by both, {wrong} disputed")
    if wrong or min(taken, refused) < 1000:
        sys.exit("readers differ" if wrong else "too few cases on one side")


def mutate(rng, data, alphabet):
    """One to three small edits."""
    data = bytearray(data)
    for _ in range(rng.randint(1, 3)):
        at = rng.randint(0, len(data))
        edit = rng.randint(0, 3)
        if edit == 0:
            data[at:at] = bytes([rng.choice(alphabet)])
        elif edit == 1:
            del data[at : at + rng.randint(1, 2)]
        elif edit == 2:
            data[at : at + 1] = bytes([rng.choice(alphabet)])
        else:
            other = rng.randint(0, len(data))
            data[at:at] = data[other : other + rng.randint(1, 8)]
    return bytes(data)
