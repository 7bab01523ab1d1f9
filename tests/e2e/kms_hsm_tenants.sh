#!/usr/bin/env bash
# Tenants with tokens of their own on a server whose root is in none: two SoftHSM2 tokens, two
# tenants, and one without. A token that is away takes its own tenant's keys along and nobody
# else's; keys stay usable through restarts, rotation, and the way from one token to the other.
# shellcheck source=tests/e2e/lib.sh
. "$CASEMATE_SOURCE/tests/e2e/lib.sh"
# shellcheck source=tests/e2e/tokens.sh
. "$CASEMATE_SOURCE/tests/e2e/tokens.sh"
: "${module:?}" "${dir:?}" "${port:?}" "${server?}"

provider() {
    printf '    - {name: %s, use: tenants, module: "%s", token: %s, pin_file: "%s", files: "%s"}\n' \
        "$1" "$module" "$2" "$WORK/pin" "$WORK/tokens"
}

# configure HOLD
configure() {
    sed -n '/^hsm:/q; p' "$dir/kmsd.yaml" >"$WORK/new.yaml"
    {
        printf 'hsm:\n  check: 500ms\n  hold: %s\n  providers:\n' "$1"
        provider alpha one
        provider beta two
    } >>"$WORK/new.yaml"
    cp "$WORK/new.yaml" "$dir/kmsd.yaml"
    expect 0 fine casemate config check "$dir/kmsd.yaml"
}

signs() { expect 0 '' as "$1" key sign k --data x; }
# Until the tenant's keys answer CODE TEXT
until_says() {
    local out rc
    for _ in $(seq 3000); do
        rc=0
        out=$(as "$1" key sign k --data x 2>&1 </dev/null) || rc=$?
        if grep -qF -- "$2" <<<"$out"; then
            return
        fi
        sleep 0.1
    done
    die "$1 never said $2 ($rc: $out); $(tail -20 "$WORK/log")"
}

# All processes of tokens; one may be ending by itself.
kill_p11d() {
    local p
    for p in $(pgrep -P "$(pgrep -P "$server" | sed -n 1p)" -x casemate-p11d || true); do
        kill -9 "$p" 2>/dev/null || true
    done
}

# logged OPERATION WHO TENANT: its entry, which shows within a moment, names a key in the token
logged() {
    for _ in $(seq 3000); do
        "$2" "$3" audit tail -n 500 --json >"$WORK/tail"
        ! grep -q "\"op\":\"$1\".*\"decision\":\"allowed\",\"custody\":\"hsm-native\"" "$WORK/tail" || return 0
        sleep 0.1
    done
    die "no $1 of a native key: $(cat "$WORK/tail")"
}

# ---- two tokens, three tenants
new_token one
new_token two
ok casemate serve --dir "$dir" --listen "127.0.0.1:$port" --shares-file "$WORK/shares" --prepare
configure 1h
launch
ready
export CASEMATE_SERVER=$dir/admin.json
expect 4 KEY_DEVICE_NONE casemate tenant create --name acme --hsm gamma
expect 2 hsm_label casemate tenant create --name acme --hsm-label x
casemate tenant create --name acme --hsm alpha --json >"$WORK/acme.made"
json "$WORK/acme.made" 'e[0]["custody"] == "hsm-wrapped" and e[0]["hsm"] == "alpha" and e[0]["hsm_label"] == "acme" and e[0]["hsm_serial"]'
ok casemate tenant create --name globex --hsm beta --hsm-label globex-kek
ok casemate tenant create --name plain
for t in acme globex plain; do
    settle "$t"
    expect 0 '' as "$t" key create k --type ML-DSA-65
    signs "$t"
done
# The token keeps a key for the label.
casemate hsm status --module "$module" --token two --pin-file "$WORK/pin" --write "$WORK/tokens" >/dev/null 2>&1
# KM-17: custody, in metadata and in what the log vouches for
as acme key info k --json >"$WORK/info"
json "$WORK/info" 'e[0]["versions"][0]["custody"] == "hsm-wrapped" and e[0]["versions"][0]["device"].startswith("alpha acme SoftHSM")'
as plain key info k --json >"$WORK/info"
json "$WORK/info" 'e[0]["versions"][0]["custody"] == "software" and "device" not in e[0]["versions"][0]'
as globex key attest k --json >"$WORK/attested"
json "$WORK/attested" 'b"beta globex-kek SoftHSM" in __import__("base64").b64decode(e[0]["statement"])'
until_logged 'CreateTenant.*acme.*hsm-wrapped.*alpha.*SoftHSM'
# one tenant's administrator is nobody in the other
expect 3 SVC_UNAUTHENTIC as acme key sign k --tenant globex --data x

# ---- BYOK into such a tenant
ok as acme key create import --type X-Wing
as acme key public-key import -o "$WORK/import"
casemate key new -t ML-DSA-65 --no-passphrase -o own.pem >/dev/null
ok casemate key wrap own.pem --to "$WORK/import" -o own.wrapped
ok as acme key import-wrapped own --type ML-DSA-65 --import-key import --wrapped @own.wrapped
as acme key info own --json >"$WORK/info"
json "$WORK/info" 'e[0]["versions"][0]["custody"] == "hsm-wrapped" and e[0]["versions"][0]["device"].startswith("alpha acme ")'
as acme key public-key own -o own.raw
[ "$(sha256sum <own.raw)" = "$(grep -v -- - own.pub | base64 -d | tail -c 1952 | sha256sum)" ] || die 'another key came in'
head -c 32 /dev/urandom >aes
ok casemate key wrap aes --type AES-256 --to "$WORK/import" -o aes.wrapped
ok as acme key import-wrapped own-aes --type AES-256 --import-key import --wrapped @aes.wrapped
ok as globex key create import --type X-Wing
expect 3 CRYPT_TAG as globex key import-wrapped own --type ML-DSA-65 --import-key import --wrapped @own.wrapped
expect 5 KEY_MALFORMED casemate key wrap own.pem --to own.raw

# ---- V-110: keys that are made in it and stay there
expect 2 'the tenant has no device' as plain key create n --type P-256 --custody hsm-native
expect 2 custody as acme key create n --type P-256 --custody software
expect 5 KEY_DEVICE_KIND as acme key create n --type X-Wing --custody hsm-native
for t in P-256 secp256k1 Ed25519 RSA-2048; do
    as acme key create "native-$t" --type "$t" --custody hsm-native --json >"$WORK/made"
    json "$WORK/made" 'e[0]["versions"][0]["custody"] == "hsm-native" and e[0]["versions"][0]["device"].startswith("alpha acme SoftHSM")'
    ok as acme key sign "native-$t" --data "text of $t" -o "$WORK/sig.$t"
    expect 0 'valid                yes' as acme key verify "native-$t" --data "text of $t" --signature "@$WORK/sig.$t"
    expect 0 'valid                no' as acme key verify "native-$t" --data other --signature "@$WORK/sig.$t"
done
# by what nobody here wrote: the token has it, and OpenSSL verifies what it signed
if command -v pkcs11-tool >/dev/null; then
    pkcs11-tool --module "$module" --token-label one --login --pin 482916 -O >"$WORK/objects" 2>&1
    grep -q 'label:.*native-P-256' "$WORK/objects" || die "not in the token: $(cat "$WORK/objects")"
    grep -A6 'Private Key Object' "$WORK/objects" | has 'never extractable' ||
        die "may be extracted: $(cat "$WORK/objects")"
fi
as acme key public-key native-RSA-2048 -o "$WORK/rsa.der"
printf 'text of RSA-2048' >"$WORK/text"
openssl dgst -sha256 -verify "$WORK/rsa.der" -keyform DER -signature "$WORK/sig.RSA-2048" \
    -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32 "$WORK/text" >/dev/null ||
    die 'OpenSSL does not verify it'
# V-140: what each key is in the custody of
as acme audit tail -n 500 --json >"$WORK/tail"
json "$WORK/tail" '{"hsm-native", "hsm-wrapped"} == {x["custody"] for x in e if x.get("op") == "CreateKey" and x["decision"] == "allowed"}'
as plain audit tail -n 500 --json >"$WORK/tail"
json "$WORK/tail" '{"software"} == {x["custody"] for x in e if x.get("op") == "CreateKey" and x["decision"] == "allowed"}'
# KM-62: a digest is the message's
printf 'text of P-256' >"$WORK/text"
openssl dgst -sha256 -binary "$WORK/text" >"$WORK/digest"
ok as acme key sign native-P-256 --data "@$WORK/digest" --form digest -o "$WORK/sig.digest"
expect 0 'valid                yes' as acme key verify native-P-256 --data "@$WORK/text" --signature "@$WORK/sig.digest"
expect 2 KEY_FORM as acme key sign native-Ed25519 --data "@$WORK/digest" --form digest
expect 2 'stays there' as acme key create n --type P-256 --custody hsm-native --exportable
expect 3 SVC_NOT_EXPORTABLE as acme key export native-P-256 --recipient "@$WORK/import"
ok as acme key rotate native-P-256
logged RotateKey as acme
as acme key info native-P-256 --json >"$WORK/info"
json "$WORK/info" 'e[0]["version"] == 2 and all(v["custody"] == "hsm-native" for v in e[0]["versions"])'
as acme key attest native-P-256 --json >"$WORK/attested"
json "$WORK/attested" 'b"hsm-native" in __import__("base64").b64decode(e[0]["statement"])'
# many at once
seq 32 | xargs -P 16 -I{} env CASEMATE_SERVER="$WORK/acme.json" casemate key sign native-P-256 --data {} >/dev/null ||
    die 'not all of 32 signatures at once were made'

# ---- a token that is away: what it opened serves on, for as long as configured
take one
signs acme
signs globex
finish
give one
configure 1s
launch
ready
signs acme
take one
kill_p11d
until_says acme KEY_DEVICE_AWAY
expect 1 KEY_DEVICE_AWAY as acme key sign native-P-256 --data x
signs globex
signs plain
expect 1 KEY_DEVICE_AWAY casemate tenant create --name late --hsm alpha
finish
# nor after a restart, and the others do not wait for it
launch
ready
until_says acme KEY_DEVICE_AWAY
signs globex
signs plain
# another token of that label opens nothing
mv "$WORK/at.one" "$WORK/at.one.old"
new_token one
until_says acme KEY_DEVICE_
signs globex
rm -r "$WORK/tokens/$(cat "$WORK/at.one")"
mv "$WORK/at.one.old" "$WORK/at.one"
kill_p11d # before it is back: SoftHSM2 loses a token whose process is killed while it logs in
give one
until_says acme signature

# ---- rotation: a new KEK by the same token, all keys under it
expect 0 '' as acme tenant rotate
signs acme
as acme tenant show --json >"$WORK/shown"
json "$WORK/shown" 'e[0]["kek_version"] == 2 and e[0]["hsm"] == "alpha"'

# ---- moved: to the other token, out of all, and back
ok casemate tenant update --tenant acme --hsm beta --hsm-label acme-kek
signs acme
take one
until_says acme signature
as acme key info k --json >"$WORK/info"
json "$WORK/info" 'e[0]["versions"][0]["device"].startswith("beta acme-kek ")'
give one
ok casemate tenant update --tenant acme --hsm none
signs acme
as acme key info k --json >"$WORK/info"
json "$WORK/info" 'e[0]["versions"][0]["custody"] == "software"'
for _ in $(seq 3000); do # it was away until just now
    ! casemate tenant update --tenant acme --hsm alpha >"$WORK/said" 2>&1 || break
    grep -q KEY_DEVICE_AWAY "$WORK/said" || die "not moved: $(cat "$WORK/said")"
    sleep 0.1
done
signs acme
as acme key info k --json >"$WORK/info"
json "$WORK/info" 'e[0]["versions"][0]["custody"] == "hsm-wrapped"'
until_logged 'UpdateTenant.*acme.*hsm-wrapped.*alpha'

# ---- KM-64, V-140: when its week is over, a key goes out of the token before it is destroyed. A
# token that is away keeps it pending; what is software's goes in the same round.
in_token() { pkcs11-tool --module "$module" --token-label one --login --pin 482916 -O 2>&1 | has "label:.*$1"; }
if command -v pkcs11-tool >/dev/null; then
    ok as acme key create last --type P-256 --custody hsm-native
    in_token last || die 'not in the token'
    ok as acme key destroy last --delay-days 7
    ok as plain key create last --type ML-DSA-65
    ok as plain key destroy last --delay-days 7
    expect 6 KEY_STATE as acme key sign last --data x
    in_token last || die 'gone before its time'
    finish
    take one
    later=(env "LD_PRELOAD=$CASEMATE_CLOCK_SHIFT" CASEMATE_SHIFT_S=700000 "ASAN_OPTIONS=${ASAN_OPTIONS:-}:verify_asan_link_order=0")
    as_later() { CASEMATE_SERVER=$WORK/$1.json "${later[@]}" casemate "${@:2}"; }
    # becomes TENANT STATE
    becomes() {
        for _ in $(seq 3000); do
            if as_later "$1" key info last 2>&1 | has "state  *$2"; then
                return
            fi
            sleep 0.1
        done
        die "$1's key is never $2: $(as_later "$1" key info last 2>&1); $(tail -20 "$WORK/log")"
    }
    "${later[@]}" casemate serve --dir "$dir" --listen "127.0.0.1:$port" --shares-file "$WORK/shares" >>"$WORK/log" 2>&1 &
    server=$!
    ready
    becomes plain destroyed
    for _ in $(seq 3000); do
        ! grep -q ' chores .*failed=[1-9]' "$WORK/log" || break
        sleep 0.1
    done
    grep -q ' chores .*failed=[1-9]' "$WORK/log" || die "nobody tried: $(tail -20 "$WORK/log")"
    sed 's|/tokens$|/away|' "$SOFTHSM2_CONF" >"$WORK/away.conf"
    SOFTHSM2_CONF=$WORK/away.conf in_token last || die 'gone with the token away'
    give one
    becomes acme destroyed
    ! in_token last || die 'still in the token'
    logged DestroyDue as_later acme
else
    echo 'SKIP: no pkcs11-tool'
fi
finish
echo 'ok'
