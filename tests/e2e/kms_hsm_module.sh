#!/usr/bin/env bash
# Which module serves a key server's token is in the transparency log: at every start, after a lost
# process, and when the file is another one; a file that is not the configured one is not loaded.
# shellcheck source=tests/e2e/lib.sh
. "$CASEMATE_SOURCE/tests/e2e/lib.sh"
debian=/usr/lib/softhsm/libsofthsm2.so
{ [ -r "$debian" ] && command -v softhsm2-util >/dev/null; } || {
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
mkdir -p "$WORK/tokens"
module=$WORK/module.so
cp "$debian" "$module"
softhsm2-util --init-token --free --label kms --pin 482916 --so-pin 73519264 >/dev/null
casemate hsm init --module "$module" --token kms --pin-file "$WORK/pin" --write "$WORK/tokens" \
    >/dev/null 2>>"$WORK/p11d.log" || die 'no key'

admin() { curl -s --max-time 5 --unix-socket "$dir/admin.sock" "http://localhost$1" || true; }
launch() {
    casemate serve --dir "$dir" --listen "127.0.0.1:$port" --shares-file "$WORK/shares" \
        --hsm-module "$module" --hsm-token kms --hsm-pin-file "$WORK/pin" \
        --hsm-files "$WORK/tokens" >>"$WORK/log" 2>&1 &
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
hash_of() { sha256sum "$module" | cut -d' ' -f1; }
# entries HASH: how often the log has the module with it
entries() { casemate audit tail --tenant system -n 900 | grep -c "DeviceSeen.*$module.*$1" || true; }
# has N HASH: so often, now or soon
has() {
    for _ in $(seq 150); do
        [ "$(entries "$2")" != "$1" ] || return 0
        sleep 0.4
    done
    die "not $1 entries of $2: $(casemate audit tail --tenant system -n 900 | grep DeviceSeen; tail -5 "$WORK/log")"
}
pin() {
    sed -i '/module_sha256/d' "$dir/kmsd.yaml"
    sed -i "s/^hsm:/hsm:\n  module_sha256: $1/" "$dir/kmsd.yaml"
    expect 0 fine casemate config check "$dir/kmsd.yaml"
}

# ---- H-8: at every start, and after a lost process
launch
ready
export CASEMATE_SERVER=$dir/admin.json
first=$(hash_of)
has 1 "$first"
casemate audit tail --tenant system -n 900 | grep -q 'DeviceSeen.*hsm.*root.*SoftHSM.*kms.*' || die 'the token is not named'
finish
pin "$first"
launch
ready
has 2 "$first"
keyd=$(sed -n 's/.*keyd_started pid=//p' "$WORK/log" | tail -1)
kill -9 "$keyd"
has 3 "$first"
finish

# ---- another file: not the one that was configured
printf '\0' >>"$module"
second=$(hash_of)
launch
for _ in $(seq 600); do
    grep -q HSM_MODULE_OTHER "$WORK/log" && break
    sleep 0.1
done
grep -q HSM_MODULE_OTHER "$WORK/log" || die "another module was loaded: $(tail -5 "$WORK/log")"
admin /readyz | grep -q '"ready":true' && die 'ready with another module'
finish

# ---- and once it is configured, in the log as what it is
pin "$second"
launch
ready
has 1 "$second"
has 3 "$first"
finish
echo 'ok'
