#!/usr/bin/env python3
"""Emulates the documented REST APIs of AWS KMS, Google Cloud KMS and Azure Key Vault (and Managed
HSM) over plain HTTP or TLS on a port of the system's choice, which it prints. Requests' signatures
and tokens are checked strictly. Written from the services' documentation, with the standard library
and openssl(1) for asymmetric keys: symmetric ciphertexts are of a form of its own, which callers
can't see through either.

usage: cloud_emulator.py FOLDER [CERT KEY]
FOLDER/fault holds "KIND COUNT [ACTION]": the next COUNT requests (of ACTION) go wrong.
FOLDER/requests gets a line for each request. FOLDER/sa.pub is the service account's public key.
"""
import base64
import binascii
import hashlib
import hmac
import http.server
import json
import os
import re
import ssl
import subprocess
import sys
import threading
import time
import urllib.parse

FOLDER = sys.argv[1]
OPENSSL = os.environ.get('CASEMATE_OPENSSL', 'openssl')
AWS_ID, AWS_SECRET, AWS_SESSION = 'AKIDEMULATED', 'emulated/secret+key', 'emulated-session-token'
REGION = 'eu-central-1'
RING = 'projects/p1/locations/europe-west3/keyRings/ring1'
TENANT, CLIENT, CLIENT_SECRET = 'tenant-1', 'client-1', 's3cret&=% +~'
KEYS, ALIASES, TOKENS = {}, {}, {}
LOCK = threading.Lock()


def run(*args, data=None):
    return subprocess.run([OPENSSL, *args], input=data, stdout=subprocess.PIPE, check=True).stdout


class Fail(Exception):
    def __init__(self, status, kind, headers=()):
        super().__init__(kind)
        self.status, self.kind, self.headers = status, kind, headers


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


def unbase64(text):
    return base64.b64decode(text, validate=True)


def url64(data):
    return base64.urlsafe_b64encode(data).rstrip(b'=').decode()


def unurl64(text):
    if not re.fullmatch(r'[A-Za-z0-9_-]*', text):
        raise Fail(400, 'BadParameter')
    return base64.urlsafe_b64decode(text + '=' * (-len(text) % 4))


# ---- keys


class Symmetric:
    def __init__(self):
        self.key = os.urandom(32)

    def stream(self, iv, n):
        out = b''
        while len(out) < n:
            out += hmac.digest(self.key, b's' + iv + len(out).to_bytes(4, 'big'), 'sha256')
        return out[:n]

    def tag(self, iv, body, aad):
        return hmac.digest(self.key, b't' + iv + len(aad).to_bytes(4, 'big') + aad + body, 'sha256')[:16]

    def seal(self, plain, aad):
        with open(os.path.join(FOLDER, 'sizes'), 'a', encoding='ascii') as f:
            f.write(f'{len(plain)}\n')
        iv = os.urandom(12)
        body = bytes(a ^ b for a, b in zip(plain, self.stream(iv, len(plain))))
        return iv, body, self.tag(iv, body, aad)

    def open(self, iv, body, tag, aad):
        if not hmac.compare_digest(tag, self.tag(iv, body, aad)):
            return None
        return bytes(a ^ b for a, b in zip(body, self.stream(iv, len(body))))


CURVES = {'p256': 'P-256', 'k256': 'secp256k1'}


class Pair:
    def __init__(self, kind):
        self.kind = kind
        self.path = os.path.join(FOLDER, 'key-' + os.urandom(8).hex())
        if kind in CURVES:
            run('genpkey', '-algorithm', 'EC', '-pkeyopt', 'group:' + CURVES[kind], '-out', self.path)
        else:
            run('genpkey', '-algorithm', kind, '-out', self.path)
        self.spki = run('pkey', '-in', self.path, '-pubout', '-outform', 'DER')

    def sign(self, data):
        with open(self.path + '.in', 'wb') as f:
            f.write(data)
        raw = [] if self.kind in CURVES else ['-rawin']
        return run('pkeyutl', '-sign', '-inkey', self.path, '-in', self.path + '.in', *raw)

    def sign_mu(self, mu):
        with open(self.path + '.in', 'wb') as f:
            f.write(mu)
        return run('pkeyutl', '-sign', '-inkey', self.path, '-in', self.path + '.in', '-rawin',
                   '-pkeyopt', 'mu:1')


def der_to_raw(der):
    def integer(at):
        n = der[at + 1]
        return int.from_bytes(der[at + 2:at + 2 + n], 'big'), at + 2 + n
    r, at = integer(2)
    s, _ = integer(at)
    return r.to_bytes(32, 'big') + s.to_bytes(32, 'big')


# ---- faults


def fault(action):
    path = os.path.join(FOLDER, 'fault')
    with LOCK:
        try:
            with open(path, encoding='ascii') as f:
                words = f.read().split()
        except FileNotFoundError:
            return ''
        if len(words) < 2 or int(words[1]) == 0 or (len(words) > 2 and words[2] != action):
            return ''
        words[1] = str(int(words[1]) - 1)
        with open(path + '.new', 'w', encoding='ascii') as f:
            f.write(' '.join(words))
        os.rename(path + '.new', path)
        return words[0]


def spoil(text, kind):
    data = bytearray(unbase64(text))
    data[len(data) // 2] ^= 4
    return base64.b64encode(bytes(data)).decode()


# ---- AWS KMS

AWS_SPECS = {'SYMMETRIC_DEFAULT': None, 'ECC_NIST_P256': 'p256', 'ECC_SECG_P256K1': 'k256',
             'ECC_NIST_EDWARDS25519': 'ED25519', 'ML_DSA_44': 'ML-DSA-44', 'ML_DSA_65': 'ML-DSA-65',
             'ML_DSA_87': 'ML-DSA-87'}
AWS_SIGNING = {'ECC_NIST_P256': 'ECDSA_SHA_256', 'ECC_SECG_P256K1': 'ECDSA_SHA_256',
               'ECC_NIST_EDWARDS25519': 'ED25519_SHA_512', 'ML_DSA_44': 'ML_DSA_SHAKE_256',
               'ML_DSA_65': 'ML_DSA_SHAKE_256', 'ML_DSA_87': 'ML_DSA_SHAKE_256'}


def aws_authentic(request, body):
    h = request.headers
    m = re.fullmatch(r'AWS4-HMAC-SHA256 Credential=(\w+)/(\d{8})/([\w-]+)/kms/aws4_request, '
                     r'SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})',
                     h.get('authorization', ''))
    if not m:
        raise Fail(400, 'MissingAuthenticationTokenException')
    key_id, day, region, names, given = m.groups()
    names = names.split(';')
    if key_id != AWS_ID or region != REGION:
        raise Fail(400, 'UnrecognizedClientException')
    if names != sorted(names) or not {'host', 'x-amz-date', 'x-amz-target'} <= set(names):
        raise Fail(400, 'InvalidSignatureException')
    when = h['x-amz-date']
    if when[:8] != day or abs(time.time() - time.mktime(time.strptime(when + ' UTC', '%Y%m%dT%H%M%SZ %Z')) +
                              time.timezone) > 300:
        raise Fail(400, 'InvalidSignatureException')
    if h.get('x-amz-security-token') != AWS_SESSION:
        raise Fail(400, 'UnrecognizedClientException')
    canonical = '\n'.join([request.command, request.path, '',
                           *(f'{n}:{h[n].strip()}' for n in names), '', ';'.join(names),
                           hashlib.sha256(body).hexdigest()])
    scope = f'{day}/{region}/kms/aws4_request'
    text = '\n'.join(['AWS4-HMAC-SHA256', when, scope,
                      hashlib.sha256(canonical.encode()).hexdigest()])
    key = ('AWS4' + AWS_SECRET).encode()
    for part in (day, region, 'kms', 'aws4_request'):
        key = hmac.digest(key, part.encode(), 'sha256')
    if not hmac.compare_digest(hmac.digest(key, text.encode(), 'sha256').hex(), given):
        raise Fail(400, 'InvalidSignatureException')


def aws_key(q, use=True):
    name = q['KeyId']
    arn = ALIASES.get(name, name)
    if arn not in KEYS:
        raise Fail(400, 'NotFoundException')
    if use and KEYS[arn]['state'] != 'Enabled':
        raise Fail(400, 'KMSInvalidStateException')
    return arn, KEYS[arn]


def aws_metadata(arn, k):
    return {'KeyMetadata': {'AWSAccountId': '111122223333', 'Arn': arn, 'KeyId': arn.split('/')[-1],
                            'CreationDate': 1.7e9, 'Enabled': k['state'] == 'Enabled',
                            'KeyState': k['state'], 'KeySpec': k['spec'], 'Origin': 'AWS_KMS',
                            'KeyUsage': k['usage'], 'KeyManager': 'CUSTOMER', 'MultiRegion': False}}


def aws_context(q):
    return json.dumps(q.get('EncryptionContext', {}), sort_keys=True).encode()


def aws(action, q):
    if action == 'CreateKey':
        if q['KeySpec'] not in AWS_SPECS:
            raise Fail(400, 'ValidationException')
        kind = AWS_SPECS[q['KeySpec']]
        arn = f'arn:aws:kms:{REGION}:111122223333:key/{os.urandom(16).hex()}'
        KEYS[arn] = {'spec': q['KeySpec'], 'usage': q['KeyUsage'], 'state': 'Enabled',
                     'key': Pair(kind) if kind else Symmetric()}
        return aws_metadata(arn, KEYS[arn])
    if action == 'CreateAlias':
        if q['AliasName'] in ALIASES:
            raise Fail(400, 'AlreadyExistsException')
        ALIASES[q['AliasName']] = q['TargetKeyId']
        return None
    if action == 'DeleteAlias':
        if ALIASES.pop(q['AliasName'], None) is None:
            raise Fail(400, 'NotFoundException')
        return None
    if action == 'GenerateRandom':
        if not 1 <= q['NumberOfBytes'] <= 1024:
            raise Fail(400, 'ValidationException')
        return {'Plaintext': base64.b64encode(os.urandom(q['NumberOfBytes'])).decode()}
    arn, k = aws_key(q, action != 'DescribeKey')
    if action == 'DescribeKey':
        return aws_metadata(arn, k)
    if action == 'ScheduleKeyDeletion':
        if not 7 <= q['PendingWindowInDays'] <= 30:
            raise Fail(400, 'ValidationException')
        k['state'] = 'PendingDeletion'
        return {'KeyId': arn, 'KeyState': k['state'], 'DeletionDate': time.time() + 7 * 86400}
    if action == 'GetPublicKey':
        return {'KeyId': arn, 'KeySpec': k['spec'], 'KeyUsage': k['usage'],
                'PublicKey': base64.b64encode(k['key'].spki).decode()}
    if action == 'Encrypt':
        if len(unbase64(q['Plaintext'])) > 4096:
            raise Fail(400, 'ValidationException')
        iv, body, tag = k['key'].seal(unbase64(q['Plaintext']), aws_context(q))
        blob = bytes.fromhex(arn.split('/')[-1]) + iv + tag + body
        return {'KeyId': arn, 'EncryptionAlgorithm': 'SYMMETRIC_DEFAULT',
                'CiphertextBlob': base64.b64encode(blob).decode()}
    if action == 'Decrypt':
        blob = unbase64(q['CiphertextBlob'])
        if len(blob) < 45:
            raise Fail(400, 'InvalidCiphertextException')
        if blob[:16].hex() != arn.split('/')[-1]:
            raise Fail(400, 'IncorrectKeyException')
        plain = k['key'].open(blob[16:28], blob[44:], blob[28:44], aws_context(q))
        if plain is None:
            raise Fail(400, 'InvalidCiphertextException')
        return {'KeyId': arn, 'EncryptionAlgorithm': 'SYMMETRIC_DEFAULT',
                'Plaintext': base64.b64encode(plain).decode()}
    if action == 'Sign':
        if AWS_SIGNING.get(k['spec']) != q['SigningAlgorithm']:
            raise Fail(400, 'InvalidKeyUsageException')
        message, form = unbase64(q['Message']), q['MessageType']
        if not 1 <= len(message) <= 4096:
            raise Fail(400, 'ValidationException')
        if form == 'DIGEST' and k['spec'].startswith('ECC') and len(message) == 32:
            sig = k['key'].sign(message)
        elif form == 'EXTERNAL_MU' and k['spec'].startswith('ML_DSA') and len(message) == 64:
            sig = k['key'].sign_mu(message)
        elif form == 'RAW' and k['spec'] in ('ECC_NIST_EDWARDS25519', 'ML_DSA_44', 'ML_DSA_65', 'ML_DSA_87'):
            sig = k['key'].sign(message)
        else:
            raise Fail(400, 'ValidationException')
        return {'KeyId': arn, 'SigningAlgorithm': q['SigningAlgorithm'],
                'Signature': base64.b64encode(sig).decode()}
    raise Fail(400, 'UnknownOperationException')


# ---- Google Cloud KMS

GCP_ALGS = {'GOOGLE_SYMMETRIC_ENCRYPTION': None, 'EC_SIGN_P256_SHA256': 'p256',
            'EC_SIGN_SECP256K1_SHA256': 'k256', 'EC_SIGN_ED25519': 'ED25519',
            'PQ_SIGN_ML_DSA_44': 'ML-DSA-44', 'PQ_SIGN_ML_DSA_65': 'ML-DSA-65',
            'PQ_SIGN_ML_DSA_87': 'ML-DSA-87'}


def gcp_checked(q, name):
    data = unbase64(q[name])
    if q.get(name + 'Crc32c') != str(crc32c(data)):
        raise Fail(400, 'INVALID_ARGUMENT')
    return data


def gcp_put(out, name, data, crc=None):
    out[name] = base64.b64encode(data).decode()
    out[crc or name + 'Crc32c'] = str(crc32c(data))


def gcp_version(name, k):
    return {'name': name, 'state': k['state'], 'protectionLevel': k['level'],
            'algorithm': k['algorithm'], 'createTime': '2026-01-01T00:00:00Z'}


def gcp_create(query, q):
    name = f'{RING}/cryptoKeys/{query["cryptoKeyId"][0]}'
    t = q['versionTemplate']
    if t['algorithm'] not in GCP_ALGS:
        raise Fail(400, 'INVALID_ARGUMENT')
    kind = GCP_ALGS[t['algorithm']]
    if q['purpose'] != ('ASYMMETRIC_SIGN' if kind else 'ENCRYPT_DECRYPT'):
        raise Fail(400, 'INVALID_ARGUMENT')
    if kind and kind.startswith('ML-DSA') and t['protectionLevel'] != 'SOFTWARE':
        raise Fail(400, 'INVALID_ARGUMENT')  # as at the time of writing
    if name in KEYS:
        raise Fail(409, 'ALREADY_EXISTS')
    KEYS[name] = {'algorithm': t['algorithm'], 'level': t['protectionLevel'], 'polls': 1,
                  'state': 'PENDING_GENERATION' if kind else 'ENABLED',
                  'key': Pair(kind) if kind else Symmetric()}
    return {'name': name, 'purpose': q['purpose'], 'versionTemplate': t}


def gcp(method, path, query, q):
    if method == 'POST' and path == f'/v1/{RING}/cryptoKeys':
        return gcp_create(query, q)
    if method == 'POST' and path == f'/v1/{RING.split("/keyRings/")[0]}:generateRandomBytes':
        if not 8 <= q['lengthBytes'] <= 1024 or q['protectionLevel'] != 'HSM':
            raise Fail(400, 'INVALID_ARGUMENT')
        out = {}
        gcp_put(out, 'data', os.urandom(q['lengthBytes']))
        return out
    m = re.fullmatch(r'/v1/(' + RING + r'/cryptoKeys/[\w-]+)(/cryptoKeyVersions/1)?(?:(/publicKey)|:(\w+))?', path)
    if not m or m[1] not in KEYS:
        raise Fail(404, 'NOT_FOUND')
    k, verb, version = KEYS[m[1]], m[4], m[1] + '/cryptoKeyVersions/1'
    if method == 'GET' and m[2] and not m[3]:
        if k['state'] == 'PENDING_GENERATION':
            k['polls'] -= 1
            if k['polls'] < 0:
                k['state'] = 'ENABLED'
        return gcp_version(version, k)
    if k['state'] != 'ENABLED':
        raise Fail(400, 'FAILED_PRECONDITION')
    if method == 'GET' and m[3]:
        out = {'name': version, 'algorithm': k['algorithm'], 'protectionLevel': k['level']}
        if query.get('publicKeyFormat') == ['NIST_PQC']:
            raw = k['key'].spki[22:]
            out['publicKey'] = {'crc32cChecksum': str(crc32c(raw)), 'data': base64.b64encode(raw).decode()}
        else:
            text = base64.b64encode(k['key'].spki).decode()
            lines = [text[i:i + 64] for i in range(0, len(text), 64)]
            out['pem'] = '\n'.join(['-----BEGIN PUBLIC KEY-----', *lines, '-----END PUBLIC KEY-----', ''])
            out['pemCrc32c'] = str(crc32c(out['pem'].encode()))
        return out
    if verb == 'destroy' and m[2]:
        k['state'] = 'DESTROY_SCHEDULED'
        return gcp_version(version, k)
    if verb == 'encrypt' and not m[2]:
        plain, aad = gcp_checked(q, 'plaintext'), gcp_checked(q, 'additionalAuthenticatedData')
        iv, body, tag = k['key'].seal(plain, aad)
        out = {'name': version, 'verifiedPlaintextCrc32c': True,
               'verifiedAdditionalAuthenticatedDataCrc32c': True, 'protectionLevel': k['level']}
        gcp_put(out, 'ciphertext', iv + tag + body)
        return out
    if verb == 'decrypt' and not m[2]:
        blob, aad = gcp_checked(q, 'ciphertext'), gcp_checked(q, 'additionalAuthenticatedData')
        plain = k['key'].open(blob[:12], blob[28:], blob[12:28], aad)
        if plain is None:
            raise Fail(400, 'INVALID_ARGUMENT')
        out = {'usedPrimary': True, 'protectionLevel': k['level']}
        gcp_put(out, 'plaintext', plain)
        return out
    if verb == 'asymmetricSign' and m[2]:
        kind = GCP_ALGS[k['algorithm']]
        out = {'name': version, 'protectionLevel': k['level']}
        if kind in CURVES:
            digest = unbase64(q['digest']['sha256'])
            if q.get('digestCrc32c') != str(crc32c(digest)) or len(digest) != 32:
                raise Fail(400, 'INVALID_ARGUMENT')
            out['verifiedDigestCrc32c'] = True
            gcp_put(out, 'signature', k['key'].sign(digest))
        else:
            out['verifiedDataCrc32c'] = True
            gcp_put(out, 'signature', k['key'].sign(gcp_checked(q, 'data')))
        return out
    raise Fail(404, 'NOT_FOUND')


def gcp_token(form):
    if form.get('grant_type') != ['urn:ietf:params:oauth:grant-type:jwt-bearer']:
        raise Fail(400, 'unsupported_grant_type')
    head, claims, sig = form['assertion'][0].split('.')
    sig_path = os.path.join(FOLDER, 'jwt-' + os.urandom(6).hex())
    with open(sig_path, 'wb') as f:
        f.write(unurl64(sig))
    try:
        run('dgst', '-sha256', '-verify', os.path.join(FOLDER, 'sa.pub'), '-signature', sig_path,
            data=f'{head}.{claims}'.encode())
    except subprocess.CalledProcessError:
        raise Fail(400, 'invalid_grant') from None
    h, c = json.loads(unurl64(head)), json.loads(unurl64(claims))
    if h['alg'] != 'RS256' or c['iss'] != 'casemate@p1.iam.example' or \
            c['scope'] != 'https://www.googleapis.com/auth/cloudkms' or \
            c['aud'] != 'https://tokens.example/token' or abs(c['iat'] - time.time()) > 300 or \
            c['exp'] - c['iat'] > 3600:
        raise Fail(400, 'invalid_grant')
    return new_token('gcp')


def new_token(kind):
    token = url64(os.urandom(40))
    TOKENS[token] = kind
    return {'access_token': token, 'expires_in': 3600, 'token_type': 'Bearer'}


# ---- Azure

AZURE_CURVES = {'P-256': ('p256', 'ES256'), 'P-256K': ('k256', 'ES256K')}


def azure_token(tenant, form):
    if tenant != TENANT or form.get('client_id') != [CLIENT] or \
            form.get('client_secret') != [CLIENT_SECRET] or \
            form.get('grant_type') != ['client_credentials'] or \
            form.get('scope') not in (['https://vault.azure.net/.default'],):
        raise Fail(401, 'invalid_client')
    return new_token('azure')


def azure_describe(k):
    jwk = {'kid': k['kid'], 'kty': k['kty'], 'key_ops': k['ops']}
    if k['kty'] == 'EC-HSM':
        point = k['key'].spki[-64:]
        jwk.update(crv=k['crv'], x=url64(point[:32]), y=url64(point[32:]))
    elif k['kty'] == 'RSA-HSM':
        jwk.update(n=url64(os.urandom(384)), e='AQAB')
    return {'key': jwk, 'attributes': {'enabled': True, 'exportable': False, 'created': 1}}


def azure_create(base, name, q):
    if name in KEYS:  # a deleted one's name stays taken; a new version is nothing we ask for
        raise Fail(409, 'Conflict')
    if q['attributes'].get('exportable') is not False:
        raise Fail(400, 'BadParameter')
    if q['kty'] == 'EC-HSM':
        if q['crv'] not in AZURE_CURVES:
            raise Fail(400, 'BadParameter')
        key = Pair(AZURE_CURVES[q['crv']][0])
    elif (q['kty'], q['key_size']) in (('oct-HSM', 256), ('RSA-HSM', 3072)):
        key = Symmetric()
    else:
        raise Fail(400, 'BadParameter')
    KEYS[name] = {'kid': f'{base}/keys/{name}/{os.urandom(16).hex()}', 'kty': q['kty'],
                  'crv': q.get('crv'), 'ops': q['key_ops'], 'key': key, 'deleted': False}
    return azure_describe(KEYS[name])


def azure_use(k, verb, q):
    out, key = {'kid': k['kid']}, k['key']
    if verb == 'sign' and k['kty'] == 'EC-HSM' and q['alg'] == AZURE_CURVES[k['crv']][1]:
        if len(unurl64(q['value'])) != 32:
            raise Fail(400, 'BadParameter')
        out['value'] = url64(der_to_raw(key.sign(unurl64(q['value']))))
    elif verb == 'encrypt' and k['kty'] == 'oct-HSM' and q['alg'] == 'A256GCM':
        iv, body, tag = key.seal(unurl64(q['value']), unurl64(q['aad']))
        out.update(value=url64(body), iv=url64(iv), tag=url64(tag), aad=q['aad'])
    elif verb == 'decrypt' and k['kty'] == 'oct-HSM' and q['alg'] == 'A256GCM':
        plain = key.open(unurl64(q['iv']), unurl64(q['value']), unurl64(q['tag']), unurl64(q['aad']))
        if plain is None:
            raise Fail(400, 'BadParameter')
        out['value'] = url64(plain)
    elif verb == 'wrapkey' and k['kty'] == 'RSA-HSM' and q['alg'] == 'RSA-OAEP-256':
        iv, body, tag = key.seal(unurl64(q['value']), b'')
        out['value'] = url64((iv + tag + bytes([len(body)]) + body).ljust(384, b'\0'))
    elif verb == 'unwrapkey' and k['kty'] == 'RSA-HSM' and q['alg'] == 'RSA-OAEP-256':
        blob = unurl64(q['value'])
        if len(blob) != 384 or any(blob[29 + blob[28]:]):
            raise Fail(400, 'BadParameter')
        plain = key.open(blob[:12], blob[29:29 + blob[28]], blob[12:28], b'')
        if plain is None:
            raise Fail(400, 'BadParameter')
        out['value'] = url64(plain)
    else:
        raise Fail(400, 'BadParameter')
    return out


def azure(method, base, path, query, q):
    if query.get('api-version') != ['7.4']:
        raise Fail(400, 'BadParameter')
    if method == 'POST' and path == '/rng':
        if not 1 <= q['count'] <= 128:
            raise Fail(400, 'BadParameter')
        return {'value': url64(os.urandom(q['count']))}
    m = re.fullmatch(r'/keys/([0-9A-Za-z-]{1,127})(?:/([0-9a-z]+))?(?:/([a-z]+))?', path)
    if not m:
        raise Fail(404, 'KeyNotFound')
    name = m[1]
    if method == 'POST' and m[2] == 'create':
        return azure_create(base, name, q)
    if name not in KEYS or KEYS[name]['deleted']:
        raise Fail(404, 'KeyNotFound')
    k = KEYS[name]
    if method == 'GET' and not m[2]:
        return azure_describe(k)
    if method == 'DELETE' and not m[2]:
        k['deleted'] = True
        return azure_describe(k)
    if method == 'POST' and k['kid'].endswith('/' + m[2]) and m[3]:
        return azure_use(k, m[3], q)
    raise Fail(404, 'KeyNotFound')


# ---- HTTP


def wrong(kind, out):
    """What a service that went wrong says."""
    if not isinstance(out, dict):
        return out
    for name in ('Signature', 'signature', 'value'):
        if kind == 'signature' and name in out:
            pad = out[name] + '=' * (-len(out[name]) % 4)
            data = bytearray(base64.urlsafe_b64decode(pad.translate(str.maketrans('+/', '-_'))))
            data[-1] ^= 1
            out[name] = url64(bytes(data)) if name == 'value' else base64.b64encode(data).decode()
            if 'signatureCrc32c' in out:
                out['signatureCrc32c'] = str(crc32c(data))
    if kind == 'plaintext':
        for name in ('Plaintext', 'plaintext'):
            if name in out:
                out[name] = spoil(out[name], kind)
                if name + 'Crc32c' in out:
                    out[name + 'Crc32c'] = str(crc32c(unbase64(out[name])))
        if 'value' in out:
            out['value'] = url64(b'\x55' * 32)
    if kind == 'crc':
        for name in out:
            if name.endswith('Crc32c') and isinstance(out[name], str):
                out[name] = str(int(out[name]) ^ 1)
    if kind == 'unverified':
        for name in out:
            if name.startswith('verified'):
                out[name] = False
    if kind == 'keyid':
        for name in ('KeyId', 'name', 'kid'):
            if name in out:
                out[name] = out[name][:-1] + ('0' if out[name][-1] != '0' else '1')
    return out


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    wbufsize = 1 << 16
    disable_nagle_algorithm = True

    def log_message(self, *args):
        pass

    def authorized(self, kind):
        m = re.fullmatch(r'Bearer ([\w-]+)', self.headers.get('authorization', ''))
        if not m or TOKENS.get(m[1]) != kind:
            raise Fail(401, 'Unauthorized')

    def route(self, body):
        url = urllib.parse.urlsplit(self.path)
        query = urllib.parse.parse_qs(url.query, strict_parsing=bool(url.query))
        target = self.headers.get('x-amz-target')
        if target:
            service, action = target.split('.')
            kind = self.injected(action)
            aws_authentic(self, body)
            if service != 'TrentService' or self.headers['content-type'] != 'application/x-amz-json-1.1':
                raise Fail(400, 'UnknownOperationException')
            with LOCK_KEYS:
                return wrong(kind, aws(action, json.loads(body)))
        if url.path == '/token':
            self.injected('token')
            return gcp_token(urllib.parse.parse_qs(body.decode(), strict_parsing=True))
        m = re.fullmatch(r'/([\w-]+)/oauth2/v2.0/token', url.path)
        if m:
            self.injected('token')
            return azure_token(m[1], urllib.parse.parse_qs(body.decode(), strict_parsing=True))
        q = json.loads(body) if body else {}
        if url.path.startswith('/v1/'):
            verb = url.path.rsplit(':', 1)[1] if ':' in url.path else self.command
            kind = self.injected(verb)
            self.authorized('gcp')
            with LOCK_KEYS:
                return wrong(kind, gcp(self.command, url.path, query, q))
        kind = self.injected(url.path.rsplit('/', 1)[1])
        self.authorized('azure')
        scheme = 'https' if len(sys.argv) > 3 else 'http'
        with LOCK_KEYS:
            return wrong(kind, azure(self.command, f'{scheme}://{self.headers["host"]}', url.path, query, q))

    def injected(self, action):
        kind = fault(action)
        with open(os.path.join(FOLDER, 'requests'), 'a', encoding='ascii') as f:
            f.write(f'{action} {kind or "-"}\n')
        self.kind = kind
        if kind == 'throttle':
            raise Fail(400 if self.headers.get('x-amz-target') else 429, 'ThrottlingException')
        if kind == 'busy':
            raise Fail(503, 'ServiceUnavailable', (('Retry-After', '0'),))
        if kind == 'broken':
            raise Fail(500, 'KMSInternalException')
        if kind == 'expired':
            TOKENS.clear()
        if kind == 'slow':
            time.sleep(3)
        return kind

    def answer(self):
        body = self.rfile.read(int(self.headers.get('content-length', '0')))
        self.kind = ''
        headers = ()
        try:
            out, status = self.route(body), 200
        except Fail as e:
            out, status, headers = {'__type': e.kind, 'error': {'code': e.status, 'status': e.kind}}, e.status, e.headers
        except (KeyError, ValueError, TypeError, binascii.Error) as e:
            out, status = {'__type': 'ValidationException', 'error': {'message': repr(e)}}, 400
        data = b'' if out is None else json.dumps(out).encode()
        if self.kind == 'truncated':
            self.close_connection = True
        if self.kind == 'nonsense':
            data = b'{"KeyId": nonsense'
        if self.kind == 'huge':
            data = b'{"x": "' + b'x' * (1 << 20) + b'"}'
        self.send_response(status)
        self.send_header('Content-Type', 'application/json')
        self.send_header('Content-Length', str(len(data)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        try:
            self.wfile.write(data[:len(data) // 2] if self.kind == 'truncated' else data)
        except OSError:
            self.close_connection = True

    do_GET = do_POST = do_DELETE = answer


LOCK_KEYS = threading.Lock()


def main():
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    server.daemon_threads = True
    if len(sys.argv) > 3:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[2], sys.argv[3])
        server.socket = context.wrap_socket(server.socket, server_side=True)
    print(server.server_address[1], flush=True)
    server.serve_forever()


main()
