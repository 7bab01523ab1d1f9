#!/usr/bin/env bash
# The ten calls of LP-325's client, and Verify, one by one on a server whose root is under a key in
# a token (SoftHSM2): each by the operation that stands for it, with what it gave; by REST, and again
# by gRPC for Python through the proxy.
# shellcheck source=tests/e2e/lib.sh
. "$CASEMATE_SOURCE/tests/e2e/lib.sh"
# shellcheck source=tests/e2e/tokens.sh
. "$CASEMATE_SOURCE/tests/e2e/tokens.sh"
: "${dir:?}" "${port:?}"
token kms
launch_on kms
ready
export CASEMATE_SERVER=$dir/admin.json

# shown CALL OPERATION RESULT
shown() { printf '%-14s -> %-34s %s\n' "$1" "$2" "$3"; }
member() { python3 -c 'import base64, json, sys; open(sys.argv[3], "wb").write(base64.b64decode(json.load(open(sys.argv[1]))[sys.argv[2]]))' "$@"; }

# ---- GenerateKey, Sign, Verify: every algorithm of the client's list but BLS12-381
for type in secp256k1 P-256 Ed25519 ML-DSA-65 RSA-2048 RSA-4096; do
    ok casemate key create "k-$type" --type "$type" --exportable
    casemate key info "k-$type" --json >info
    json info 'e[0]["versions"][0]["custody"] == "hsm-wrapped"'
    ok casemate key sign "k-$type" --data hello -o "sig-$type"
    expect 0 'valid                yes' casemate key verify "k-$type" --data hello --signature "@sig-$type"
    expect 0 'valid                no' casemate key verify "k-$type" --data hullo --signature "@sig-$type"
    shown GenerateKey CreateKey "$type: hsm-wrapped"
    shown Sign Sign "$type: $(stat -c %s "sig-$type") bytes"
    shown Verify Verify "$type: yes; another message: no"
done

# ---- SignBLS: the algorithm is declared, and refused
rc=0
casemate key create bls --type BLS12-381 >bls 2>&1 || rc=$?
[ "$rc" != 0 ] && grep -q UNSUPPORTED bls || die "BLS12-381: $rc, $(cat bls)"
shown SignBLS 'CreateKey BLS12-381' 'KEY_UNSUPPORTED: no library for it'

# ---- SignThreshold
casemate key deal treasury --type FROST-Ed25519 --threshold 2 --participants 3 --json >dealt
for i in 1 3; do
    casemate key sign-share $i --keyspace treasury --json >one.$i
    member one.$i share c.$i
    member one.$i nonces n.$i
done
cat c.1 c.3 >commitments
for i in 1 3; do
    ok casemate key sign-share $i --keyspace treasury --data hello --commitments @commitments --nonces @n.$i -o p.$i
done
cat p.1 p.3 >parts
ok casemate key aggregate 1 --keyspace treasury --data hello --commitments @commitments --shares @parts -o frost.sig
[ "$(stat -c %s frost.sig)" = 64 ] || die 'no Ed25519 signature'
shown SignThreshold 'SignThreshold, AggregateThreshold' '2 of 3: 64 bytes'

# ---- ExportWrapped, ImportWrapped: out of one key and into another, sealed to a KEM key
ok casemate key create door --type X-Wing
casemate key public-key door -o door.raw
ok casemate key export k-Ed25519 --recipient @door.raw -o wrapped
shown ExportWrapped ExportWrapped "$(stat -c %s wrapped) bytes to X-Wing"
ok casemate key import-wrapped copy --type Ed25519 --import-key door --wrapped @wrapped
expect 0 'valid                yes' casemate key verify copy --data hello --signature @sig-Ed25519
shown ImportWrapped ImportWrapped 'the same key under another name'

# ---- ImportKey
head -c 32 /dev/urandom >secret
ok casemate key import mine --type Ed25519 --secret @secret
ok casemate key sign mine --data hello -o mine.sig
shown ImportKey ImportKey "Ed25519: signs $(stat -c %s mine.sig) bytes"

# ---- DeleteKey: after a destruction that takes 7 days at least
expect 6 '' casemate key delete mine
ok casemate key destroy mine --delay-days 7
expect 6 'KEY_STATE' casemate key sign mine --data hello
shown DeleteKey 'ScheduleDestruction, DeleteKey' 'stopped now, gone after 7 days; refused before'

# ---- HealthCheck, GetMetrics
expect 0 '"status":"serving"' admin /v1/health
shown HealthCheck 'GET /v1/health' serving
admin /metrics >metrics
grep -q '^casemate_requests_total{op="Sign",result="ok"} [1-9]' metrics || die 'no count of signatures'
shown GetMetrics 'GET /metrics' "$(grep -c '^casemate' metrics) series"

# ---- all of them by gRPC, for a principal with a key of its own
python=/usr/bin/python3 # packages of the distribution belong to this one
[ -x "$python" ] || python=python3
if [ -x "${CASEMATE_OPENSSL:-}" ] && "$python" -c 'import grpc, google.protobuf' 2>/dev/null; then
    ok casemate key new -t ML-DSA-65 --no-passphrase -o app.pem
    "$CASEMATE_OPENSSL" pkey -in app.pem -pubout -outform DER | tail -c 1952 >app.raw
    ok casemate principal create --principal app \
        --credentials "{\"kind\":\"ml_dsa\",\"public_key\":\"$(base64 -w0 app.raw)\"}"
    ok casemate policy put app --principals app --actions '*'
    casemate proxy --listen "unix:$WORK/proxy.sock" --to "https://127.0.0.1:$port" --ca "$dir/ca.crt" >"$WORK/proxy.log" 2>&1 &
    proxy=$!
    trap 'kill $server $proxy 2>/dev/null || true; wait 2>/dev/null || true' EXIT
    for _ in $(seq 3000); do [ -S "$WORK/proxy.sock" ] && break; sleep 0.1; done
    "$python" "$CASEMATE_SOURCE/tests/e2e/kms_lp325.py" "unix:$WORK/proxy.sock" app.pem app.raw ||
        die "gRPC: $(tail -n 3 "$WORK/proxy.log"; tail -n 3 "$WORK/log")"
    admin /metrics >metrics
    grep -q '^casemate_requests_total{op="Sign",result="ok"} 1[0-9]' metrics || die 'gRPC is not counted'
    kill "$proxy"
    wait "$proxy" || true
    trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; wait 2>/dev/null || true' EXIT
else
    echo 'SKIP: no gRPC for Python, or no OpenSSL that knows ML-DSA'
fi

# ---- V-140: the log names the custody of what was made
casemate audit tail -n 500 >entries
for op in CreateKey ImportKey ImportWrapped DealThreshold; do
    grep -q " $op .* hsm-wrapped" entries || die "no custody of $op: $(grep " $op " entries)"
done
! grep ' Sign .* hsm-' entries || die 'a signature has no custody'
kill -TERM "$server"
wait "$server" || die "the server failed at the end: $(tail -3 "$WORK/log")"
server=
echo 'ok'
