"""kms_grpc.py TARGET TOKEN|sealed: the key server through gRPC for Python, its messages from docs/kms.proto
by the server's own reflection."""
import sys

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

SERVICE = "casemate.kms.v1.Kms"


def varint(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def fields(data):
    """Protobuf's length-delimited fields: enough for the reflection service's answer."""
    at = 0
    while at < len(data):
        tag = shift = 0
        while True:
            tag |= (data[at] & 127) << shift
            shift += 7
            at += 1
            if data[at - 1] < 128:
                break
        value = shift = 0
        while True:
            value |= (data[at] & 127) << shift
            shift += 7
            at += 1
            if data[at - 1] < 128:
                break
        if tag & 7 == 2:
            yield tag >> 3, data[at:at + value]
            at += value
        else:
            yield tag >> 3, value


def described(channel):
    """The file that holds the service, by reflection."""
    ask = channel.stream_stream("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")
    name = SERVICE.encode()
    answer = next(ask(iter([b"\x22" + varint(len(name)) + name])))
    pool = descriptor_pool.DescriptorPool()
    for number, part in fields(answer):
        if number == 4:
            for inner, file in fields(part):
                if inner == 1:
                    pool.Add(descriptor_pb2.FileDescriptorProto.FromString(file))
    return pool


def made(pool, name):
    found = pool.FindMessageTypeByName("casemate.kms.v1." + name)
    if hasattr(message_factory, "GetMessageClass"):
        return message_factory.GetMessageClass(found)
    return message_factory.MessageFactory(pool).GetPrototype(found)


def tail(channel, made, pool, who, act):
    """TailEntries: what there is, then what comes, until the client has had enough."""
    request, answer = made(pool, "ListEntriesRequest"), made(pool, "ListEntriesAnswer")
    follow = channel.unary_stream(f"/{SERVICE}/TailEntries",
                                  request_serializer=lambda m: m.SerializeToString(),
                                  response_deserializer=answer.FromString)
    stream = follow(request(tenant="default"), metadata=who, timeout=300)
    seen, size = [], None
    for piece in stream:
        seen += [(e.leaf, e.operation) for e in piece.entries]
        if size is None and piece.next == piece.size:
            size = piece.size
            act()
        if size is not None and any(leaf >= size and op == "Encrypt" for leaf, op in seen):
            break
    else:
        raise AssertionError("the stream ended")
    stream.cancel()
    leaves = [leaf for leaf, _ in seen]
    assert leaves == sorted(set(leaves)), leaves
    assert sum(op == "TailEntries" for _, op in seen) == 1, seen
    try:
        next(follow(request(tenant="default"), metadata=(), timeout=300))
        raise AssertionError("not refused")
    except grpc.RpcError as e:
        assert e.code() == grpc.StatusCode.UNAUTHENTICATED, e


def batch(channel, made, pool, who):
    """Three items, each its own ciphertext; one too many; a key that is not granted."""
    request, answer = made(pool, "BatchRequest"), made(pool, "BatchAnswer")
    ask = channel.unary_unary(f"/{SERVICE}/Batch", request_serializer=lambda m: m.SerializeToString(),
                              response_deserializer=answer.FromString)

    def of(n, key="box"):
        return request(tenant="default", key=key, operation=3, items=[{"data": b"%d" % i} for i in range(n)])
    got = ask(of(3), metadata=who, timeout=300)
    assert len({r.data for r in got.results}) == 3 and not any(r.error for r in got.results), got
    for bad, code in ((of(129), grpc.StatusCode.INVALID_ARGUMENT),
                      (of(2, "signer"), grpc.StatusCode.PERMISSION_DENIED)):
        try:
            ask(bad, metadata=who, timeout=300)
            raise AssertionError("not refused")
        except grpc.RpcError as e:
            assert e.code() == code, e


def sealed(channel):
    """Closed, not exhausted; health says the same."""
    try:
        channel.unary_unary(f"/{SERVICE}/Encrypt")(b"", timeout=300)
        raise AssertionError("not refused")
    except grpc.RpcError as e:
        assert e.code() == grpc.StatusCode.UNAVAILABLE, e
    assert channel.unary_unary("/grpc.health.v1.Health/Check")(b"", timeout=300) == b"\x08\x02"


def main():
    target, token = sys.argv[1:]
    channel = grpc.insecure_channel(target, options=[("grpc.default_authority", "localhost")])
    if token == "sealed":
        sealed(channel)
        return
    pool = described(channel)
    request, answer = made(pool, "EncryptRequest"), made(pool, "EncryptAnswer")
    encrypt = channel.unary_unary(f"/{SERVICE}/Encrypt",
                                  request_serializer=lambda m: m.SerializeToString(),
                                  response_deserializer=answer.FromString)
    who = [("authorization", "Bearer " + token)]
    got = encrypt(request(tenant="default", key="box", plaintext=b"secret"), metadata=who, timeout=300)
    assert len(got.ciphertext) > 70, got
    batch(channel, made, pool, who)
    for wrong, code in (((("authorization", "Bearer cmk_nonsense"),), grpc.StatusCode.UNAUTHENTICATED),
                        ((), grpc.StatusCode.UNAUTHENTICATED)):
        try:
            encrypt(request(tenant="default", key="box", plaintext=b"x"), metadata=wrong, timeout=300)
            raise AssertionError("not refused")
        except grpc.RpcError as e:
            assert e.code() == code, e
    try:
        encrypt(request(tenant="default", key="signer", plaintext=b"x"), metadata=who, timeout=300)
        raise AssertionError("not denied")
    except grpc.RpcError as e:
        assert e.code() == grpc.StatusCode.PERMISSION_DENIED, e
    tail(channel, made, pool, who, lambda: encrypt(
        request(tenant="default", key="box", plaintext=b"later"), metadata=who, timeout=300))
    health = channel.unary_unary("/grpc.health.v1.Health/Check")
    assert health(b"", timeout=300) == b"\x08\x01"


if __name__ == "__main__":
    main()
