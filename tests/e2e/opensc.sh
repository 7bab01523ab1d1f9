#!/usr/bin/env bash
# OpenSC's own module, over the system's pcscd and a virtual reader, with an emulated SmartCard-HSM
# in it: the same card is used by OpenSC's programs and by ours. Conformance; a wrong PIN, which is
# tried once; wrong signatures, which are held back; the card taken out and put back, and another one
# with its label in its place.
# shellcheck source=tests/e2e/lib.sh
. "$CASEMATE_SOURCE/tests/e2e/lib.sh"
# shellcheck source=tests/e2e/card.sh
. "$CASEMATE_SOURCE/tests/e2e/card.sh"
card_alone
bench=
trap '[ -z "$bench" ] || kill -KILL "$bench" 2>/dev/null || true; cards_down' EXIT
cards_up
: "${opensc:?}"

hsm() {
    casemate hsm "$@" --module "$opensc" --token 'kms (UserPIN)' --pin-fd 5 5<"$WORK/${pin:-pin}" \
        2>>"$WORK/p11d.log"
}
# refused NAME COMMAND...
refused() {
    local name=$1
    shift
    : >"$WORK/p11d.log"
    ! "$@" >"$WORK/out" || die "not refused: $*"
    grep -q "$name" "$WORK/p11d.log" || die "no $name: $(cat "$WORK/p11d.log")"
}

# ---- a card that OpenSC prepared; keys that OpenSC made sign for OpenSSL
card_in DENK0100002 kms
card_in DENK0100001 kms
tool() { pkcs11 --login --pin "$(cat "$WORK/pin")" "$@" >>"$WORK/tool.log"; }
tool --keypairgen --key-type EC:prime256v1 --id 01 --label theirs
head -c 32 /dev/urandom >"$WORK/digest"
tool --sign --mechanism ECDSA --signature-format openssl --id 01 --input-file "$WORK/digest" \
    --output-file "$WORK/sig"
tool --read-object --type pubkey --id 01 --output-file "$WORK/pub"
if command -v openssl >/dev/null; then
    openssl pkeyutl -verify -pubin -keyform DER -inkey "$WORK/pub" -in "$WORK/digest" \
        -sigfile "$WORK/sig" >/dev/null || die 'the card and OpenSSL differ'
fi

# ---- the suite; H-65: what a new key says of itself is asked after OpenSC has read the card again
row='| www.CardContact.de, PKCS#15 emulated | no | yes | yes | no | no | no | no | yes | yes | no | no | hsm-native |'
hsm test --persistent >"$WORK/out" || true
grep -qxF -- "$row" "$WORK/out" || die "OpenSC is not as docs/hsm.md says:
$(cat "$WORK/out")
$(tail -5 "$WORK/p11d.log" "$WORK/card.log")"
grep -qx 'profile   opensc' "$WORK/out" || die "no profile: $(cat "$WORK/out")"
grep -q 'sandbox   no-new-privs no-dump landlock seccomp' "$WORK/out" || echo 'SKIP in part: no sandbox here'
[ "$(pkcs11 --login --pin "$(cat "$WORK/pin")" --list-objects --type privkey | grep -c 'ID:')" = 1 ] ||
    die 'keys of the suite were left behind'

# ---- H-10: one try, and none when the card says that few are left
echo 482917 >"$WORK/wrong"
before=$(card verified DENK0100001)
pin=wrong refused HSM_PIN_WRONG hsm status
[ "$(card tries DENK0100001)" = 2 ] || die "$(card tries DENK0100001) tries are left"
[ "$(card verified DENK0100001)" = $((before + 1)) ] || die 'the PIN was tried more than once'
for _ in 1 2 3; do
    pin=wrong refused HSM_PIN_LOW hsm status
    refused HSM_PIN_LOW hsm status
done
[ "$(card tries DENK0100001)" = 2 ] || die "run down to $(card tries DENK0100001)"
[ "$(card verified DENK0100001)" = $((before + 1)) ] || die 'tried although few were left'
hsm status --pin-retry >/dev/null || die "not opened by a person's word: $(tail -2 "$WORK/p11d.log")"
[ "$(card tries DENK0100001)" = 3 ] || die 'the right PIN gives no tries back'

# ---- H-6: a card that signs wrongly
card lie 999 >/dev/null
hsm test --persistent >"$WORK/out" || true
grep -q '^P-256  *FAILS  HSM_WRONG' "$WORK/out" || die "a lie: $(cat "$WORK/out")"
grep -q '^RSA-2048  *FAILS  HSM_QUARANTINED' "$WORK/out" || die "asked again: $(cat "$WORK/out")"
card lie 0 >/dev/null

# ---- H-7: a process that has the card open, asks it for random bytes all the time, and is halted
# while cards are changed
goes_on() {
    local before
    before=$(card drawn DENK0100001)
    for _ in $(seq 3000); do
        [ "$(card drawn DENK0100001)" -le "$before" ] || return 0
        kill -0 "$bench" 2>/dev/null || return 1
        sleep 0.1
    done
    return 1
}
# change SERIAL: what was under way is over first
change() {
    kill -STOP "$bench" || return 1
    sleep 0.3
    card_out
    card_again "$1"
    kill -CONT "$bench"
}
changes() {
    local shown
    shown=$(card verified DENK0100002)
    : >"$WORK/p11d.log"
    card_again DENK0100001
    casemate hsm bench --milliseconds 60000 --module "$opensc" --token 'kms (UserPIN)' --pin-fd 5 \
        5<"$WORK/pin" >"$WORK/out" 2>>"$WORK/p11d.log" &
    bench=$!
    if goes_on && change DENK0100001 && goes_on && change DENK0100002; then
        ! wait "$bench" || die 'another card with the label served'
    else
        kill -KILL "$bench" 2>/dev/null || true
        wait "$bench" 2>/dev/null || true
    fi
    bench=
    # OpenSC goes on with the card that is there when another program has reset the reader: random
    # bytes, which nobody can check, may be that card's before it is noticed. No PIN is shown to it.
    [ "$(card verified DENK0100002)" = "$shown" ] || die 'the other card was shown the PIN'
    # On a machine that is very busy, a request may still meet a reader that is empty, or the minute
    # be over.
    grep -q HSM_OTHER_TOKEN "$WORK/p11d.log"
}
for left in 4 3 2 1 0; do
    ! changes || break
    [ "$left" != 0 ] || die "another card: $(cat "$WORK/p11d.log")"
done

# ---- a card that is not there
card_out
refused HSM_NO_TOKEN hsm status
echo "OpenSC $(dpkg-query -Wf '${Version}' opensc-pkcs11 2>/dev/null): $row"
