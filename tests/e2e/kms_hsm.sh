#!/usr/bin/env bash
# The root of a key server under a key in a token: SoftHSM2 behind casemate-p11d. Keys outlive
# restarts and killed processes; another token with the same label opens nothing.
# shellcheck source=tests/e2e/lib.sh
. "$CASEMATE_SOURCE/tests/e2e/lib.sh"
# shellcheck source=tests/e2e/tokens.sh
. "$CASEMATE_SOURCE/tests/e2e/tokens.sh"
: "${module:?}" "${dir:?}" "${server?}"

device() {
    casemate hsm "$@" --module "$module" --token kms --pin-file "$WORK/pin" --write "$WORK/tokens" \
        2>>"$WORK/p11d.log"
}

serve() {
    launch_on kms
}

# count TEXT: lines of the log with it
count() { grep -cF -- "$1" "$WORK/log" || true; }

# until_count N TEXT
until_count() {
    for _ in $(seq 3000); do
        [ "$(count "$2")" -lt "$1" ] || return 0
        sleep 0.1
    done
    die "not $1 times \"$2\": $(tail -20 "$WORK/log")"
}

# ---- a token, its key
new_token kms
expect 2 'which device?' casemate hsm status
device status >"$WORK/status"
grep -q '^root key  none' "$WORK/status" || die "a root key in a new token: $(cat "$WORK/status")"
grep -q "^sha-256   $(sha256sum "$module" | cut -d' ' -f1)" "$WORK/status" || die 'the hash is not the file'\''s'
device init >/dev/null || die 'no key was made'
if device init >/dev/null; then
    die 'the key was made twice'
fi
device status | has '^root key  hsm-native' || die 'the root key is not shown'
device test | has -F '| SoftHSM project, SoftHSM v2 | yes | yes | yes | yes | no | no | no | yes | yes | no | no | hsm-wrapped |' ||
    die "SoftHSM2 does not conform: $(device test)"

# ---- a server whose root is under it
serve
ready
absent "$dir/passphrase"
export CASEMATE_SERVER=$dir/admin.json
ok casemate key create k1 --type ML-DSA-65
# H-14
casemate key info k1 --json >"$WORK/info"
grep -q '"custody": *"hsm-wrapped"' "$WORK/info" || die "custody: $(cat "$WORK/info")"
# A receipt of an inference, by a key that opens in the token alone.
ok casemate key create eth --type secp256k1
casemate key info eth --json | has '"custody": *"hsm-wrapped"' || die 'custody of eth'
head -c 32 /dev/urandom >"$WORK/digest"
casemate key sign-poai eth --model "@$WORK/digest" --node "@$WORK/digest" --input "@$WORK/digest" \
    --output "@$WORK/digest" --json >"$WORK/poai" || die 'no receipt'
python3 -c 'import base64, json, sys; sys.stdout.buffer.write(base64.b64decode(json.load(sys.stdin)["record"]))' \
    <"$WORK/poai" >"$WORK/record"
expect 0 'valid                yes' casemate key verify-poai eth --record "@$WORK/record" --accept
expect 6 MARKET_REPLAY casemate key verify-poai eth --record "@$WORK/record" --accept
echo hello >"$WORK/data"
casemate key sign k1 --data "@$WORK/data" --json >"$WORK/signed" || die 'no signature'
until_count 1 ' device provider='
grep -q "module_sha256=$(sha256sum "$module" | cut -d' ' -f1)" "$WORK/log" || die 'the module is not logged'

# ---- the same keys after a restart
finish
serve
ready
ok casemate key sign k1 --data "@$WORK/data"

# ---- killed: the module's process is not missed until keyd is, then both come back
p11d=$(pgrep -P "$(pgrep -P "$server" | sed -n 1p)" -x casemate-p11d)
keyd=$(sed -n 's/.*keyd_started pid=//p' "$WORK/log" | tail -1)
kill -9 "$p11d"
ok casemate key sign k1 --data "@$WORK/data"
n=$(count ' unsealed method=')
kill -9 "$keyd"
until_count $((n + 1)) ' unsealed method='
ready
ok casemate key sign k1 --data "@$WORK/data"

# ---- another token with the same label opens nothing
finish
mv "$WORK/tokens" "$WORK/aside"
mkdir "$WORK/tokens"
new_token kms
serve
until_count 1 HSM_NO_KEY
admin /readyz | has '"ready":false' || die 'ready without its token'
finish
rm -r "$WORK/tokens"
mv "$WORK/aside" "$WORK/tokens"
serve
ready
ok casemate key sign k1 --data "@$WORK/data"
finish

# ---- H-64: another PIN, and a run that was broken off on either side of the token
pin_is() { [ "$(cat "$WORK/pin")" = "$1" ] || die "the PIN file has $(cat "$WORK/pin"), not $1"; }
echo 771020 >"$WORK/next"
if device rotate-pin --new-pin-file "$WORK/pin" >/dev/null; then
    die 'the old PIN as the new one'
fi
absent "$WORK/pin.new"
echo 12 >"$WORK/short"
if device rotate-pin --new-pin-file "$WORK/short" >/dev/null; then
    die 'a PIN of two digits'
fi
absent "$WORK/pin.new"
pin_is 482916
device rotate-pin --new-pin-file "$WORK/next" >"$WORK/said" || die "not rotated: $(tail -3 "$WORK/p11d.log")"
pin_is 771020
absent "$WORK/pin.new"
serve
ready
ok casemate key sign k1 --data "@$WORK/data"
echo 662931 >"$WORK/pin.new" # it ended before the token heard of it
device rotate-pin >"$WORK/said" || die "not resumed: $(tail -3 "$WORK/p11d.log")"
grep -q 'broken off' "$WORK/said" || die "it did not say so: $(cat "$WORK/said")"
pin_is 662931
echo 771020 >"$WORK/pin" # it ended when the token had it
echo 662931 >"$WORK/pin.new"
device rotate-pin >/dev/null || die "not resumed: $(tail -3 "$WORK/p11d.log")"
pin_is 662931
absent "$WORK/pin.new"
kill -9 "$(pgrep -P "$(pgrep -P "$server" | sed -n 1p)" -x casemate-p11d)" # a new one reads the new PIN
ok casemate key sign k1 --data "@$WORK/data"
finish
serve
ready
ok casemate key sign k1 --data "@$WORK/data"
finish
device bench --milliseconds 20 >"$WORK/bench"
for what in '32 random bytes' 'wrap a seed' 'open a seed' 'open seeds' 'sign P-256' 'sign Ed25519'; do
    grep -q "^$what" "$WORK/bench" || die "no \"$what\": $(cat "$WORK/bench")"
done
echo 'ok'
