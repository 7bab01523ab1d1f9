"""kms_grpc.py TARGET TOKEN: the key server through gRPC for Python, its messages from docs/kms.proto
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


def main():
    target, token = sys.argv[1:]
    channel = grpc.insecure_channel(target, options=[("grpc.default_authority", "localhost")])
    pool = described(channel)
    request, answer = made(pool, "EncryptRequest"), made(pool, "EncryptAnswer")
    encrypt = channel.unary_unary(f"/{SERVICE}/Encrypt",
                                  request_serializer=lambda m: m.SerializeToString(),
                                  response_deserializer=answer.FromString)
    who = [("authorization", "Bearer " + token)]
    got = encrypt(request(tenant="default", key="box", plaintext=b"secret"), metadata=who, timeout=20)
    assert len(got.ciphertext) > 70, got
    for wrong, code in (((("authorization", "Bearer cmk_nonsense"),), grpc.StatusCode.UNAUTHENTICATED),
                        ((), grpc.StatusCode.UNAUTHENTICATED)):
        try:
            encrypt(request(tenant="default", key="box", plaintext=b"x"), metadata=wrong, timeout=20)
            raise AssertionError("not refused")
        except grpc.RpcError as e:
            assert e.code() == code, e
    try:
        encrypt(request(tenant="default", key="signer", plaintext=b"x"), metadata=who, timeout=20)
        raise AssertionError("not denied")
    except grpc.RpcError as e:
        assert e.code() == grpc.StatusCode.PERMISSION_DENIED, e
    health = channel.unary_unary("/grpc.health.v1.Health/Check")
    assert health(b"", timeout=20) == b"\x08\x01"


main()
