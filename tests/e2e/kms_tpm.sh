#!/usr/bin/env bash
# A key server whose root is under the machine's TPM (emulated): it opens by itself at every start;
# after a register was extended it stays sealed and says which, and people's shares open it still,
# and put it under the registers of now. The suite that every key device has to pass.
# shellcheck source=tests/e2e/lib.sh
. "$CASEMATE_SOURCE/tests/e2e/lib.sh"
# shellcheck source=tests/e2e/swtpm.sh
. "$CASEMATE_SOURCE/tests/e2e/swtpm.sh"
# shellcheck source=tests/e2e/server.sh
. "$CASEMATE_SOURCE/tests/e2e/server.sh"
: "${dir:?}" "${server?}"
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; tpm_stop; wait 2>/dev/null || true' EXIT

# until_log N TEXT: N lines of the log have it
until_log() {
    for _ in $(seq 3000); do
        [ "$(grep -cF -- "$2" "$WORK/log")" -lt "$1" ] || return 0
        sleep 0.1
    done
    die "not $1 times \"$2\": $(tail -20 "$WORK/log")"
}

tpm_start one
casemate hsm status --tpm pcr=7,11 >said 2>&1 || {
    grep -qE 'has no support for TPMs|are not installed' said || die "$(cat said)"
    echo "SKIP: $(cat said)"
    exit 77
}
grep -q '^root key  hsm-wrapped' said || die "$(cat said)"
casemate hsm test --tpm pcr=7,11 >said 2>&1 || die "$(cat said)"
grep -q '| yes | yes | no | no | no | no | no | no | no | no | no | hsm-wrapped |' said || die "$(cat said)"
expect 2 'selects no registers' casemate hsm status --tpm pcr=99

# ---- a server whose root is under it; again at the next start, and after another boot
launch --hsm-tpm pcr=7,11
ready
absent "$dir/passphrase"
export CASEMATE_SERVER=$dir/admin.json
ok casemate key create k --type ML-DSA-65
casemate key sign k --data x --out first >/dev/null
until_in_log() {
    for _ in $(seq 3000); do
        ! casemate audit tail --tenant system -n 50 | has 'DeviceSeen.*TPM' || return 0
        sleep 0.1
    done
    die 'the TPM is not in the log'
}
until_in_log
finish
launch
ready
ok casemate key sign k --data x
finish
tpm_stop
tpm_start one
launch
ready
ok casemate key sign k --data x

# ---- the way to the TPM breaks: a new process finds it again at the next start of keyd
finish

# ---- a register is extended: sealed, and the log says which
tpm_extend 11
launch
until_log 1 unseal_failed
until_log 1 'these registers differ: 11'
admin /readyz | has '"ready":true' && die 'ready with other registers'
casemate unseal --share-file <(head -2 shares) >said 2>&1 || die "the shares do not open it: $(cat said)"
ready
ok casemate key sign k --data x
finish

# ---- put under the registers of now by the shares, it opens by itself again
"$CASEMATE_KMSD" --config "$dir/kmsd.yaml" --rewrap --shares-file shares >>"$WORK/log" 2>&1 ||
    die "not rewrapped: $(tail -3 "$WORK/log")"
launch
ready
ok casemate key sign k --data x
finish

# ---- another TPM
tpm_stop
tpm_start two
launch
until_log 2 unseal_failed
until_log 1 'sealed by another TPM'
finish
echo ok
