#!/usr/bin/env bash
# Several tokens behind a key server's root: one becomes two, either of them opens it alone, what is
# killed comes back, and the root moves on: to the second alone, to a passphrase, and back. Every key
# and every model stays usable.
# shellcheck source=tests/e2e/lib.sh
. "$CASEMATE_SOURCE/tests/e2e/lib.sh"
module=/usr/lib/softhsm/libsofthsm2.so
{ [ -r "$module" ] && command -v softhsm2-util >/dev/null; } || {
    echo 'SKIP: no SoftHSM2 (package softhsm2)'
    exit 77
}
command -v curl >/dev/null || {
    echo 'SKIP: no curl'
    exit 77
}

dir=$WORK/kms
port=$((20000 + RANDOM % 12000))
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; wait 2>/dev/null || true' EXIT
export SOFTHSM2_CONF=$WORK/softhsm2.conf
printf 'directories.tokendir = %s\n' "$WORK/tokens" >"$SOFTHSM2_CONF"
echo 482916 >"$WORK/pin"
mkdir -p "$WORK/tokens" "$WORK/away"

# token LABEL: one with a root key; its folder is $WORK/at.LABEL's content
token() {
    local before
    before=$(ls "$WORK/tokens")
    softhsm2-util --init-token --free --label "$1" --pin 482916 --so-pin 73519264 >/dev/null
    comm -13 <(echo "$before") <(ls "$WORK/tokens") >"$WORK/at.$1"
    casemate hsm init --module "$module" --token "$1" --pin-file "$WORK/pin" \
        --write "$WORK/tokens" >/dev/null 2>>"$WORK/p11d.log" || die "no key in $1"
}
take() { mv "$WORK/tokens/$(cat "$WORK/at.$1")" "$WORK/away/"; }
give() { mv "$WORK/away/$(cat "$WORK/at.$1")" "$WORK/tokens/"; }

admin() { curl -s --max-time 5 --unix-socket "$dir/admin.sock" "http://localhost$1" || true; }

launch() {
    casemate serve --dir "$dir" --listen "127.0.0.1:$port" --shares-file "$WORK/shares" "$@" \
        >>"$WORK/log" 2>&1 &
    server=$!
}

ready() {
    for _ in $(seq 600); do
        if admin /readyz | grep -q '"ready":true'; then
            return
        fi
        kill -0 "$server" 2>/dev/null || break
        sleep 0.1
    done
    die "not ready: $(tail -20 "$WORK/log")"
}

finish() {
    kill -TERM "$server"
    wait "$server" || die "the server failed at the end: $(tail -3 "$WORK/log")"
    server=
}

# until_said PATH TEXT: the admin socket's answer has it
until_said() {
    for _ in $(seq 600); do
        if admin "$1" | grep -qF -- "$2"; then
            return
        fi
        sleep 0.1
    done
    die "$1 never said $2: $(admin "$1"); $(tail -20 "$WORK/log")"
}

# provider NAME WEIGHT
provider() {
    printf '    - {name: %s, module: "%s", token: %s, pin_file: "%s", files: "%s", weight: %s}\n' \
        "$1" "$module" "$1" "$WORK/pin" "$WORK/tokens" "$2"
}

# configure METHOD [PROVIDER WEIGHT]...: what is behind the listeners in the configuration
configure() {
    local method=$1
    shift
    sed -n '/^unseal:/q; p' "$dir/kmsd.yaml" >"$WORK/new.yaml"
    {
        printf 'unseal:\n  method: %s\n' "$method"
        [ "$method" = hsm ] || printf '  file: passphrase\n'
        printf 'hsm:\n  check: 500ms\n  ramp: 1s\n  providers:\n'
        while [ $# -gt 0 ]; do
            provider "$1" "$2"
            shift 2
        done
    } >>"$WORK/new.yaml"
    cp "$WORK/new.yaml" "$dir/kmsd.yaml"
    expect 0 fine casemate config check "$dir/kmsd.yaml"
}

rewrap() { "$CASEMATE_KMSD" --config "$dir/kmsd.yaml" --rewrap "$@" >>"$WORK/log" 2>&1; }

# Everything that was made in the beginning still works.
usable() {
    ok casemate key sign k1 --data "@$WORK/data"
    rm -f "$WORK/back"
    ok casemate open --unsigned "$WORK/model.sealed" -o "$WORK/back"
    cmp -s "$WORK/model" "$WORK/back" || die 'another model'
}

# ---- one token, as ever
token one
token two
launch --hsm-module "$module" --hsm-token one --hsm-pin-file "$WORK/pin" --hsm-files "$WORK/tokens"
ready
export CASEMATE_SERVER=$dir/admin.json
ok casemate key create k1 --type ML-DSA-65
ok casemate key create box --type X-Wing
echo hello >"$WORK/data"
head -c 100000 /dev/urandom >"$WORK/model"
ok casemate seal "$WORK/model" --unsigned --to-kms box -o "$WORK/model.sealed"
usable
finish

# ---- two: the second does not open what the first alone wrapped, until it is wrapped by both
configure hsm one 70 two 30
rewrap || die "not rewrapped: $(tail -3 "$WORK/log")"
launch
ready
usable
grep -q '"custody": *"hsm-wrapped"' <(casemate key info k1 --json) || die 'custody'
until_said /admin/devices '"name":"two","region":"","state":"serves"'
until_said /metrics 'casemate_hsm_serves{device="one"} 1'

# ---- killed: both processes come back, and nobody else notices
keyd=$(sed -n 's/.*keyd_started pid=//p' "$WORK/log" | tail -1)
spawner=$(pgrep -P "$server" | head -1)
for p in $(pgrep -P "$spawner" -x casemate-p11d); do
    kill -9 "$p"
done
ok casemate key sign k1 --data "@$WORK/data"
failed_once() { admin /metrics | grep -q '^casemate_hsm_failures_total{device="one"} [1-9]'; }
for _ in $(seq 600); do
    ! failed_once || break
    sleep 0.1
done
failed_once || die "its end was not noticed: $(admin /admin/devices)"
until_said /admin/devices '"name":"one","region":"","state":"serves"'
[ "$keyd" = "$(sed -n 's/.*keyd_started pid=//p' "$WORK/log" | tail -1)" ] || die 'keyd went with them'
finish

# ---- either opens it alone
take one
launch
ready
usable
until_said /metrics 'casemate_hsm_serves{device="one"} 0'
finish
give one
take two
launch
ready
usable
finish

# ---- H-38: none, and it is opened as soon as one is there
take one
launch
until_said /metrics 'casemate_hsm_serves{device="two"} 0'
admin /readyz | grep -q '"ready":true' && die 'ready without a token'
give two
ready
usable
finish
give one

# ---- H-39: a member that is away must not be left out
take two
rewrap && die 'wrapped without one of them'
give two

# ---- on to the second alone, to a passphrase, and back
configure hsm one 10 two 100
rewrap || die "not rewrapped: $(tail -3 "$WORK/log")"
configure hsm two 100
rewrap || die "not rewrapped: $(tail -3 "$WORK/log")"
take one
launch
ready
usable
finish
echo 'a passphrase of many words' >"$dir/passphrase"
chmod 600 "$dir/passphrase"
configure passphrase-file two 100
rewrap || die "not rewrapped: $(tail -3 "$WORK/log")"
take two
launch
ready
usable
grep -q '"custody": *"software"' <(casemate key info k1 --json) || die 'custody: software'
finish
give one
configure hsm one 100
rewrap || die "not rewrapped: $(tail -3 "$WORK/log")"
launch
ready
usable
finish

# ---- its only token lost for good: people with their shares bring it under another
take one
give two
configure hsm two 100
rewrap && die 'opened without the token'
head -2 "$WORK/shares" >"$WORK/some"
rewrap --shares-file "$WORK/some" || die "not by shares: $(tail -3 "$WORK/log")"
launch
ready
usable
finish
echo 'ok'
