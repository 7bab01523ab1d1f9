#!/usr/bin/env bash
# The whole way of a root: SoftHSM2, openCryptoki (without it: another SoftHSM2), software, and back
# again. Tokens hand over while the server runs; software is reached and left with --rewrap. After
# each leg every key signs, verifies and decrypts, what was signed before verifies, and the model opens.
# shellcheck source=tests/e2e/lib.sh
. "$CASEMATE_SOURCE/tests/e2e/lib.sh"
# shellcheck source=tests/e2e/soft_tokens.sh
. "$CASEMATE_SOURCE/tests/e2e/soft_tokens.sh"
other=two
if [ "$(id -u)" = 0 ] && unshare -m -i true 2>/dev/null && [ -x /usr/sbin/pkcsslotd ] &&
    module_in '' libopencryptoki.so.0 >/dev/null; then
    tokens_alone
    other=ock
else
    echo 'SKIP in part: no openCryptoki, or no root; a second SoftHSM2 stands in for it'
fi
# shellcheck source=tests/e2e/tokens.sh
. "$CASEMATE_SOURCE/tests/e2e/tokens.sh"
: "${module:?}" "${dir:?}" "${server?}"
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; opencryptoki_down ""; wait 2>/dev/null || true' EXIT

# provider NAME WEIGHT: in place of the one that knows SoftHSM2 alone
provider() {
    local at=$module token=$1
    if [ "$1" = ock ]; then
        at=$(module_in '' libopencryptoki.so.0)
        token=kms
    fi
    printf '    - {name: %s, module: "%s", token: %s, pin_file: "%s", files: "%s", weight: %s}\n' \
        "$1" "$at" "$token" "$WORK/pin" "$WORK/tokens" "$2"
}

signers='ML-DSA-65 ML-DSA-87 P-256 secp256k1 Ed25519'
make_all() {
    local t
    make_things
    for t in $signers; do
        ok casemate key create "s-$t" --type "$t"
        ok casemate key sign "s-$t" --data "@$WORK/data" -o "$WORK/$t.sig"
    done
    ok casemate key create e-AES-256 --type AES-256
    ok casemate key encrypt e-AES-256 --plaintext "@$WORK/data" -o "$WORK/ct"
}

# all_usable CUSTODY
all_usable() {
    local t
    usable
    for t in $signers; do
        ok casemate key sign "s-$t" --data "@$WORK/data"
        expect 0 'true' casemate key verify "s-$t" --data "@$WORK/data" --signature "@$WORK/$t.sig" --json
    done
    rm -f "$WORK/plain"
    ok casemate key decrypt e-AES-256 --ciphertext "@$WORK/ct" -o "$WORK/plain"
    same "$WORK/data" "$WORK/plain"
    casemate key info k1 --json | has "\"custody\": *\"$1\"" || die "custody: $(casemate key info k1 --json)"
}

# hand_over FROM TO: while the server runs
hand_over() {
    ok casemate hsm migrate --from "$1" --to "$2"
    for _ in $(seq 3000); do
        if casemate hsm migration --json | has '"step": *"none"'; then
            break
        fi
        sleep 0.1
    done
    until_said /admin/devices "\"name\":\"$1\",\"region\":\"\",\"state\":\"retired\""
    echo "$1 to $2: while the server ran"
}

# stopped_over METHOD [PROVIDER WEIGHT]...
stopped_over() {
    finish
    configure "$@"
    rewrap || die "not rewrapped: $(tail -3 "$WORK/log")"
    launch
    ready
    echo "to $*: rewrapped"
}

new_token one
if [ $other = ock ]; then
    opencryptoki_up ''
else
    new_token $other
fi
casemate hsm init --module "$module" --token one --pin-file "$WORK/pin" --write "$WORK/tokens" \
    >/dev/null 2>>"$WORK/p11d.log" || die 'no key'
launch_on one
ready
make_all
ok casemate policy put migrate --tenant system --principals admin --actions MigrateDevice
all_usable hsm-wrapped
finish

# ---- SoftHSM2 to openCryptoki, to software
configure hsm one 100 $other 0
launch
ready
hand_over one $other
all_usable hsm-wrapped
finish
take one # it is not missed
configure hsm $other 100
launch
ready
all_usable hsm-wrapped
echo 'a passphrase of many words' >"$dir/passphrase"
chmod 600 "$dir/passphrase"
stopped_over passphrase-file $other 100
all_usable software

# ---- and back
stopped_over hsm $other 100
all_usable hsm-wrapped
finish
give one
configure hsm one 0 $other 100
launch
ready
hand_over $other one
all_usable hsm-wrapped
finish
configure hsm one 100
launch
ready
all_usable hsm-wrapped
finish
echo 'ok'
