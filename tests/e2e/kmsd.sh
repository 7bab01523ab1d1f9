#!/usr/bin/env bash
# The server as a whole: first run, keys over post-quantum TLS, refusals, floods, reload, drain, and
# keyd killed under load. openssl s_client of the build's OpenSSL is the TLS client.
# shellcheck source=tests/e2e/lib.sh
. "$CASEMATE_SOURCE/tests/e2e/lib.sh"
openssl=$CASEMATE_OPENSSL
[ -x "$openssl" ] || openssl=$(command -v openssl)
"$openssl" version | has -E 'OpenSSL (3\.[5-9]|[4-9])' || {
    echo 'SKIP: no openssl with ML-KEM'
    exit 77
}
command -v curl >/dev/null || {
    echo 'SKIP: no curl'
    exit 77
}

dir=$WORK/kms
port=
own_port port
trap 'kill "$server" 2>/dev/null || true; wait 2>/dev/null || true' EXIT

start() {
    casemate serve --dir "$dir" --listen "127.0.0.1:$port" --shares-file "$WORK/shares" \
        >"$WORK/log" 2>&1 &
    server=$!
    for _ in $(seq 3000); do
        if admin /readyz | has '"ready":true'; then
            return
        fi
        kill -0 "$server" 2>/dev/null || break
        sleep 0.1
    done
    die "not ready: $(tail -20 "$WORK/log")"
}

admin() { curl -s --max-time 60 --unix-socket "$dir/admin.sock" "http://localhost$1" "${@:2}" || true; }

# head METHOD PATH BODY [HEADER]: an HTTP/1.1 request.
head_of() {
    printf '%s %s HTTP/1.1\r\nHost: localhost:%s\r\nContent-Type: application/json\r\n' "$1" "$2" "$port"
    printf 'Content-Length: %d\r\n%s\r\n%s' "${#3}" "${4:-}" "$3"
}

client() {
    timeout 300 "$openssl" s_client -connect "127.0.0.1:$port" -CAfile "$dir/ca.crt" \
        -servername localhost -verify_return_error -quiet -no_ign_eof "$@" 2>/dev/null
}

as_admin() { client -cert "$dir/admin.crt" -key "$dir/admin-tls.pem" "$@"; }

# ask METHOD PATH BODY: the answer, status line first. The connection closes behind it.
ask() {
    { head_of "$1" "$2" "$3" $'Connection: close\r\n'; sleep 1.5; } | as_admin -ign_eof 2>/dev/null || true
}

want() {
    local text=$1 out
    shift
    out=$("$@")
    grep -qF -- "$text" <<<"$out" || die "no \"$text\" in the answer to $*: $out"
}

metric() { admin /metrics | awk -v m="$1" '$1 == m { print $2; found = 1 } END { if (!found) print 0 }'; }

# ---- first run, and the second
ok casemate serve --dir "$dir" --listen "127.0.0.1:$port" --shares-file "$WORK/shares" --prepare
[ "$(wc -l <"$WORK/shares")" = 3 ] || die 'three shares'
[ "$(stat -c %a "$WORK/shares")" = 600 ] || die 'shares are for the owner alone'
[ "$(stat -c %a "$dir")" = 700 ] || die 'the folder is for the owner alone'
start
want '"status":"serving"' admin /v1/health
expect 0 fine casemate config check "$dir/kmsd.yaml"
# Who starts keyd holds none of the server's files and sockets: they would outlive it.
for pid in /proc/[0-9]*; do
    [ "$(sed -n 's/^PPid:\t//p' "$pid/status" 2>/dev/null)" = "$server" ] || continue
    [ "$(cat "$pid/comm")" != kmsd-spawner ] || spawner=$pid
done
fds=("${spawner:?no spawner}"/fd/*)
[ "${#fds[@]}" -le 4 ] || die "$(ls -l "$spawner/fd")"

# ---- keys
want '"state":"active"' ask POST /v1/tenants/default/keys/k1 '{"type":"ML-DSA-65"}'
want '"signature":' ask POST /v1/tenants/default/keys/k1:sign '{"data":"aGVsbG8="}'
want 'SVC_NO_KEY' ask POST /v1/tenants/default/keys/nosuch:sign '{"data":"aGVsbG8="}'
want 'SVC_NO_ROUTE' ask GET /v1/nonsense ''
want '"unsealed":true' casemate top --once --json "unix:$dir/admin.sock"
want '"operation":"CreateKey","ok":1,' casemate top --once --json "unix:$dir/admin.sock"
want 'SVC_REQUEST' ask POST /v1/tenants/default/keys/k1:sign '{"data":"aGVsbG8=","x":1}'
want 'HTTP/1.1 401' eval "{ head_of POST /v1/tenants/default/keys/k1:sign '{\"data\":\"aA==\"}' \$'Connection: close\r\n'; sleep 2; } | client -ign_eof"

# ---- who does not speak post-quantum is refused, counted, and told from other failures
if { head_of GET /v1/health ''; sleep 1; } | client -groups X25519 | has 200; then
    die 'a classical key exchange was accepted'
fi
for _ in $(seq 3000); do
    [ "$(metric 'casemate_tls_handshakes_total{result="no_pq_group"}')" = 0 ] || break
    sleep 0.1
done
[ "$(metric 'casemate_tls_handshakes_total{result="no_pq_group"}')" -ge 1 ] || die 'no_pq_group is not counted'
for _ in $(seq 3000); do ! grep -q TLS_NO_PQ_GROUP "$WORK/log" || break; sleep 0.1; done
grep -q TLS_NO_PQ_GROUP "$WORK/log" || die 'no_pq_group is not in the log'

# ---- a certificate of its own is swapped by SIGHUP; who is connected stays connected
exec 8> >(as_admin -ign_eof >"$WORK/kept" 2>&1)
head_of GET /v1/version '' >&8
for _ in $(seq 3000); do grep -q '"version"' "$WORK/kept" 2>/dev/null && break; sleep 0.1; done
before=$(echo | client -showcerts 2>/dev/null | "$openssl" x509 -noout -serial 2>/dev/null || true)
casemate cert server -q --force -k "$dir/server.pem" --ca "$dir/ca-mldsa.crt" --ca-key "$dir/ca.pem" \
    --name swapped --dns localhost --ip 127.0.0.1 --days 9 -o "$dir/server.crt"
kill -HUP "$server"
for _ in $(seq 3000); do grep -q ' reloaded ' "$WORK/log" && break; sleep 0.1; done
grep -q ' reloaded ' "$WORK/log" || die "no reload: $(tail -3 "$WORK/log")"
"$openssl" s_client -connect "127.0.0.1:$port" -CAfile "$dir/ca.crt" -servername localhost </dev/null \
    2>/dev/null | has swapped || die "the new certificate is not shown ($before)"
head_of GET /v1/version '' >&8
for _ in $(seq 3000); do [ "$(grep -c '"version"' "$WORK/kept")" = 2 ] && break; sleep 0.1; done
[ "$(grep -c '"version"' "$WORK/kept")" = 2 ] || die 'the connection was lost by the reload'
exec 8>&-
# A configuration that is wrong changes nothing.
cp "$dir/kmsd.yaml" "$WORK/good.yaml"
echo 'nonsense: 1' >>"$dir/kmsd.yaml"
kill -HUP "$server"
for _ in $(seq 3000); do grep -q 'reload_failed' "$WORK/log" && break; sleep 0.1; done
grep -q 'reload_failed' "$WORK/log" || die 'a wrong configuration was taken'
cp "$WORK/good.yaml" "$dir/kmsd.yaml"

# ---- keyd is killed under load: calls fail so that they can be tried again, then all is well
keyd=$(sed -n 's/.*keyd_started pid=//p' "$WORK/log" | tail -1)
( while :; do ask POST /v1/tenants/default/keys/k1:sign '{"data":"aGVsbG8="}' >>"$WORK/load"; done ) 2>/dev/null &
load=$!
sleep 1
kill -9 "$keyd"
for _ in $(seq 3000); do
    [ "$(metric casemate_keyd_starts_total)" = 2 ] && admin /readyz | has '"ready":true' && break
    sleep 0.1
done
admin /readyz | has '"ready":true' || die "keyd did not come back: $(tail -5 "$WORK/log")"
kill "$load" 2>/dev/null || true
wait "$load" 2>/dev/null || true
want '"signature":' ask POST /v1/tenants/default/keys/k1:sign '{"data":"aGVsbG8="}'

# ---- drain: a request under way is finished, and the process leaves by itself
shaken='casemate_tls_handshakes_total{result="ok"}'
before=$(metric "$shaken")
{ head_of POST /v1/tenants/default/keys/k2 '{"type":"SLH-DSA-SHA2-128s"}' $'Connection: close\r\n'; sleep 5; } |
    as_admin -ign_eof >"$WORK/last" 2>/dev/null &
last=$!
# Its connection stands; the request is right behind.
for _ in $(seq 3000); do [ "$(metric "$shaken")" = "$before" ] || break; sleep 0.1; done
sleep 0.6
kill -TERM "$server"
wait "$server" || die "the server failed at the end: $(tail -3 "$WORK/log")"
wait "$last" || true
grep -qE 'HTTP/1.1 200' "$WORK/last" || die "a request under way was lost: $(cat "$WORK/last")"
absent "$WORK/core"
start
want '"signature":' ask POST /v1/tenants/default/keys/k1:sign '{"data":"aGVsbG8="}'
echo 'ok'
