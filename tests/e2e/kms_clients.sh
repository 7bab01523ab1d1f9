#!/usr/bin/env bash
# A key server used by programs that no one here wrote, and by casemate's own verbs: curl and h2load
# over post-quantum TLS, gRPC for Python through the proxy, a model sealed to a key of the server, a
# receipt checked offline, an old database put back.
# shellcheck source=tests/e2e/lib.sh
. "$CASEMATE_SOURCE/tests/e2e/lib.sh"

dir=$WORK/kms
port=
own_port port
server='' proxy=''
trap 'kill $server $proxy 2>/dev/null || true; wait 2>/dev/null || true' EXIT

start() {
    casemate serve --dir "$dir" --listen "127.0.0.1:$port" --shares-file "$WORK/shares" >>"$WORK/log" 2>&1 &
    server=$!
    for _ in $(seq 3000); do
        [[ $(curl -s --max-time 60 --unix-socket "$dir/admin.sock" http://localhost/readyz 2>/dev/null) != *'"ready":true'* ]] || return 0
        kill -0 "$server" 2>/dev/null || return 1
        ! grep -q ROLLBACK "$WORK/log" || return 1
        sleep 0.1
    done
    return 1
}

stop() {
    kill -TERM "$server"
    wait "$server" || true
}

command -v curl >/dev/null || {
    echo 'SKIP: no curl'
    exit 77
}
start || die "not ready: $(tail -5 "$WORK/log")"
export CASEMATE_SERVER=$dir/admin.json
casemate init -q --no-passphrase
expect 0 "health       /v1/health answers 200" casemate doctor "https://127.0.0.1:$port" --ca "$dir/ca.crt"

# ---- keys, by verbs made from the operation table
expect 0 'state                active' casemate key create signer --type ML-DSA-65
ok casemate key create box --type AES-256
ok casemate key sign signer --data hello -o sig
[ "$(stat -c %s sig)" = 3309 ] || die 'an ML-DSA-65 signature has 3309 bytes'
expect 0 'valid                yes' casemate key verify signer --data hello --signature @sig
expect 0 'valid                no' casemate key verify signer --data hellp --signature @sig
expect 2 'is required' casemate key verify signer --data hello --signature ''
expect 4 'SVC_NO_KEY' casemate key verify nosuch --data hello --signature @sig
expect 4 'SVC_NO_KEY' casemate key info nosuch
printf 'secret text' >plain
ok casemate key encrypt box --plaintext @plain -o ct
ok casemate key decrypt box --ciphertext @ct -o back
same plain back
expect 2 '' casemate key encrypt box --plaintext 'on the command line'
ok casemate key rotate box
ok casemate key decrypt box --ciphertext @ct -o back2
same plain back2
casemate key public-key signer -o signer.raw
[ "$(stat -c %s signer.raw)" = 1952 ] || die 'an ML-DSA-65 public key has 1952 bytes'
expect 0 '"type":"ML-DSA-65"' casemate key info signer --json

# ---- a receipt, checked with the log's public keys alone
casemate key sign signer --data hello --json >answer
python3 -c 'import base64, json; open("receipt", "wb").write(base64.b64decode(json.load(open("answer"))["receipt"]))'
expect 0 'PASS' casemate audit verify --key "$dir/log.vkeys" receipt
sed 's/^\([0-9]*\)$/9\1/' receipt >forged
expect 3 'FAIL' casemate audit verify --key "$dir/log.vkeys" forged

# ---- a model sealed to a key of the server: the content key travels, the model does not
head -c 3000000 /dev/urandom >model.bin
ok casemate seal model.bin --to-kms box
ok casemate open model.bin.sealed -o model.back
same model.bin model.back
ok casemate key state box --state suspended
expect 6 'KEY_STATE' casemate open model.bin.sealed -o model.no
absent model.no
ok casemate key state box --state active

# ---- a threshold key: two of three shares make a signature, and openssl verifies it
member() { python3 -c 'import base64, json, sys; open(sys.argv[3], "wb").write(base64.b64decode(json.load(open(sys.argv[1]))[sys.argv[2]]))' "$@"; }
casemate key deal treasury --type FROST-Ed25519 --threshold 2 --participants 3 --json >dealt
member dealt public_key frost.pub
for i in 1 3; do
    casemate key sign-share $i --keyspace treasury --json >one.$i
    member one.$i share c.$i
    member one.$i nonces n.$i
done
cat c.1 c.3 >commitments
for i in 1 3; do
    ok casemate key sign-share $i --keyspace treasury --data hello --commitments @commitments --nonces @n.$i -o p.$i
done
expect 6 'FROST_NONCE_USED' casemate key sign-share 3 --keyspace treasury --data hello --commitments @commitments --nonces @n.3
cat p.1 p.3 >parts
ok casemate key aggregate 1 --keyspace treasury --data hello --commitments @commitments --shares @parts -o frost.sig
printf hello >frost.msg
python3 -c 'import sys; sys.stdout.buffer.write(bytes.fromhex("302a300506032b6570032100") + open("frost.pub", "rb").read())' >frost.der
openssl pkeyutl -verify -pubin -keyform DER -inkey frost.der -rawin -in frost.msg -sigfile frost.sig >/dev/null || die 'openssl does not take the threshold signature'

# ---- another tenant's administrator sees nothing of it
casemate key new -t ML-DSA-65 --no-passphrase -o mallory.pem >/dev/null
expect 3 'SVC_UNAUTHENTIC' env CASEMATE_SERVER="$WORK/mallory.json" sh -c "
    printf '{\"server\":\"https://127.0.0.1:$port\",\"roots\":\"$dir/ca.crt\",\"sign_key\":\"$PWD/mallory.pem\",\"tenant\":\"default\"}' >$WORK/mallory.json
    casemate key sign signer --data x"

# ---- an API key for programs without signatures
ok casemate principal create --principal app
casemate principal api-key app --json >key.json
token=$(python3 -c 'import json; print(json.load(open("key.json"))["api_key"])')
grep -q "$token" "$dir/kms.db" && die 'the API key itself is in the database'
url=https://127.0.0.1:$port/v1/tenants/default/keys
printf '{"plaintext":"c2VjcmV0"}' >body

if [ -x "$CASEMATE_CLIENTS/curl" ]; then
    ask() { "$CASEMATE_CLIENTS/curl" -s --cacert "$dir/ca.crt" -H "authorization: Bearer $token" \
        -H 'content-type: application/json' "$@"; }
    expect 0 'SVC_DENIED' ask -d @body "$url/box:encrypt"
    ok casemate policy put app-box --principals app --actions Encrypt --resource-keyspace default --resource-key box
    expect 0 '"ciphertext"' ask -d @body "$url/box:encrypt"
    expect 0 '"ciphertext"' ask --http1.1 -d @body "$url/box:encrypt"
    expect 0 'SVC_DENIED' ask -d '{"ciphertext":"AQ=="}' "$url/box:decrypt"
    expect 0 '"results":' ask -d '{"operation":"encrypt","items":[{"data":"YQ=="},{"data":"Yg=="}]}' "$url/box:batch"
    expect 0 'SVC_DENIED' ask -d '{"operation":"decrypt","items":[{"data":"AQ=="}]}' "$url/box:batch"
    [ "$(ask -o /dev/null -w '%{http_version}' -d @body "$url/box:encrypt")" = 2 ] || die 'no HTTP/2'
    expect 35 '' ask --curves X25519 -d @body "$url/box:encrypt"
    "$CASEMATE_CLIENTS/h2load" --groups X25519MLKEM768 -n 200 -c 2 -m 4 -d body -H "authorization: Bearer $token" \
        -H 'content-type: application/json' "$url/box:encrypt" >h2load
    grep -q '200 succeeded, 0 failed' h2load || die "h2load: $(cat h2load)"
else
    echo 'SKIP: no curl with ML-KEM'
    ok casemate policy put app-box --principals app --actions Encrypt --resource-keyspace default --resource-key box
fi

# ---- gRPC for Python, whose TLS knows no post-quantum group: through the proxy
python=/usr/bin/python3 # packages of the distribution belong to this one
[ -x "$python" ] || python=python3
if "$python" -c 'import grpc, google.protobuf' 2>/dev/null; then
    casemate proxy --listen "unix:$WORK/proxy.sock" --to "https://127.0.0.1:$port" --ca "$dir/ca.crt" >"$WORK/proxy.log" 2>&1 &
    proxy=$!
    for _ in $(seq 3000); do [ -S "$WORK/proxy.sock" ] && break; sleep 0.1; done
    ok casemate policy put app-tail --principals app --actions TailEntries
    "$python" "$CASEMATE_SOURCE/tests/e2e/kms_grpc.py" "unix:$WORK/proxy.sock" "$token" ||
        die "gRPC: $(tail -3 "$WORK/proxy.log" "$WORK/log")"
    admin() { curl -s --max-time 60 --unix-socket "$dir/admin.sock" "http://localhost$1" "${@:2}"; }
    keyd_is() {
        for _ in $(seq 3000); do
            [[ $(admin /admin/status) != *"\"keyd\":\"$1\""* ]] || return 0
            sleep 0.1
        done
        die "keyd is not $1: $(admin /admin/status)"
    }
    admin /admin/seal -X POST >sealed.json
    keyd_is sealed
    "$python" "$CASEMATE_SOURCE/tests/e2e/kms_grpc.py" "unix:$WORK/proxy.sock" sealed ||
        die "gRPC, sealed: $(tail -3 "$WORK/proxy.log" "$WORK/log")"
    admin /admin/unseal -d "{\"passphrase\":\"$(head -1 "$dir/passphrase")\"}" >unsealed.json
    keyd_is open
else
    echo 'SKIP: no gRPC for Python'
fi

! grep -E 'chores_failed|service_failed' "$WORK/log" || die 'the scheduler fails'

# ---- an old copy of the database, put back
stop
cp "$dir/kms.db" "$WORK/old.db"
start || die 'no second start'
ok casemate key create later --type AES-256
stop
cp "$WORK/old.db" "$dir/kms.db"
rm -f "$dir/kms.db-wal" "$dir/kms.db-shm"
if start; then
    die 'an old database was taken'
fi
grep -qE 'STORE_ROLLBACK|AUDIT_ROLLBACK' "$WORK/log" || die "no word of the rollback: $(tail -3 "$WORK/log")"
echo ok
