#!/usr/bin/env bash
# Keys of a key server in OpenSSL 3 by pkcs11-provider, both Debian sid's: signatures that another
# OpenSSL verifies, ML-DSA and ML-KEM among them, certificates, and TLS servers that curl and
# OpenSSL's client ask.
# shellcheck source=tests/e2e/lib.sh
. "$CASEMATE_SOURCE/tests/e2e/lib.sh"
# shellcheck source=tests/e2e/server.sh
. "$CASEMATE_SOURCE/tests/e2e/server.sh"
: "${dir:?}" "${server?}"

skip() {
    echo "SKIP: $1"
    exit 77
}
root=${CASEMATE_TOKENS:-}
libs=$(dirname "$(find "$root/usr/lib" -path '*/ossl-modules/pkcs11.so' 2>/dev/null | sed -n 1p)")/..
[ -e "$libs/ossl-modules/pkcs11.so" ] || skip "no pkcs11-provider (Debian sid's, tools/get-tokens.sh)"
if nm -D "$CASEMATE_PKCS11" | grep -E '__[at]san_' >/dev/null; then
    skip 'the module is built for a sanitizer, its hosts are not'
fi
tls='' tls_port=''
trap 'kill $server $tls 2>/dev/null || true; wait 2>/dev/null || true' EXIT

launch
ready
export CASEMATE_SERVER=$dir/admin.json CASEMATE_PKCS11_LOG=$WORK/pkcs11.log
: >"$CASEMATE_PKCS11_LOG"
for key in p256:P-256 rsa:RSA-2048 ed:Ed25519 mldsa:ML-DSA-65 kem:ML-KEM-768; do
    ok casemate key create "${key%:*}" --type "${key#*:}"
done

# sid's program on sid's C library, with what our module needs besides
mkdir lib
ldd "$CASEMATE_PKCS11" | awk '$2 == "=>" { print $3 }' | while read -r lib; do
    [ -e "$libs/${lib##*/}" ] || cp -L "$lib" lib/
done
cat >provider.cnf <<END
openssl_conf = init
[init]
providers = providers
[providers]
default = plain
pkcs11 = token
[plain]
activate = 1
[token]
module = $libs/ossl-modules/pkcs11.so
pkcs11-module-path = $CASEMATE_PKCS11
activate = 1
[req]
distinguished_name = name
[name]
END
# A bare name of a shell function would be a child of the shell's when it is left in the background.
through=(env "OPENSSL_CONF=$PWD/provider.cnf" "$(find "$libs/" -name 'ld-linux*' | sed -n 1p)" --library-path "$libs:$PWD/lib" "$root/usr/bin/openssl")
run() {
    "${through[@]}" "$@" >out.log 2>&1 || die "openssl $*: $(cat out.log "$CASEMATE_PKCS11_LOG")"
}
# What verifies has no provider: the keys' public halves in files.
plainly() { OPENSSL_CONF=/dev/null "${through[@]:2}" "$@" >plain.log 2>&1 || die "openssl $*: $(cat plain.log)"; }

run version
echo "pkcs11-provider through $(head -1 out.log)"
echo hello >msg
for key in p256 rsa ed mldsa; do
    run pkeyutl -sign -rawin -inkey "pkcs11:object=$key;type=private" -in msg -out "sig.$key"
    run pkey -pubin -in "pkcs11:object=$key;type=public" -pubout -out "$key.pub"
    plainly pkeyutl -verify -rawin -pubin -inkey "$key.pub" -in msg -sigfile "sig.$key"
    echo "signed: $key, $(stat -c %s "sig.$key") bytes"
done
# PureEdDSA and ML-DSA are the server's form as well
for key in ed mldsa; do
    expect 0 'valid                yes' casemate key verify "$key" --data @msg --signature "@sig.$key"
done
casemate audit tail -n 50 >entries
[ "$(grep -c ' Sign ' entries)" -ge 4 ] || die "the log has no signatures: $(cat entries)"

# ---- ML-KEM: what was encapsulated without the provider, the server's key opens
run pkey -pubin -in 'pkcs11:object=kem;type=public' -pubout -out kem.pub
plainly pkeyutl -encap -pubin -inkey kem.pub -out ct -secret mine
run pkeyutl -decap -inkey 'pkcs11:object=kem;type=private' -in ct -secret theirs
same mine theirs
echo "decapsulated: $(stat -c %s ct) bytes"

# ---- certificates, and TLS servers with the key
# listens KEY: a server on $tls_port
listens() {
    for _ in 1 2 3 4 5; do
        own_port tls_port
        "${through[@]}" s_server -accept "127.0.0.1:$tls_port" -cert "$1.crt" -key "pkcs11:object=$1;type=private" -www >s_server.log 2>&1 &
        tls=$!
        for _ in $(seq 3000); do
            ! grep -q '^ACCEPT' s_server.log || return 0
            kill -0 "$tls" 2>/dev/null || break
            sleep 0.1
        done
    done
    die "no TLS server: $(cat s_server.log "$CASEMATE_PKCS11_LOG")"
}
hangs_up() {
    kill "$tls"
    wait "$tls" || true
    tls=
}
for key in p256 mldsa; do
    run req -new -x509 -days 9 -subj /CN=localhost -addext subjectAltName=DNS:localhost \
        -key "pkcs11:object=$key;type=private" -out "$key.crt"
    plainly verify -CAfile "$key.crt" "$key.crt"
done
listens p256
curl -s --cacert p256.crt --resolve "localhost:$tls_port:127.0.0.1" --max-time 300 "https://localhost:$tls_port/" >page ||
    die "curl: $(cat s_server.log "$CASEMATE_PKCS11_LOG")"
grep -q 'TLSv1.3' page || die "not a page of the server: $(cat page)"
hangs_up
echo 'TLS with the P-256 key: curl'
listens mldsa
plainly s_client -connect "127.0.0.1:$tls_port" -servername localhost -CAfile mldsa.crt -verify_return_error -no-interactive </dev/null
grep -qi 'Peer signature type: mldsa65' plain.log || die "not ML-DSA: $(cat plain.log)"
grep -q 'X25519MLKEM768' plain.log || die "no post-quantum key exchange: $(cat plain.log)"
hangs_up
echo 'TLS with the ML-DSA-65 key: s_client over X25519MLKEM768'

# ---- the server's word counts: a suspended key does not sign
ok casemate key state ed --state suspended
! "${through[@]}" pkeyutl -sign -rawin -inkey 'pkcs11:object=ed;type=private' -in msg -out no >out.log 2>&1 ||
    die 'a suspended key signed'
finish
echo ok
