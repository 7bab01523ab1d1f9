#!/usr/bin/env bash
# Several requests under way in a tenant's token (H-16, H-17): behind a module that lets four go on
# when four are in it, dies with four in it, and is late with a key.
# shellcheck source=tests/e2e/lib.sh
. "$CASEMATE_SOURCE/tests/e2e/lib.sh"
# shellcheck source=tests/e2e/tokens.sh
. "$CASEMATE_SOURCE/tests/e2e/tokens.sh"
: "${module:?}" "${dir:?}" "${port:?}" "${server?}"
export CASEMATE_SHIM_MODULE=$module CASEMATE_SHIM_FAULT=$WORK/fault

fault() { printf '%s' "$1" >"$WORK/fault"; }

# configure [SETTING]: of the provider
configure() {
    sed -n '/^hsm:/q; p' "$dir/kmsd.yaml" >"$WORK/new.yaml"
    {
        printf 'hsm:\n  check: 1h\n  providers:\n'
        printf '    - {name: alpha, use: tenants, module: "%s", token: one, pin_file: "%s", files: "%s"%s}\n' \
            "$CASEMATE_SHIM" "$WORK/pin" "$WORK" "${1:-}"
    } >>"$WORK/new.yaml"
    cp "$WORK/new.yaml" "$dir/kmsd.yaml"
    expect 0 fine casemate config check "$dir/kmsd.yaml"
}

# four COMMAND...: at once, with {} for their number; how many failed
four() {
    local p failed=0 pids=()
    for i in 1 2 3 4; do
        "${@//\{\}/$i}" >"$WORK/out.$i" 2>&1 </dev/null &
        pids+=($!)
    done
    for p in "${pids[@]}"; do
        wait "$p" || failed=$((failed + 1))
    done
    echo "$failed"
}

p11d() { pgrep -P "$(pgrep -P "$server" | sed -n 1p)" -x casemate-p11d || true; }

fault ''
new_token one
ok casemate serve --dir "$dir" --listen "127.0.0.1:$port" --shares-file "$WORK/shares" --prepare
configure
launch
ready
export CASEMATE_SERVER=$dir/admin.json
ok casemate tenant create --name acme --hsm alpha
settle acme
ok as acme key create n --type P-256 --custody hsm-native
[ "$(tr '\0' '\n' <"/proc/$(p11d)/cmdline" | grep -cx -e --connection)" = 4 ] || die 'not four connections'

# ---- none goes on before four are in the token
fault 'C_Sign meet 0 4'
[ "$(four as acme key sign n --data 'text {}')" = 0 ] || die "alone in the token: $(cat "$WORK"/out.*)"

# ---- it dies with four in it: they are lost, one process comes in its place, and clients, who try
# again, have their signatures
starts() { grep -c '"event":"token"' "$WORK/log"; }
[ "$(starts)" = 1 ] || die 'more than one process'
fault 'C_Sign fall 0 4'
four as acme key sign n --data 'text {}' >"$WORK/failed" &
for _ in $(seq 600); do
    ! grep -q HSM_LOST "$WORK/log" || break
    sleep 0.05
done
fault ''
wait $!
[ "$(cat "$WORK/failed")" = 0 ] || die "$(cat "$WORK"/out.*)"
grep -q HSM_LOST "$WORK/log" || die 'nothing was lost'
[ "$(starts)" = 2 ] || die "not two processes: $(cat "$WORK/log")"

# ---- a label's first use by several makes one key, which all of them have
fault 'C_GenerateKey delay 0 1'
[ "$(four casemate tenant create --name 't{}' --hsm alpha --hsm-label shared)" = 0 ] ||
    die "not all have the key: $(cat "$WORK"/out.*)"
fault ''
finish

# ---- as many as configured
configure ', sessions: 2'
launch
ready
ok as acme key sign n --data x
tr '\0' '\n' <"/proc/$(p11d)/cmdline" >"$WORK/arguments"
[ "$(grep -cx -e --connection "$WORK/arguments")" = 2 ] || die "$(cat "$WORK/arguments")"
grep -A1 -x -e --sessions "$WORK/arguments" | has -x 2 || die "$(cat "$WORK/arguments")"
expect 2 sessions casemate config check <(sed 's/sessions: 2/sessions: 9/' "$dir/kmsd.yaml")
finish
echo 'ok'
