"""Clients not written here against a small server: curl, h2load, gRPC for Python."""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

SKIPS = []


class Server:
    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.port = int(self.process.stdout.readline())

    def url(self, path):
        return f"http://127.0.0.1:{self.port}{path}"

    def stop(self):
        self.process.stdin.close()
        if self.process.wait(300) != 0:
            sys.exit(f"the server ended with {self.process.returncode}")


def output(*command, **more):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=300, **more).stdout


# ---- curl

def curl(server, folder):
    big = os.urandom(3_000_000)
    with open(f"{folder}/big", "wb") as f:
        f.write(big)
    for version in ("--http1.1", "--http2-prior-knowledge"):
        def get(*more):
            return output("curl", "-sS", "--fail-with-body", version, *more)

        assert get(server.url("/hello")) == b"hello\n"
        assert get("--data-binary", f"@{folder}/big", server.url("/echo")) == big
        assert get("-H", "Transfer-Encoding: chunked", "--data-binary", f"@{folder}/big",
                   server.url("/echo")) == big
        assert get("-H", "Expect: 100-continue", "--data-binary", f"@{folder}/big",
                   server.url("/echo")) == big
        assert get(server.url("/stream?n=5000000")) == bytes(5_000_000)
        assert b"content-length: 6\r\n" in get("-I", server.url("/hello"))
        assert get(server.url("/drain")) == b"bye\n"
        head = get("-H", "X-Mixed: a  b", server.url("/head?q=1&r"))
        assert b" /head q=1&r\n" in head and b"\nx-mixed: a  b\n" in head, head
        status = subprocess.run(
            ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", version, "-H",
             "X: " + "x" * 40000, server.url("/hello")], stdout=subprocess.PIPE).stdout
        assert status == b"431", status
        print(f"curl {version}: all as it should be")
    two = output("curl", "-sS", server.url("/hello"), server.url("/hello"))
    assert two == b"hello\nhello\n"


# ---- h2load

def h2load(server, folder):
    with open(f"{folder}/small", "wb") as f:
        f.write(os.urandom(100))
    for more in (["-m", "32"], ["--h1", "-m", "1"], ["-m", "100", "-w", "16", "-W", "16"]):
        n = 20000
        out = output("h2load", "-n", str(n), "-c", "4", *more, "-d", f"{folder}/small",
                     server.url("/echo")).decode()
        assert f"{n} succeeded, 0 failed" in out, out
        assert f"{n} 2xx" in out, out
        print("h2load", *more, re.search(r"[\d.]+ req/s", out)[0])
    out = output("h2load", "-n", "400", "-c", "2", "-m", "8", server.url("/stream?n=300000")).decode()
    assert "400 succeeded" in out and f"({400 * 300000}) data" in out, out


# ---- gRPC

def classes(program, folder):
    """The messages, from the .proto that the server prints, by protoc."""
    with open(f"{folder}/probe.proto", "wb") as f:
        f.write(output(program, "proto"))
    output("protoc", f"-I{folder}", f"--python_out={folder}", f"{folder}/probe.proto")
    sys.path.insert(0, folder)
    import probe_pb2
    return probe_pb2


def unary(channel, path, out):
    return channel.unary_unary(path, request_serializer=lambda m: m.SerializeToString(),
                               response_deserializer=out.FromString)


def grpc_calls(grpc, channel, pb):
    say = unary(channel, "/casemate.test.v1.Probe/Say", pb.Sample)
    m = pb.Sample(name="ä", data=bytes(range(200)), numbers=[1, 2**64 - 1], kind=2,
                  inners=[pb.Inner(id=3)])
    answer, call = say.with_call(m, metadata=[("x-a", "b")], timeout=300)
    assert answer == m
    assert dict(call.initial_metadata())["x-probe"] == "yes"
    for _ in range(300):
        assert say(m) == m
    big = pb.Sample(data=bytes(4096), inners=[pb.Inner(id=i) for i in range(5)])
    many = [say.future(big) for _ in range(200)]
    assert all(f.result() == big for f in many)
    count = channel.unary_stream("/casemate.test.v1.Probe/Count",
                                 request_serializer=lambda m: m.SerializeToString(),
                                 response_deserializer=pb.Inner.FromString)
    assert [a.id for a in count(pb.Inner(id=1000))] == [i % 128 for i in range(1000)]
    assert [*count(pb.Inner(id=0))] == []

    def fails(path, request, status, text=None):
        try:
            unary(channel, path, pb.Sample)(request)
        except grpc.RpcError as e:
            assert e.code() == status, e
            assert text is None or e.details() == text, e.details()
            return
        sys.exit(f"{path} did not fail")

    code = grpc.StatusCode
    fails("/casemate.test.v1.Probe/Fail", m, code.PERMISSION_DENIED, "100 % ä\n")
    fails("/casemate.test.v1.Probe/None", m, code.UNIMPLEMENTED)
    fails("/other.Service/Say", m, code.UNIMPLEMENTED)
    fails("/casemate.test.v1.Probe/Say", pb.Sample(kind=300, small=101), code.INVALID_ARGUMENT)
    try:
        say(pb.Sample(data=bytes(4096)), compression=grpc.Compression.Gzip)
        sys.exit("a compressed request was taken")
    except grpc.RpcError as e:
        assert e.code() == code.UNIMPLEMENTED, e
    print("gRPC: unary, many at once, server streaming, errors, compression refused")


def varint(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def field(number, data):
    return varint(number << 3 | 2) + varint(len(data)) + data


def parts(data):
    """{number: bytes} of a message that has nothing but length-delimited fields."""
    def take():
        nonlocal at
        n = shift = 0
        while True:
            n |= (data[at] & 127) << shift
            shift += 7
            at += 1
            if data[at - 1] < 128:
                return n

    at, found = 0, {}
    while at < len(data):
        number = take() >> 3
        n = take()
        found[number] = data[at : at + n]
        at += n
    return found


def raw(kind, path):
    return kind(path, request_serializer=bytes, response_deserializer=bytes)


def grpc_health(grpc, channel, pb):
    check = raw(channel.unary_unary, "/grpc.health.v1.Health/Check")
    watch = raw(channel.unary_stream, "/grpc.health.v1.Health/Watch")
    switch = unary(channel, "/casemate.test.v1.Probe/Health", pb.Sample)
    assert check(b"") == b"\x08\x01"
    assert check(field(1, b"casemate.test.v1.Probe")) == b"\x08\x01"
    try:
        check(field(1, b"casemate.test.v1.None"))
        sys.exit("health of nothing")
    except grpc.RpcError as e:
        assert e.code() == grpc.StatusCode.NOT_FOUND, e
    seen, stream = [], watch(b"")
    first = threading.Event()

    def read():
        try:
            for message in stream:
                seen.append(message)
                first.set()
        except grpc.RpcError as e:
            seen.append(e.code())

    reader = threading.Thread(target=read)
    reader.start()
    assert first.wait(10)
    for on in (False, True, True, False):
        switch(pb.Sample(on=on))
    deadline = time.time() + 10
    while len(seen) < 4 and time.time() < deadline:
        time.sleep(0.01)
    stream.cancel()
    reader.join(10)
    assert seen == [b"\x08\x01", b"\x08\x02", b"\x08\x01", b"\x08\x02",
                    grpc.StatusCode.CANCELLED], seen
    assert next(watch(field(1, b"nobody"))) == b"\x08\x03"
    print("gRPC health: Check, Watch")


def grpc_reflection(channel):
    """A client as the tools have it, asking one thing after the other on an open stream."""
    import queue

    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    for version in ("v1", "v1alpha"):
        asked = queue.Queue()
        answers = raw(channel.stream_stream,
                      f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo")(
                          iter(asked.get, None))

        def ask(number, data):
            asked.put(field(1, b"host") + field(number, data))
            return next(answers)

        package = f"grpc.reflection.{version}"
        listed = ask(7, b"*")
        for name in (b"casemate.test.v1.Probe", b"grpc.health.v1.Health",
                     package.encode() + b".ServerReflection"):
            assert field(1, field(1, name)) in listed, listed
        pool = descriptor_pool.DescriptorPool()

        own = parts(parts(ask(4, package.encode() + b".ServerReflection"))[4])[1]
        pool.Add(descriptor_pb2.FileDescriptorProto.FromString(own))
        response = message_factory.MessageFactory(pool).GetPrototype(
            pool.FindMessageTypeByName(package + ".ServerReflectionResponse"))
        for number, text in ((4, b"casemate.test.v1.Probe"), (4, b"casemate.test.v1.Probe.Say"),
                             (4, b"casemate.test.v1.Inner"), (4, b"casemate.test.v1.Inner.id"),
                             (3, b"casemate/test/v1/probe.proto"), (4, b"grpc.health.v1.Health"),
                             (3, b"grpc/health/v1/health.proto")):
            answer = response.FromString(ask(number, text))
            assert answer.valid_host == "host"
            (data,) = answer.file_descriptor_response.file_descriptor_proto
            file = descriptor_pb2.FileDescriptorProto.FromString(data)
            assert text.decode().startswith(file.package) or text.decode() == file.name
        for number, text, code in ((4, b"casemate.test.v1.None", 5), (4, b"", 5), (3, b"x", 5),
                                   (6, b"a.b", 5), (4, b"casemate.test.v1.Probe.None", 5)):
            answer = response.FromString(ask(number, text))
            assert answer.error_response.error_code == code, answer
        asked.put(None)
        assert [*answers] == []
    print("gRPC reflection: v1, v1alpha")


def grpc_all(server, program, folder):
    try:
        import grpc
        import google.protobuf
    except ImportError:
        SKIPS.append("python3-grpcio")
        return
    if not shutil.which("protoc"):
        SKIPS.append("protobuf-compiler")
        return
    pb = classes(program, folder)
    with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        grpc_calls(grpc, channel, pb)
        grpc_health(grpc, channel, pb)
        grpc_reflection(channel)


def main():
    program = sys.argv[1]
    server = Server(program)
    with tempfile.TemporaryDirectory() as folder:
        for tool, test in (("curl", curl), ("h2load", h2load)):
            if shutil.which(tool):
                test(server, folder)
            else:
                SKIPS.append(tool)
        grpc_all(server, program, folder)
    server.stop()
    if SKIPS:
        print("SKIP: not installed:", *SKIPS)
        sys.exit(77)


main()
