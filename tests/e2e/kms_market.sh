#!/usr/bin/env bash
# shellcheck disable=SC2034,SC2154 # names shared with nodes_lib.sh
# Receipts and settlements of one server, by the command line, REST and gRPC: two keys, batches,
# replays, a lost answer, restarts, a clock two hours on; an independent reader over all of it.
# shellcheck source=tests/e2e/lib.sh
. "$CASEMATE_SOURCE/tests/e2e/lib.sh"
# shellcheck source=tests/e2e/nodes_lib.sh
. "$CASEMATE_SOURCE/tests/e2e/nodes_lib.sh"
command -v curl >/dev/null || skip 'no curl'
trap end_all EXIT
market() { python3 "$CASEMATE_SOURCE/tests/e2e/kms_market.py" "$@"; }
key() { at a key "$@"; }
member() { python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$1" "$2"; }
again() { # [COMMAND...]: the server anew, behind a command
    node_end a TERM
    node_begin a "$@"
    node_ready a
}

make_base
node_new a
sed -i 's/^  postgres: .*/  sqlite: kms.db/' a/kmsd.yaml
ok "$kmsd" --config a/kmsd.yaml --init --admin-key base/admin.pem --admin-cert base/admin.crt \
    --shares 2/3 --shares-file a.shares
node_begin a
node_ready a

# ---- by the command line: keys by model and customer
for f in model input output node; do head -c 32 /dev/urandom >"$f"; done
fields=(--model @model --input @input --output @output --node @node)
keys=(--keyspace llama-3 acme)
ok key create "${keys[@]}" --type secp256k1 --cosigner acme-pq
ok key create --keyspace llama-3 acme-pq --type ML-DSA-65
key sign-poai "${keys[@]}" "${fields[@]}" --compute-ms 12 --model-root --json >r.json
[ "$(member r.json record | base64 -d | wc -c)" = 3698 ] || die 'not two signatures'
member r.json record | base64 -d >poai
key verify-poai "${keys[@]}" --record @poai --json >v.json
[ "$(member v.json valid)" = True ] || die "not good: $(cat v.json)"
grep -q 'no proof is named' v.json || die "it proves everything: $(cat v.json)"
# ... and without the server, with its public keys alone.
for k in acme acme-pq; do key public-key --keyspace llama-3 "$k" --json >"$k.json"; member "$k.json" public_key >"$k.pk"; done
key verify-poai "${keys[@]}" --record @poai --accept --json >v.json
[ "$(member v.json valid)" = True ] || die "not accepted: $(cat v.json)"
expect 6 MARKET_REPLAY key verify-poai "${keys[@]}" --record @poai --accept
# One of the two alone is not enough.
key sign-poai --keyspace llama-3 acme-pq "${fields[@]}" --json >one.json
member one.json record | base64 -d >one
key verify-poai "${keys[@]}" --record @one --json >v.json
[ "$(member v.json valid)" = False ] || die 'a receipt with one signature of two is good'
head -c 32 /dev/urandom >job
head -c 20 /dev/urandom >party
paid=(--job @job --provider @party --consumer @party --unit wei --amount 115792089237316195423570985008687907853269984665640564039457584007913129639935 --receipt @poai)
key sign-settlement "${keys[@]}" "${paid[@]}" --json >s.json
member s.json record | base64 -d >settled
expect 6 MARKET_SETTLED key sign-settlement "${keys[@]}" "${paid[@]}" --ttl-ms 1000

# ---- after a restart, and two hours later
again
expect 6 MARKET_REPLAY key verify-poai "${keys[@]}" --record @poai --accept
key sign-settlement "${keys[@]}" "${paid[@]}" --json >s2.json
member s2.json record | base64 -d >settled2
same settled settled2
again env "LD_PRELOAD=$CASEMATE_CLOCK_SHIFT" CASEMATE_SHIFT_S=7200 "ASAN_OPTIONS=${ASAN_OPTIONS:-}:verify_asan_link_order=0"
client() { env "LD_PRELOAD=$CASEMATE_CLOCK_SHIFT" CASEMATE_SHIFT_S=7200 "ASAN_OPTIONS=${ASAN_OPTIONS:-}:verify_asan_link_order=0" \
    CASEMATE_SERVER="$WORK/a/admin.json" casemate key "$@"; }
client verify-poai "${keys[@]}" --record @poai --json >v.json
[ "$(member v.json why)" = MARKET_EXPIRED ] || die "not over: $(cat v.json)"
client sign-settlement "${keys[@]}" "${paid[@]}" --json >s2.json
member s2.json record | base64 -d >settled2
same settled settled2
expect 6 MARKET_SETTLED client sign-settlement "${keys[@]}" "${paid[@]}" --ttl-ms 1000
again

# ---- over REST and gRPC
ok key create eth --type secp256k1
ok key create pq --type ML-DSA-65
ok key create dual --type secp256k1 --cosigner pq
ok at a principal create --principal node
at a principal api-key node --json >key.json
token=$(member key.json api_key)
ok at a policy put node --principals node --actions use --actions read
market lines "$token" lines a/api.sock || die 'over REST'
python3 "$CASEMATE_SOURCE/tests/interop/market_outside.py" --file lines || die 'another reader refuses what the server made'
market race "$token" 1 12 a/api.sock || die 'a race'
python=/usr/bin/python3 # packages of the distribution belong to this one
[ -x "$python" ] || python=python3
if "$python" -c 'import grpc, google.protobuf' 2>/dev/null; then
    "$python" "$CASEMATE_SOURCE/tests/e2e/kms_market.py" grpc "$token" "unix:$WORK/a/api.sock" || die "gRPC: $(tail -3 a.log)"
else
    echo 'SKIP: no gRPC for Python'
fi
! grep -E 'chores_failed|service_failed' a.log || die 'the scheduler fails'
echo ok
