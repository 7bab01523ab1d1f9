#!/usr/bin/env bash
# Programs run measured and locked in, by the command line.
# shellcheck source=tests/e2e/lib.sh
. "$CASEMATE_SOURCE/tests/e2e/lib.sh"
me=$CASEMATE_HOME/identity.pub
server=''
trap 'kill $server 2>/dev/null || true' EXIT
with_keys
cp "$CASEMATE_PAYLOAD_DYNAMIC" infer
another signer ml-dsa-65
"$MAKE_MODEL" gguf m.gguf 3M
ok casemate seal m.gguf --to "$me"
printf '{"threads": 1}' >config.json

# manifest: one digest, whoever measures; any change is another
manifest() { casemate enclave manifest --json "$@" | python3 -c 'import json,sys; print(json.load(sys.stdin)["digest"])'; }
plan=(--model m.gguf.sealed --config config.json --env NAMED=1)
one=$(manifest "${plan[@]}" -- ./infer sum)
[ "$one" = "$(manifest "${plan[@]}" -- ./infer sum)" ] || die 'a manifest changed by itself'
for other in "--memory 64M ${plan[*]} -- ./infer sum" "${plan[*]} -- ./infer whole" \
    "${plan[*]} --env B=2 -- ./infer sum" "--config config.json --env NAMED=1 -- ./infer sum"; do
    # shellcheck disable=SC2086
    [ "$one" != "$(manifest $other)" ] || die "the manifest does not show: $other"
done
ok casemate enclave manifest "${plan[@]}" -o m.man -k signer.pem -- ./infer sum
[ "$(sha256sum <m.man | cut -d' ' -f1)" = "$one" ] || die 'the digest is not that of the file'
expect 0 '6 passed, 1 skipped, 0 failed' casemate enclave verify m.man -k signer.pub \
    --program ./infer --model m.gguf.sealed
expect 3 'ENCLAVE_VARIABLE' casemate enclave manifest --env LD_PRELOAD=/tmp/x.so -- ./infer
expect 4 'NO_FILE' casemate enclave manifest -- ./nothing
expect 5 'ENCLAVE_SCRIPT' casemate enclave manifest -- "$CASEMATE_SOURCE/do"

# run: one request, one answer, and the same answer from a stream
run=(casemate enclave run "${plan[@]}")
"${run[@]}" --request config.json -o memory.out -- ./infer sum 2>said || die "$(cat said)"
grep -q SIMULATED said || die 'it does not say SIMULATED'
grep -qF "$one" said || die 'it does not say what runs'
expect 4 'GATHER_NONE' "${run[@]}" --pcr none --evidence ev -- ./infer true
absent ev
expect 2 '--nonce is for evidence' "${run[@]}" --nonce "$one" -- ./infer true
expect 2 'not a whole number from 0 to 15' "${run[@]}" --pcr 16 -- ./infer true
ok "${run[@]}" --stream --request config.json -o stream.out -- ./infer sum
same memory.out stream.out
[ "$(wc -c <memory.out)" = 16 ] || die "the answer is $(cat memory.out)"
SECRET=x "${run[@]}" --json -- ./infer hostile >events 2>said || die "$(cat said)"
grep -q '^0 done$' said || die "$(cat said)"
json events 'any(x["event"] == "started" and x["simulated"] and "seccomp" in x["holds"] for x in e)'

# larger than the limit: in chunks, whatever its size
"${run[@]}" --memory 16M --request config.json -o chunks.out --json -- ./infer sum >log 2>events ||
    die "$(cat events)"
same memory.out chunks.out
json events 'any(x["event"] == "started" and x["delivery"] == "stream" for x in e) and any(x["event"] == "done" and x["range_bytes"] >= 3 << 20 and x["peak"] <= 16 << 20 for x in e)'

# EN-44: a folder, whole in memory and in chunks
mkdir -p folder/deep
seq 3000 >folder/one.txt
printf 'second\n' >folder/deep/two.txt
"$MAKE_MODEL" gguf folder/m.gguf 1M
ok casemate seal folder --to "$me" -o folder.sealed
for how in "--memory 64M" "--memory 16M" --stream; do
    for f in one.txt deep/two.txt; do
        # shellcheck disable=SC2086
        casemate enclave run --model folder.sealed $how --pcr none --json -- ./infer member $f 2>out >events ||
            die "$how $f: $(cat out events)"
        same out "folder/$f"
    done
    json events 'all((x["delivery"] == "memory") == ("'"$how"'" == "--memory 64M") for x in e if "delivery" in x)'
done
expect 1 'ENCLAVE_DIED' casemate enclave run --model folder.sealed -- ./infer member three.txt
expect 1 'ENCLAVE_DIED' casemate enclave run --model m.gguf.sealed -- ./infer member one.txt

# only what was released
ok "${run[@]}" --expect m.man --signed-by signer.pub --request config.json -o x.out -- ./infer sum
expect 3 'ENCLAVE_CHANGED' "${run[@]}" --expect m.man --request config.json -- ./infer whole
flip infer 100
expect 3 'ENCLAVE_CHANGED' "${run[@]}" --expect m.man --request config.json -- ./infer sum
expect 3 'another file than was measured' casemate enclave verify m.man --program ./infer
flip infer 100
"$MAKE_MODEL" gguf n.gguf 1M
ok casemate seal n.gguf --to "$me"
expect 3 'ENCLAVE_CHANGED' casemate enclave run --model n.gguf.sealed --config config.json \
    --env NAMED=1 --expect m.man -- ./infer sum
another stranger ml-dsa-65
expect 3 'ENCLAVE_SIGNER' "${run[@]}" --expect m.man --signed-by stranger.pub -- ./infer sum

# call: served on a socket, bound to the manifest, signed
serve() { # LOG COMMAND...: until it listens
    local log=$1 i
    shift
    "$@" >"$log" 2>&1 &
    server=$!
    for ((i = 0; i < 3000; i++)); do
        [ ! -S e.sock ] || ! grep -q '"started"' "$log" || return 0
        kill -0 $server 2>/dev/null || die "$(cat "$log")"
        sleep 0.1
    done
    die "$(cat "$log")"
}
serve log "${run[@]}" --json --socket e.sock -k signer.pem -- ./infer sum
for _ in 1 2 3; do
    casemate enclave call --socket e.sock --manifest "$one" --signed-by signer.pub \
        <config.json >call.out 2>said || die "$(cat said)"
    same call.out memory.out
    grep -q SIMULATED said || die 'an answer does not say SIMULATED'
done
expect 3 'ENCLAVE_RESULT' casemate enclave call --socket e.sock --manifest "${one/[0-9a-e]/f}" \
    --request config.json
expect 3 'ENCLAVE_RESULT' casemate enclave call --socket e.sock --signed-by stranger.pub \
    --request config.json
[ "$(stat -c %a e.sock)" = 600 ] || die 'the socket is for its owner alone'
payload=$(python3 -c 'import json; print([json.loads(l) for l in open("log") if "started" in l][0]["pid"])')
# nobody but root looks into it
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
    expect 1 '' setpriv --reuid 65534 --regid 65534 --clear-groups head -c 1 "/proc/$payload/mem"
fi
kill -TERM $server
rc=0
wait $server || rc=$?
[ $rc = 143 ] || die "SIGTERM gave $rc: $(cat log)"
absent e.sock
for _ in $(seq 3000); do
    [ -e "/proc/$payload" ] || break
    sleep 0.1
done
[ ! -e "/proc/$payload" ] || die 'the program outlives its runner'

# killed at any moment: the program goes too, and nothing was written
rm -f m.gguf n.gguf
touch before
for ((i = 0; i < ${CASEMATE_KILLS:-3}; i++)); do
    rm -f e.sock
    "${run[@]}" --json --stream --socket e.sock -- ./infer sum >log 2>&1 &
    server=$!
    sleep "0.$((RANDOM % 4))"
    kill -KILL $server 2>/dev/null || true
    wait $server 2>/dev/null || true
    payload=$(sed -n 's/.*"pid":\([0-9]*\).*/\1/p' log | sed -n 1p)
    for ((j = 0; j < 3000; j++)); do
        [ -n "$payload" ] && [ -e "/proc/$payload" ] || break
        sleep 0.1
    done
    [ -z "$payload" ] || [ ! -e "/proc/$payload" ] || die 'the program outlives a killed runner'
done
found=$(find . -newer before -type f ! -name log -printf '%p\n')
[ -z "$found" ] || die "a killed runner left $found"
echo 'enclaves: measured, locked in, called'
