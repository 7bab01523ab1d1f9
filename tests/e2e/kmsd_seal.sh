#!/usr/bin/env bash
# A server that starts without what opens its root comes up sealed and says so; people unseal it over
# the admin socket, a share at a time, with the passphrase, or by the credential that systemd hands
# over; and seal it again.
# shellcheck source=tests/e2e/lib.sh
. "$CASEMATE_SOURCE/tests/e2e/lib.sh"
command -v curl >/dev/null || {
    echo 'SKIP: no curl'
    exit 77
}

dir=$WORK/kms
port=
own_port port
server=''
trap 'kill $server 2>/dev/null || true; wait 2>/dev/null || true' EXIT
kmsd=$(dirname "$CASEMATE_CLI")/../casemate-kmsd/casemate-kmsd
[ -x "$kmsd" ] || kmsd=casemate-kmsd

admin() { curl -s --max-time 60 --unix-socket "$dir/admin.sock" "http://localhost$1" "${@:2}" || true; }
code() { admin "$1" -o /dev/null -w '%{http_code}' "${@:2}"; }
field() { admin /admin/status | python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }

# until SECONDS COMMAND...
until_so() {
    local n=$(($1 * 10))
    shift
    for _ in $(seq "$n"); do
        if "$@"; then
            return 0
        fi
        kill -0 "$server" 2>/dev/null || die "the server is gone: $(tail -5 "$WORK/log")"
        sleep 0.1
    done
    die "not so in time: $*: $(admin /admin/status) $(tail -5 "$WORK/log")"
}

is() { [ "$(field "$1" 2>/dev/null)" = "$2" ]; }
serves() { [ "$(code /readyz)" = 200 ] && [ "$(code /v1/health)" = 200 ]; }

start() {
    "$kmsd" --config "$dir/kmsd.yaml" >>"$WORK/log" 2>&1 &
    server=$!
    until_so 300 is keyd "$1"
}

stop() {
    kill -TERM "$server"
    wait "$server" || die "the server failed at the end: $(tail -3 "$WORK/log")"
    server=''
}

# give JSON: hands it over, and waits for what comes of it.
give() {
    local before
    before=$(field unseal_tries)
    [ "$(printf '%s' "$1" | code /admin/unseal -X POST --data-binary @-)" = 202 ] || die "not taken: $1"
    until_so 300 eval "[ \"\$(field unseal_tries)\" -gt $before ]"
}

sealed() {
    [ "$(code /healthz)" = 200 ] || die 'alive, sealed or not'
    [ "$(code /readyz)" = 503 ] || die 'sealed and ready'
    admin /readyz | has '"keyd":"sealed"' || die "readiness does not say why: $(admin /readyz)"
    [ "$(code /v1/health)" = 503 ] || die 'a sealed server answers'
    admin /v1/health -D "$WORK/head" | has KMSD_SEALED || die 'no clear word of it'
    grep -qi '^retry-after:' "$WORK/head" || die 'when to come back?'
}

yaml() { python3 - "$dir/kmsd.yaml" "$1" <<'PY'
import re, sys
text = open(sys.argv[1]).read()
text = re.sub(r"unseal:\n(  .*\n)+", "unseal:\n" + sys.argv[2] + "\n", text)
open(sys.argv[1], "w").write(text)
PY
}

ok casemate serve --dir "$dir" --listen "127.0.0.1:$port" --shares-file "$WORK/shares" --shares 2/3 --prepare
export CASEMATE_SERVER=$dir/admin.json
mapfile -t share <"$WORK/shares"

# ---- shares, one at a time
yaml '  method: shares'
start sealed
sealed
typo=3
[ "${share[0]: -1}" != 3 ] || typo=4
give "{\"share\":\"${share[0]%?}$typo\"}"
[[ "$(field unseal_error)" == SHARE_* ]] || die "a mistyped share: $(admin /admin/status)"
give "{\"share\":\"${share[2]}\"}"
is shares_have 1 && is shares_need 2 || die "one of two: $(admin /admin/status)"
sealed
give "{\"share\":\"${share[2]}\"}"
is unseal_error SHARES_TWICE || die "the same again: $(admin /admin/status)"
is shares_have 1 || die 'it counted'
give "{\"share\":\"${share[0]}\"}"
is unseal_error '' || die "the second: $(admin /admin/status)"
until_so 300 serves
ok casemate key create box --type AES-256
ok casemate key create signer --type ML-DSA-65
printf 'secret text' >plain
ok casemate key encrypt box --plaintext @plain -o ct

# ---- what is no answer to the question
[ "$(code /admin/unseal -X POST -d '{}')" -ge 400 ] || die 'nothing was taken'
[ "$(code /admin/unseal -X POST -d 'share')" -ge 400 ] || die 'nonsense was taken'
[ "$(code /admin/unseal)" -ge 400 ] || die 'GET unseals'

# ---- sealed by hand: nothing is served, also when the key holder starts anew; then unsealed again
[ "$(code /admin/seal -X POST)" = 202 ] || die 'not sealed'
until_so 300 is keyd sealed
sealed
expect 1 'KMSD_SEALED' casemate key sign signer --data hello
kill -9 "$(sed -n 's/.*keyd_started pid=//p' "$WORK/log" | tail -1)"
until_so 300 grep -q sealed_by_hand "$WORK/log"
until_so 300 is keyd sealed
sealed
give "{\"share\":\"${share[1]}\"}"
give "{\"share\":\"${share[2]}\"}"
until_so 300 serves
ok casemate key decrypt box --ciphertext @ct -o back
same plain back
casemate key sign signer --data hello --json >answer
python3 -c 'import base64, json; open("receipt", "wb").write(base64.b64decode(json.load(open("answer"))["receipt"]))'
expect 0 'PASS' casemate audit verify --key "$dir/log.vkeys" receipt
stop

# ---- the passphrase, over the socket: its file is not there
yaml '  method: passphrase-file
  file: elsewhere'
start sealed
sealed
give '{"passphrase":"not this one"}'
is unseal_error UNSEAL_WRONG || die "the wrong passphrase: $(admin /admin/status)"
sealed
printf '{"passphrase":"%s"}' "$(head -1 "$dir/passphrase")" >"$WORK/body"
give "$(cat "$WORK/body")"
until_so 300 serves
ok casemate key decrypt box --ciphertext @ct -o back2
same plain back2
stop
! grep -qF "$(head -1 "$dir/passphrase")" "$WORK/log" || die 'the passphrase is in the log'
! grep -qF "${share[0]}" "$WORK/log" || die 'a share is in the log'

# ---- a server whose root opens with systemd's credential, and without it comes up sealed
dir=$WORK/other
own_port port
ok casemate serve --dir "$dir" --listen "127.0.0.1:$port" --shares-file "$WORK/shares2" --shares 2/3 --prepare
rm -f "$dir"/kms.db* "$dir/anchor"* "$WORK/shares2"
yaml '  method: credential
  credential: casemate-root'
mkdir -p "$WORK/credentials"
head -c 32 /dev/urandom >"$WORK/credentials/casemate-root"
CREDENTIALS_DIRECTORY=$WORK/credentials ok "$kmsd" --config "$dir/kmsd.yaml" --init --admin-key "$dir/admin.pem" \
    --shares 2/3 --shares-file "$WORK/shares2"
CREDENTIALS_DIRECTORY=$WORK/credentials start open
until_so 300 serves
stop
start sealed
until_so 300 is unseal_error KEYD_NO_CREDENTIAL
sealed
mapfile -t share <"$WORK/shares2"
give "{\"share\":\"${share[0]}\"}"
give "{\"share\":\"${share[1]}\"}"
until_so 300 serves
stop
echo ok
