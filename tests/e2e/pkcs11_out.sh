#!/usr/bin/env bash
# Keys of a key server as a PKCS#11 token, used by programs that no one here wrote: pkcs11-tool,
# ssh-keygen and a login at sshd, OpenSSL's engine with a TLS server that curl asks; and by a process
# that has the system's OpenSSL loaded.
# shellcheck source=tests/e2e/lib.sh
. "$CASEMATE_SOURCE/tests/e2e/lib.sh"

module=$CASEMATE_PKCS11
dir=$WORK/kms
server='' sshd='' tls=''
trap 'kill $server $sshd $tls 2>/dev/null || true; wait 2>/dev/null || true' EXIT
if nm -D "$module" | grep -E '__[at]san_' >/dev/null; then
    echo 'SKIP: the module is built for a sanitizer, its hosts are not'
    exit 77
fi
for program in curl python3 openssl; do
    command -v "$program" >/dev/null || {
        echo "SKIP: no $program"
        exit 77
    }
done

# await COMMAND...: until it succeeds
await() {
    for _ in $(seq 3000); do
        ! "$@" >/dev/null 2>&1 || return 0
        sleep 0.1
    done
    return 1
}
ready() { curl -s --max-time 60 --unix-socket "$dir/admin.sock" http://localhost/readyz | grep >/dev/null '"ready":true'; }

port=
own_port port
casemate serve --dir "$dir" --listen "127.0.0.1:$port" --shares-file "$WORK/shares" >"$WORK/log" 2>&1 &
server=$!
await ready || die "not ready: $(tail -5 "$WORK/log")"
export CASEMATE_SERVER=$dir/admin.json CASEMATE_PKCS11_LOG=$WORK/pkcs11.log
for key in p256:P-256 p384:P-384 rsa:RSA-2048 ed:Ed25519 mldsa:ML-DSA-65 kem:ML-KEM-768 aes:AES-256; do
    ok casemate key create "${key%:*}" --type "${key#*:}"
done
cat >classic.json <<END
{"slots": [{"profile": "$dir/admin.json", "label": "classic", "types": ["P-256", "RSA-2048"]},
           {"profile": "$dir/admin.json", "label": "curves", "types": ["P-256", "P-384", "Ed25519"]}]}
END

# ---- a process with the system's OpenSSL (its Python has it)
python=/usr/bin/python3
[ -x "$python" ] || python=python3
"$python" "$CASEMATE_SOURCE/tests/e2e/pkcs11_module.py" "$module" >python.log 2>&1 || die "in Python: $(cat python.log "$CASEMATE_PKCS11_LOG")"

# ---- nothing that is configured wrongly is taken for something else
echo '{"slots": [{"profile": "nosuch.json"}]}' >wrong.json
env CASEMATE_PKCS11_CONFIG="$PWD/wrong.json" "$python" - "$module" <<'END' || die 'a missing profile was taken'
import ctypes, sys
assert ctypes.CDLL(sys.argv[1]).C_Initialize(None) == 5
END

# ---- pkcs11-tool: what it signs, OpenSSL verifies
echo hello >msg
openssl dgst -sha256 -binary msg >digest
if command -v pkcs11-tool >/dev/null; then
    tool() { pkcs11-tool --module "$module" "$@" 2>tool.log; }
    tool --list-slots | grep >/dev/null 'token label        : default' || die 'no slot'
    tool -O >objects
    id_of() { awk -v want="$1" '/label:/ { label = $2 } /ID:/ && label == want { print $2; exit }' objects; }
    public() {
        tool --read-object --type pubkey --id "$(id_of "$1")" -o "$1.der"
        openssl pkey -pubin -inform DER -in "$1.der" -out "$1.pub"
    }
    public p256
    public rsa
    tool --sign -m ECDSA --id "$(id_of p256)" -i digest -o sig --signature-format openssl
    openssl pkeyutl -verify -pubin -inkey p256.pub -in digest -sigfile sig || die 'ECDSA'
    tool --sign -m ECDSA-SHA256 --id "$(id_of p256)" -i msg -o sig --signature-format openssl
    openssl dgst -sha256 -verify p256.pub -signature sig msg || die 'ECDSA-SHA256'
    tool --sign -m SHA256-RSA-PKCS --id "$(id_of rsa)" -i msg -o sig
    openssl dgst -sha256 -verify rsa.pub -signature sig msg || die 'RSA'
    tool --verify -m SHA256-RSA-PKCS --id "$(id_of rsa)" -i msg --signature-file sig | grep >/dev/null 'Signature is valid' || die 'verify'
    tool --sign -m SHA256-RSA-PKCS-PSS --salt-len 32 --id "$(id_of rsa)" -i msg -o sig
    openssl dgst -sha256 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32 -verify rsa.pub -signature sig msg || die 'PSS'
    tool --sign -m EDDSA --id "$(id_of ed)" -i msg -o sig
    expect 0 'valid                yes' casemate key verify ed --data @msg --signature @sig
    tool --keypairgen --key-type EC:secp256r1 --label made --id 0a0b | grep >/dev/null 'ID:         0a0b' || die "no new key: $(cat tool.log)"
    expect 0 'P-256' casemate key info made
    [ "$(tool --generate-random 16 | wc -c)" = 16 ] || die 'no random bytes'
    CASEMATE_PKCS11_CONFIG=$PWD/classic.json tool --token-label curves --test >test.log || die "--test: $(cat test.log)"
else
    echo 'SKIP: no pkcs11-tool'
fi

# ---- OpenSSH: its public keys, and a login with one
ssh-keygen -D "$module" >ssh.pub 2>/dev/null || die 'ssh-keygen -D'
grep -q '^ecdsa-sha2-nistp256 ' ssh.pub || die 'no key for OpenSSH'
if [ -x /usr/sbin/sshd ] && [ "$(id -u)" = 0 ]; then
    own_port port
    mkdir -p /run/sshd
    ssh-keygen -q -t ed25519 -N '' -f host
    grep '^ecdsa-sha2-nistp256 ' ssh.pub >authorized
    /usr/sbin/sshd -D -e -f /dev/null -p "$port" -h "$PWD/host" -o ListenAddress=127.0.0.1 -o UsePAM=no \
        -o StrictModes=no -o PermitRootLogin=yes -o AuthorizedKeysFile="$PWD/authorized" -o PidFile=none 2>sshd.log &
    sshd=$!
    login() {
        ssh -p "$port" -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o IdentityAgent=none \
            -o IdentityFile=none -o PKCS11Provider="$1" -o ConnectTimeout=300 root@127.0.0.1 echo in 2>ssh.log
    }
    if await bash -c "exec 3<>/dev/tcp/127.0.0.1/$port" && ! grep -q 'account is locked' sshd.log; then
        [ "$(login "$module")" = in ] || die "no login: $(cat ssh.log sshd.log "$CASEMATE_PKCS11_LOG")"
        ! login none >/dev/null || die 'a login without the key'
    else
        echo 'SKIP: sshd does not start here'
    fi
else
    echo 'SKIP: no sshd'
fi

# ---- OpenSSL's engine: a certificate, and a TLS server with the key
engines=$(openssl version -e 2>/dev/null | cut -d'"' -f2)
if [ -e "$engines/pkcs11.so" ]; then
    export CASEMATE_PKCS11_CONFIG=$PWD/classic.json
    cat >engine.cnf <<END
openssl_conf = init
[init]
engines = engines
[engines]
pkcs11 = token
[token]
engine_id = pkcs11
MODULE_PATH = $module
init = 0
[req]
distinguished_name = name
[name]
END
    key='pkcs11:token=classic;object=p256;type=private'
    engine() { OPENSSL_CONF=$PWD/engine.cnf openssl "$@"; }
    engine req -new -x509 -days 9 -subj /CN=localhost -addext subjectAltName=DNS:localhost -engine pkcs11 \
        -keyform engine -key "$key" -out crt.pem 2>engine.log || die "certificate: $(cat engine.log)"
    openssl verify -CAfile crt.pem crt.pem || die 'the certificate does not verify'
    own_port port
    engine s_server -accept "127.0.0.1:$port" -cert crt.pem -engine pkcs11 -keyform engine -key "$key" -www >s_server.log 2>&1 &
    tls=$!
    await curl -s --cacert crt.pem --resolve "localhost:$port:127.0.0.1" --max-time 20 "https://localhost:$port/" ||
        die "curl: $(cat s_server.log "$CASEMATE_PKCS11_LOG")"
else
    echo 'SKIP: no pkcs11 engine of OpenSSL'
fi
echo ok
