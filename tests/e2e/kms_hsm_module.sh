#!/usr/bin/env bash
# Which module serves a key server's token is in the transparency log: at every start, after a lost
# process, and when the file is another one; a file that is not the configured one is not loaded.
# shellcheck source=tests/e2e/lib.sh
. "$CASEMATE_SOURCE/tests/e2e/lib.sh"
# shellcheck source=tests/e2e/tokens.sh
. "$CASEMATE_SOURCE/tests/e2e/tokens.sh"
: "${module:?}" "${dir:?}" "${server?}"
cp "$module" "$WORK/module.so"
module=$WORK/module.so
token kms

hash_of() { sha256sum "$module" | cut -d' ' -f1; }
# entries HASH: how often the log has the module with it
entries() { casemate audit tail --tenant system -n 900 | grep -c "DeviceSeen.*$module.*$1" || true; }
# seen N HASH: so often, now or soon
seen() {
    for _ in $(seq 3000); do
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
launch_on kms
ready
export CASEMATE_SERVER=$dir/admin.json
first=$(hash_of)
seen 1 "$first"
casemate audit tail --tenant system -n 900 | has 'DeviceSeen.*hsm.*root.*SoftHSM.*kms.*' || die 'the token is not named'
finish
pin "$first"
launch_on kms
ready
seen 2 "$first"
keyd=$(sed -n 's/.*keyd_started pid=//p' "$WORK/log" | tail -1)
kill -9 "$keyd"
seen 3 "$first"
finish

# ---- another file: not the one that was configured
printf '\0' >>"$module"
second=$(hash_of)
launch_on kms
for _ in $(seq 3000); do
    grep -q HSM_MODULE_OTHER "$WORK/log" && break
    sleep 0.1
done
grep -q HSM_MODULE_OTHER "$WORK/log" || die "another module was loaded: $(tail -5 "$WORK/log")"
admin /readyz | has '"ready":true' && die 'ready with another module'
finish

# ---- and once it is configured, in the log as what it is
pin "$second"
launch_on kms
ready
seen 1 "$second"
seen 3 "$first"
finish
echo 'ok'
