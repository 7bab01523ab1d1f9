#!/usr/bin/env bash
# Cloud key services behind casemate-p11d, against emulators of their documented APIs
# (cloud_emulator.py): the suite that every provider has to pass, and what goes wrong on the way.
# shellcheck source=tests/e2e/lib.sh
. "$CASEMATE_SOURCE/tests/e2e/lib.sh"
openssl=$CASEMATE_OPENSSL
[ -x "$openssl" ] || openssl=$(command -v openssl)
"$openssl" version | has -E 'OpenSSL (3\.[5-9]|[4-9])' || {
    echo 'SKIP: no openssl with ML-DSA'
    exit 77
}
export CASEMATE_OPENSSL=$openssl
emulator=

trap 'for p in $emulator; do kill "$p" 2>/dev/null || true; done; wait 2>/dev/null || true' EXIT

# port_of FILE PATTERN PID
port_of() {
    port=
    for _ in $(seq 3000); do
        port=$(sed -n "s/$2/\\1/p" "$1")
        [ -z "$port" ] || return 0
        kill -0 "$3" 2>/dev/null || break
        sleep 0.05
    done
    die "it did not start: $(cat "$1")"
}

mkdir service
"$openssl" genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out sa.pem 2>/dev/null
"$openssl" pkey -in sa.pem -pubout -out service/sa.pub
: >port
python3 "$CASEMATE_SOURCE/tests/e2e/cloud_emulator.py" service >port 2>emulator.log &
emulator=$!
port_of port '^\([0-9]*\)$' "$emulator"
service=http://127.0.0.1:$port

umask 077
cat >aws.secrets <<'END'
{"access_key_id": "AKIDEMULATED", "secret_access_key": "emulated/secret+key",
 "session_token": "emulated-session-token"}
END
cat >aws.json <<END
{"provider": "aws", "endpoint": "$service", "region": "eu-central-1", "secrets": "$PWD/aws.secrets",
 "timeout_ms": 20000}
END
python3 - >gcp.secrets <<'END'
import json
print(json.dumps({'type': 'service_account', 'client_email': 'casemate@p1.iam.example',
                  'private_key': open('sa.pem').read(), 'private_key_id': 'k1',
                  'token_uri': 'https://tokens.example/token'}))
END
cat >gcp.json <<END
{"provider": "gcp", "endpoint": "$service", "tokens": "$service", "secrets": "$PWD/gcp.secrets",
 "key_ring": "projects/p1/locations/europe-west3/keyRings/ring1", "timeout_ms": 20000}
END
cat >azure.secrets <<'END'
{"tenant": "tenant-1", "client_id": "client-1", "client_secret": "s3cret&=% +~"}
END
cat >azure.json <<END
{"provider": "azure", "endpoint": "$service", "tokens": "$service", "secrets": "$PWD/azure.secrets",
 "timeout_ms": 20000}
END
sed 's/"timeout_ms"/"wrapping": "rsa-not-post-quantum", "timeout_ms"/' azure.json >azure-rsa.json

device() { casemate hsm "$1" --cloud "$2.json" 2>>p11d.log; }
inject() { echo "$*" >service/fault.new && mv service/fault.new service/fault; }

# ---- each conforms
conforms() {
    device test "$1" >"$1.out" || die "$1 does not conform: $(cat "$1.out"; tail -3 p11d.log emulator.log)"
    grep -qF "| $2 |" "$1.out" || die "$1: another row: $(cat "$1.out")"
}
conforms aws 'AWS KMS | yes | yes | yes | yes | yes | yes | yes | no | no | no | no | hsm-native, hsm-wrapped'
conforms gcp 'Google Cloud KMS | yes | yes | yes | yes | yes | yes | yes | no | no | no | no | hsm-native, hsm-wrapped'
conforms azure 'Azure Key Vault | yes | yes | yes | no | no | no | no | no | no | no | no | hsm-wrapped'
# H-41
conforms azure-rsa 'Azure Key Vault | yes | yes | yes | no | no | no | no | no | no | no | no | hsm-wrapped-classical'

# H-40: nothing but 32 bytes is ever wrapped
[ "$(sort -u service/sizes)" = 32 ] || die "something else was sent: $(sort -u service/sizes)"

# ---- one key, as a key server's root has it
device init aws >init.out || die "no root key: $(tail -3 p11d.log)"
device status aws >status || die 'no status'
grep -q '^root key  hsm-native' status || die "the root key is not shown: $(cat status)"
grep -qF "module    $service" status || die 'the endpoint is not shown'
if device init aws >/dev/null; then
    die 'the key was made twice'
fi

# ---- what goes away by itself is tried again; nothing is believed meanwhile
# survives PROVIDER KIND COUNT ACTION
survives() {
    : >service/requests
    inject "$2" "$3" "$4"
    device status "$1" >/dev/null || die "$1: not survived: $2 $4: $(tail -2 p11d.log)"
    [ "$(grep -c "^$4 $2\$" service/requests)" = "$3" ] || die "$1: $2 did not happen $3 times"
}
# breaks REASON PROVIDER KIND COUNT ACTION
breaks() {
    inject "$3" "$4" "$5"
    expect_reason "$1" "$2" "$3 $5"
    inject none 0
}
expect_reason() {
    local said
    if said=$(casemate hsm status --cloud "$2.json" 2>&1); then
        die "$2: \"$3\" was not noticed: $said"
    fi
    grep -q "$1" <<<"$said" || die "$2: \"$3\" is no $1: $said"
}
survives aws throttle 2 DescribeKey
survives aws busy 2 DescribeKey
survives aws broken 1 DescribeKey
survives aws truncated 1 DescribeKey
breaks CLOUD_BUSY aws throttle 9 DescribeKey
breaks HSM_LOST aws truncated 9 DescribeKey
breaks CLOUD_ANSWER aws nonsense 9 DescribeKey
breaks CLOUD_ANSWER aws huge 9 DescribeKey
for p in gcp azure; do
    device init "$p" >/dev/null || die "no root key: $(tail -3 p11d.log)"
    survives "$p" throttle 1 token
done

# ---- a result that is wrong does not leave: the suite sees HSM_WRONG, or CLOUD_DAMAGED
# held_back PROVIDER KIND ACTION REASON
held_back() {
    inject "$2" 99 "$3"
    if device test "$1" >"$1.out"; then
        die "$1: a wrong answer got through: $2 $3"
    fi
    inject none 0
    grep -q "FAILS  $4" "$1.out" || die "$1: $2 $3 is no $4: $(cat "$1.out")"
}
held_back aws signature Sign HSM_WRONG
held_back aws plaintext Decrypt HSM_WRONG
held_back aws keyid Encrypt HSM_WRONG
held_back gcp signature asymmetricSign HSM_WRONG
# H-43
held_back gcp crc decrypt CLOUD_DAMAGED
held_back gcp unverified encrypt CLOUD_DAMAGED
held_back azure signature sign HSM_WRONG
held_back azure keyid sign HSM_WRONG

# ---- who asks
sed 's/+key"/+kez"/' aws.secrets >bad.secrets
sed 's/aws.secrets/bad.secrets/' aws.json >bad.json
expect_reason CLOUD_DENIED bad 'a wrong secret'
chmod 644 bad.secrets
expect_reason KEY_MODE bad 'secrets that others may read'
sed 's/"region"/"reigon"/' aws.json >bad.json
expect_reason CLOUD_CONFIG bad 'a misspelt name'
sed 's|http://127.0.0.1|http://192.0.2.1|' aws.json >bad.json
expect_reason CLOUD_CONFIG bad 'an endpoint without TLS'

# ---- TLS: our roots and no others; a classical key exchange only when it is asked for (H-42)
kill "$emulator"
wait "$emulator" 2>/dev/null || true
"$openssl" req -x509 -newkey ec -pkeyopt group:P-256 -nodes -keyout tls.key -out tls.crt -days 2 \
    -subj /CN=emulated -addext subjectAltName=IP:127.0.0.1 -addext extendedKeyUsage=serverAuth 2>/dev/null
: >tls.port
python3 "$CASEMATE_SOURCE/tests/e2e/cloud_emulator.py" service tls.crt tls.key >tls.port 2>>emulator.log &
emulator=$!
port_of tls.port '^\([0-9]*\)$' "$emulator"
sed "s|$service|https://127.0.0.1:$port|; s|\"timeout_ms\"|\"ca_file\": \"$PWD/tls.crt\", \"timeout_ms\"|" \
    aws.json >tls.json
if python3 -c 'import ssl, sys; sys.exit(ssl.OPENSSL_VERSION_INFO >= (3, 5))'; then
    expect_reason TLS_ tls 'a server without a post-quantum key exchange'
fi
sed 's|"timeout_ms"|"key_exchange": "legacy", "timeout_ms"|' tls.json >legacy.json
device init legacy >/dev/null || die "not over TLS: $(tail -3 p11d.log)"
"$openssl" req -x509 -newkey ec -pkeyopt group:P-256 -nodes -keyout other.key -out other.crt -days 2 \
    -subj /CN=emulated -addext subjectAltName=IP:127.0.0.1 2>/dev/null
sed 's|tls.crt|other.crt|' legacy.json >stranger.json
expect_reason CERT_ stranger 'a certificate of another root'
echo ok
