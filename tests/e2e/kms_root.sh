#!/usr/bin/env bash
# A new generation of a running server's root: by who can open it alone, carried to its end by a
# server that was killed meanwhile, the old one retired, and all of it in the log.
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
trap 'kill -9 $server 2>/dev/null || true; wait 2>/dev/null || true' EXIT

admin() { curl -s --max-time 60 --unix-socket "$dir/admin.sock" "http://localhost$1" "${@:2}"; }
start() {
    "$CASEMATE_KMSD" --config "$dir/kmsd.yaml" >>"$WORK/log" 2>&1 &
    server=$!
    until_so 300 ready
}
ready() { [[ $(admin /readyz) = *'"ready":true'* ]]; }
until_so() {
    for _ in $(seq $((10 * $1))); do
        ! "${@:2}" >/dev/null 2>&1 || return 0
        sleep 0.1
    done
    die "never: ${*:2}: $(tail -5 "$WORK/log")"
}
generation() { [[ $(admin /admin/status) = *"\"root_generation\":$1,"* ]] || die "not generation $1: $(admin /admin/status)"; }
opens() {
    ok casemate key decrypt box --ciphertext @ct -o back
    same plain back
}

ok casemate serve --dir "$dir" --listen "127.0.0.1:$port" --shares-file "$WORK/shares" --shares 2/3 --prepare
export CASEMATE_SERVER=$dir/admin.json
start
ok casemate key create box --type AES-256
printf 'secret text' >plain
ok casemate key encrypt box --plaintext @plain -o ct
generation 1

# ---- not by anybody, and nothing to retire
echo 'not this one' >wrong
expect 3 'UNSEAL_WRONG' casemate rotate-root --passphrase-file wrong
head -1 shares >one
expect 6 'SHARES_FEW' casemate rotate-root --share-file one
expect 6 'UNSEAL_GENERATION' casemate rotate-root --retire --passphrase-file "$dir/passphrase"
generation 1

# ---- begun, and ended before anything was wrapped anew: who leads next goes on (V-58). With
# CASEMATE_KILLS it is killed, and its lease has to run out.
ok casemate rotate-root --passphrase-file "$dir/passphrase"
generation 2
signal=TERM
[ -z "${CASEMATE_KILLS:-}" ] || signal=KILL
kill "-$signal" "$server"
wait "$server" 2>/dev/null || true
start
generation 2
opens
until_so 300 casemate rotate-root --retire --passphrase-file "$dir/passphrase"
generation 2
opens
ok casemate key create later --type AES-256

# ---- by two of three people; the passphrase opens it still
head -2 shares >two
ok casemate rotate-root --share-file two
generation 3
opens
until_so 300 casemate rotate-root --retire --share-file two
kill "$server"
wait "$server" || die 'not well ended'
start
opens
ok casemate key encrypt later --plaintext @plain -o ct2

# ---- the log has each step
tail_of_system() { casemate audit tail --tenant system -n 300; }
[ "$(tail_of_system | grep -c NewRootGeneration)" = 2 ] || die "$(tail_of_system)"
[ "$(tail_of_system | grep -c RetireRootGenerations)" = 2 ] || die "$(tail_of_system)"
[ "$(tail_of_system | grep -c RewrapDue)" -ge 2 ] || die "$(tail_of_system)"
! grep -qF "$(head -1 "$dir/passphrase")" "$WORK/log" || die 'the passphrase is in the log'
kill "$server"
wait "$server" || die 'not well ended'
