#!/usr/bin/env bash
# SoftHSM2 tokens and a server whose root is under them; sourced after lib.sh.
module=/usr/lib/softhsm/libsofthsm2.so
{ [ -r "$module" ] && command -v softhsm2-util >/dev/null; } || {
    echo 'SKIP: no SoftHSM2 (package softhsm2)'
    exit 77
}
# shellcheck source=tests/e2e/server.sh
. "$CASEMATE_SOURCE/tests/e2e/server.sh"
: "${dir:?}"

export SOFTHSM2_CONF=$WORK/softhsm2.conf
printf 'directories.tokendir = %s\n' "$WORK/tokens" >"$SOFTHSM2_CONF"
echo 482916 >"$WORK/pin"
mkdir -p "$WORK/tokens" "$WORK/away"

# new_token LABEL: its folder is what $WORK/at.LABEL says
new_token() {
    local before
    before=$(ls "$WORK/tokens")
    softhsm2-util --init-token --free --label "$1" --pin 482916 --so-pin 73519264 >/dev/null
    comm -13 <(echo "$before") <(ls "$WORK/tokens") >"$WORK/at.$1"
}

# launch_on LABEL: its root is under that token's key
launch_on() {
    launch --hsm-module "$module" --hsm-token "$1" --hsm-pin-file "$WORK/pin" \
        --hsm-files "$WORK/tokens"
}

# token LABEL: one with a root key
token() {
    new_token "$1"
    casemate hsm init --module "$module" --token "$1" --pin-file "$WORK/pin" \
        --write "$WORK/tokens" >/dev/null 2>>"$WORK/p11d.log" || die "no key in $1"
}
take() { mv "$WORK/tokens/$(cat "$WORK/at.$1")" "$WORK/away/"; }
give() { mv "$WORK/away/$(cat "$WORK/at.$1")" "$WORK/tokens/"; }

# until_said PATH TEXT: the admin socket's answer has it
until_said() {
    for _ in $(seq 3000); do
        if admin "$1" | has -F -- "$2"; then
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

# until_logged PATTERN: an entry of the system's log, which shows within a moment
until_logged() {
    for _ in $(seq 3000); do
        ! casemate audit tail --tenant system -n 200 | has "$1" || return 0
        sleep 0.1
    done
    die "no $1 in the log: $(casemate audit tail --tenant system -n 200)"
}

rewrap() { "$CASEMATE_KMSD" --config "$dir/kmsd.yaml" --rewrap "$@" >>"$WORK/log" 2>&1; }

# A key that signs and a model that is sealed to another one.
make_things() {
    export CASEMATE_SERVER=$dir/admin.json
    ok casemate key create k1 --type ML-DSA-65
    ok casemate key create box --type X-Wing
    echo hello >"$WORK/data"
    head -c 100000 /dev/urandom >"$WORK/model"
    ok casemate seal "$WORK/model" --unsigned --to-kms box -o "$WORK/model.sealed"
    usable
}

# What make_things made still works.
usable() {
    ok casemate key sign k1 --data "@$WORK/data"
    rm -f "$WORK/back"
    ok casemate open --unsigned "$WORK/model.sealed" -o "$WORK/back"
    cmp -s "$WORK/model" "$WORK/back" || die 'another model'
}

# as TENANT COMMAND...: an administrator of that tenant's own
as() { CASEMATE_SERVER=$WORK/$1.json casemate "${@:2}"; }

# settle TENANT: somebody who may do everything in it
settle() {
    casemate key new -t ML-DSA-65 --no-passphrase -o "$1.pem" >/dev/null
    ok casemate principal create --tenant "$1" --principal owner --credentials "$(python3 - "$1.pub" <<'PY'
import base64, json, sys
der = base64.b64decode("".join(l for l in open(sys.argv[1]) if "-" not in l))
print(json.dumps({"kind": "ml_dsa", "public_key": base64.b64encode(der[-1952:]).decode()}))
PY
)"
    ok casemate policy put all --tenant "$1" --principals owner --actions '*'
    printf '{"server":"https://127.0.0.1:%s","roots":"%s/ca.crt","sign_key":"%s/%s.pem","tenant":"%s"}' \
        "${port:?}" "$dir" "$WORK" "$1" "$1" >"$WORK/$1.json"
}
