#!/usr/bin/env bash
# The root of a key server under an RSA key in a token: only for who says so, and labelled wherever
# custody is. SoftHSM2; what is wrapped is opened by OpenSSL in
# unit/test_hsm_classical.c and by pkcs11-tool in card_root.sh.
# shellcheck source=tests/e2e/lib.sh
. "$CASEMATE_SOURCE/tests/e2e/lib.sh"
# shellcheck source=tests/e2e/tokens.sh
. "$CASEMATE_SOURCE/tests/e2e/tokens.sh"
: "${module:?}" "${dir:?}" "${server?}"

device() {
    casemate hsm "$@" --module "$module" --token kms --pin-file "$WORK/pin" --write "$WORK/tokens"
}
rsa() { device "$@" --wrapping rsa-not-post-quantum; }
until_log() {
    for _ in $(seq 600); do
        ! grep -qF -- "$1" "$WORK/log" || return 0
        sleep 0.1
    done
    die "the log never said $1: $(tail -20 "$WORK/log")"
}

# ---- H-80, H-82: made on demand, and nobody takes it for the other kind
new_token kms
expect 2 'wrapping is aes or rsa-not-post-quantum' device init --wrapping rsa
expect 0 'Made the RSA-4096 key casemate-root' rsa init
expect 0 'root key  hsm-wrapped-classical' rsa status
expect 3 HSM_KEY_CLASSICAL device status
expect 3 HSM_KEY_CLASSICAL device init

# ---- a server
expect 2 'wrapping is aes or rsa-not-post-quantum' casemate serve --dir "$WORK/other" --hsm-module "$module" \
    --hsm-wrapping rsa
launch --hsm-module "$module" --hsm-token kms --hsm-pin-file "$WORK/pin" --hsm-files "$WORK/tokens" \
    --hsm-wrapping rsa-not-post-quantum
ready
absent "$dir/passphrase"
make_things
casemate key info k1 --json | has '"custody": *"hsm-wrapped-classical"' || die 'custody of a key'
casemate audit tail -n 100 >"$WORK/tail"
grep -q 'CreateKey.*hsm-wrapped-classical' "$WORK/tail" || die "custody in the log: $(cat "$WORK/tail")"

# ---- the same keys after a restart; without the word, the root stays shut and the log says why
finish
launch
ready
usable
finish
sed -i '/^  wrapping: /d' "$dir/kmsd.yaml"
: >"$WORK/log"
launch
until_log HSM_KEY_CLASSICAL
admin /readyz | has '"ready":false' || die 'ready without the word'
finish
printf '  wrapping: rsa-not-post-quantum\n' >>"$dir/kmsd.yaml"
launch
ready
usable
finish

# ---- H-14: beside a token with AES, one copy under RSA is enough for the label; without it, the
# server's old keys are hsm-wrapped from then on
token two
configure hsm two 100 kms 100
sed -i '/name: kms/s/weight:/wrapping: rsa-not-post-quantum, weight:/' "$dir/kmsd.yaml"
expect 0 fine casemate config check "$dir/kmsd.yaml"
rewrap || die "not wrapped by both: $(tail -5 "$WORK/log")"
launch
ready
usable
casemate key info k1 --json | has '"custody": *"hsm-wrapped-classical"' || die 'the weakest copy does not count'
finish
configure hsm two 100
rewrap || die "not wrapped by AES alone: $(tail -5 "$WORK/log")"
launch
ready
usable
casemate key info k1 --json | has '"custody": *"hsm-wrapped"' || die 'still classical'
finish

# ---- a tenant's KEK under RSA, which is made ahead, the root under AES
expect 0 'Made the RSA-4096 key held' rsa init --label held
configure hsm two 100
printf '    - {name: card, module: "%s", token: kms, pin_file: "%s", files: "%s", use: tenants, wrapping: rsa-not-post-quantum}\n' \
    "$module" "$WORK/pin" "$WORK/tokens" >>"$dir/kmsd.yaml"
expect 0 fine casemate config check "$dir/kmsd.yaml"
launch
ready
casemate tenant create --name held --hsm card --hsm-label held --json >"$WORK/held" || die "no tenant: $(tail -5 "$WORK/log")"
json "$WORK/held" 'e[0]["custody"] == "hsm-wrapped-classical" and e[0]["hsm"] == "card"'
finish
echo 'ok'
