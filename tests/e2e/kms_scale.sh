#!/usr/bin/env bash
# Many keys and many idle connections: CASEMATE_KEYS (20,000) made by the server's own calls, listed
# page by page, each once and in order; 700 connections that have asked once take little each.
# shellcheck source=tests/e2e/lib.sh
. "$CASEMATE_SOURCE/tests/e2e/lib.sh"
if [ -n "${CASEMATE_SANITIZED-}" ]; then
    echo 'SKIP: scale says nothing under a sanitizer, whose programs meet this code in other tests'
    exit 77
fi
keys=${CASEMATE_KEYS:-20000} page=1000 connections=700
kib_each=50 # 37 were measured; 57 before idle connections gave their buffers back
dir=$WORK/kms
port=
own_port port
server=
trap '[ -z "$server" ] || { kill "$server" 2>/dev/null; wait "$server" 2>/dev/null; } || true' EXIT
export CASEMATE_SERVER=$dir/admin.json

start() {
    casemate serve --dir "$dir" --listen "127.0.0.1:$port" >>"$WORK/log" 2>&1 &
    server=$!
    for _ in $(seq 3000); do
        if casemate audit checkpoint -q >/dev/null 2>&1; then
            return
        fi
        kill -0 "$server" 2>/dev/null || break
        sleep 0.1
    done
    die "not ready: $(tail -20 "$WORK/log")"
}

stop() {
    kill "$server"
    wait "$server" || die "left with $?"
    server=
}

field() { python3 -c 'import json, sys; print(json.load(sys.stdin).get(sys.argv[1], ""))' "$1"; }

casemate serve --dir "$dir" --listen "127.0.0.1:$port" --shares-file "$WORK/shares" --prepare \
    >"$WORK/log" 2>&1
printf 'limits:\n  address_rate: 100000\n  address_burst: 100000\n  idle_time: 3600s\n' \
    >>"$dir/kmsd.yaml"
start
casemate principal create --principal filler -q >/dev/null
casemate policy put fill --principals filler --actions use --actions manage --actions read -q >/dev/null
token=$(casemate principal api-key filler --json | field api_key)
casemate key create zz --type AES-256 -q >/dev/null # behind all others
stop

"$CASEMATE_FILL" "$dir" "$token" k "$keys" >"$WORK/made"
start
next='' at=0
: >"$WORK/names"
while :; do
    casemate key list --page-size "$page" ${next:+--page-token "$next"} --json >"$WORK/page"
    python3 -c 'import json, sys
for k in json.load(sys.stdin)["keys"]: print(k["key"])' <"$WORK/page" >>"$WORK/names"
    next=$(field next_page_token <"$WORK/page")
    at=$((at + 1))
    [ -n "$next" ] || break
    [ "$at" -le "$keys" ] || die 'pages without end'
done
{
    for ((i = 0; i < keys; i++)); do printf 'k%08d\n' "$i"; done
    echo zz
} | cmp - "$WORK/names" || die "not every key once and in order"
[ "$at" -le $((keys / page + 2)) ] || die "$at pages"

rss() { awk '/^VmRSS/ {print $2}' "/proc/$server/status"; }
mkfifo "$WORK/hold"
before=$(rss)
"$CASEMATE_IDLE" 127.0.0.1 "$port" "$connections" /v1/tenants/default/keys/zz:encrypt "$token" \
    '{"plaintext":"AAAA"}' <"$WORK/hold" >"$WORK/idle" &
idle=$!
exec 5>"$WORK/hold"
for _ in $(seq 3000); do
    [ ! -s "$WORK/idle" ] || break
    kill -0 "$idle" 2>/dev/null || break
    sleep 0.1
done
[ "$(field answered <"$WORK/idle")" = "$connections" ] || die "idle: $(cat "$WORK/idle")"
# After a second they give back what they only keep for the next request.
for _ in $(seq 3000); do
    each=$((($(rss) - before) / connections))
    [ "$each" -gt "$kib_each" ] || break
    sleep 0.1
done
exec 5>&-
wait "$idle"
[ "$each" -le "$kib_each" ] || die "an idle connection takes $each KiB"
stop
