#!/usr/bin/env bash
# Several tokens behind a key server's root: one becomes two, either of them opens it alone, what is
# killed comes back, and the root moves on: to the second alone, to a passphrase, and back. Every key
# and every model stays usable.
# shellcheck source=tests/e2e/lib.sh
. "$CASEMATE_SOURCE/tests/e2e/lib.sh"
# shellcheck source=tests/e2e/tokens.sh
. "$CASEMATE_SOURCE/tests/e2e/tokens.sh"
: "${module:?}" "${dir:?}" "${server?}"

# ---- one token, as ever
token one
token two
launch_on one
ready
make_things
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
# Who has said who it is runs.
until_said /admin/devices '"token":"one"'
until_said /admin/devices '"token":"two"'
until_said /admin/devices '"takes_permille":1000' # all that it may, behind the ramp
casemate hsm status >"$WORK/table"
grep -Eq '^one +serves +70 +100% .* hsm-native +one$' "$WORK/table" || die "the table: $(cat "$WORK/table")"
expect 0 '"takes_permille":1000' casemate hsm status --dir "$dir" --json

# ---- killed: both processes come back, and nobody else notices
keyd=$(sed -n 's/.*keyd_started pid=//p' "$WORK/log" | tail -1)
spawner=$(pgrep -P "$server" | sed -n 1p)
for p in $(pgrep -P "$spawner" -x casemate-p11d); do
    kill -9 "$p" 2>/dev/null || true
done
ok casemate key sign k1 --data "@$WORK/data"
failed_once() { admin /metrics | has '^casemate_hsm_failures_total{device="one"} [1-9]'; }
for _ in $(seq 3000); do
    ! failed_once || break
    sleep 0.1
done
failed_once || die "its end was not noticed: $(admin /admin/devices)"
until_said /admin/devices '"name":"one","region":"","state":"serves"'
[ "$keyd" = "$(sed -n 's/.*keyd_started pid=//p' "$WORK/log" | tail -1)" ] || die 'keyd went with them'
# They may be about to show a PIN again, for which SoftHSM2 writes the token's file anew.
finish
for token in "$WORK"/tokens/*; do
    [ -s "$token/token.object" ] || die "a token was lost: $(ls -l "$token")"
done

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
admin /readyz | has '"ready":true' && die 'ready without a token'
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
