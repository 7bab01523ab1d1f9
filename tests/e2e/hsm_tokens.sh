#!/usr/bin/env bash
# The conformance suite on software tokens that are not ours, through casemate-p11d in its sandbox:
# openCryptoki and NSS as this system has them, and as Debian sid has them, with ML-DSA and ML-KEM
# in the token; and sid's YubiHSM module over an emulated device.
# shellcheck source=tests/e2e/lib.sh
. "$CASEMATE_SOURCE/tests/e2e/lib.sh"
# shellcheck source=tests/e2e/soft_tokens.sh
. "$CASEMATE_SOURCE/tests/e2e/soft_tokens.sh"
tokens_alone
trap 'opencryptoki_down ""; opencryptoki_down "$WORK/sid"' EXIT
ran=0

# conforms NAME FILE ROW: what hsm test printed
conforms() {
    grep -qxF -- "$3" "$2" || die "$1 is not as docs/hsm.md says:
$(cat "$2")"
    printf '%s: %s\n' "$1" "$(tail -1 "$2")"
    ran=$((ran + 1))
}

ock() { device "$1" "${@:2}" --module "$(module_in "$1" libopencryptoki.so.0)" --token kms; }

opencryptoki() {
    local root=$1 name=$2 row=$3
    opencryptoki_up "$root"
    ock "$root" test --persistent >"$WORK/out" || true
    ock "$root" init >/dev/null || die "no root key in $name: $(tail -3 "$WORK/p11d.log")"
    ock "$root" status >"$WORK/status" || true
    opencryptoki_down "$root"
    conforms "$name" "$WORK/out" "$row"
    grep -q '^root key  hsm-native' "$WORK/status" || die "no root key again in $name"
}

softokn() {
    local root=$1 name=$2 row=$3 dir=$4
    nss_up "$root" "$dir"
    nss "$root" "$dir" test --persistent >"$WORK/out" || true
    conforms "$name" "$WORK/out" "$row"
    nss "$root" "$dir" init >/dev/null || die "no root key in $name: $(tail -3 "$WORK/p11d.log")"
    nss "$root" "$dir" status | has '^root key  hsm-native' || die "no root key again in $name"
}

# H-44: secrets that come out of the token with a bit wrong, once or always, are held back.
lying_secrets() {
    local root=$1 times
    export CASEMATE_SHIM_MODULE CASEMATE_SHIM_FAULT=/fault
    CASEMATE_SHIM_MODULE=$(module_in "$root" libopencryptoki.so.0)
    cp "$CASEMATE_SHIM" "$root/shim.so"
    opencryptoki_up "$root"
    for times in 1 999; do
        echo "secret wrong 1 $times" >"$root/fault"
        device "$root" test --module /shim.so --token kms --write /var/lib/opencryptoki \
            --write /var/lock/opencryptoki --write /dev/shm --read /fault --read /etc/group \
            >"$WORK/lies.$times" || true
    done
    opencryptoki_down "$root"
    grep -q '^ML-KEM-768  *FAILS  HSM_WRONG' "$WORK/lies.999" || die "a lie: $(cat "$WORK/lies.999")"
    grep -q '^ML-KEM-1024  *FAILS  HSM_QUARANTINED' "$WORK/lies.999" || die 'asked again after a lie'
    # Once is enough for another try with a handle that was looked up, and that one is right.
    grep -q '^ML-KEM-768  *yes' "$WORK/lies.1" || die "one bit, once: $(cat "$WORK/lies.1")"
}

# YubiHSM's own module, and behind it a device of ours that does what is published of the real one.
yubihsm() {
    local root=$1 row=$2 module emulator args
    module=$(find "$root/usr/lib" -name yubihsm_pkcs11.so -printf '/usr/lib/%P\n')
    if [ -z "$module" ] || ! python3 -c 'import cryptography' 2>/dev/null; then
        echo "SKIP in part: no YubiHSM module, or no device for it (package python3-cryptography)"
        return
    fi
    python3 "$CASEMATE_SOURCE/tests/e2e/yubihsm_emulator.py" "$WORK/port" 2>"$WORK/yubihsm.log" &
    emulator=$!
    for _ in $(seq 3000); do [ -e "$WORK/port" ] || sleep 0.1; done
    echo 000148291648 >"$WORK/pin"
    args=(--module "$module" --token YubiHSM --network
        --init "connector=http://127.0.0.1:$(cat "$WORK/port")")
    device "$root" test --persistent "${args[@]}" >"$WORK/out" || true
    device "$root" init "${args[@]}" >/dev/null ||
        die "no root key in a YubiHSM: $(tail -3 "$WORK/p11d.log" "$WORK/yubihsm.log")"
    device "$root" status "${args[@]}" >"$WORK/status" || true
    kill "$emulator"
    echo 482916 >"$WORK/pin"
    conforms "YubiHSM's module over an emulated device" "$WORK/out" "$row"
    grep -q '^root key  hsm-native' "$WORK/status" || die "no root key again: $(cat "$WORK/status")"
}

# ---- this system's
if [ -x /usr/sbin/pkcsslotd ] && module_in '' libopencryptoki.so.0 >/dev/null; then
    opencryptoki '' "openCryptoki $(dpkg-query -Wf '${Version}' opencryptoki)" \
        '| IBM Corp., IBM SoftTok | yes | no | no | no | no | no | no | no | no | no | no | hsm-wrapped |'
else
    echo 'SKIP in part: no openCryptoki (package opencryptoki)'
fi
if command -v certutil >/dev/null && module_in '' libsoftokn3.so >/dev/null; then
    softokn '' "NSS $(dpkg-query -Wf '${Version}' libnss3)" \
        '| Mozilla Foundation, NSS 3 | yes | yes | no | no | no | no | no | yes | yes | no | no | hsm-wrapped |' "$WORK/nss"
else
    echo 'SKIP in part: no NSS (packages libnss3, libnss3-tools)'
fi

# ---- Debian sid's
if [ "${CASEMATE_SANITIZED:-}" = 1 ]; then
    echo "SKIP in part: a sanitizer does not know sid's C library"
elif sid_tokens "$WORK/sid"; then
    yubihsm "$WORK/sid" \
        '| Yubico (www.yubico.com), YubiHSM | yes | yes | yes | no | no | no | no | yes | yes | no | no | hsm-wrapped |'
    opencryptoki "$WORK/sid" "sid's openCryptoki" \
        '| IBM, Soft | yes | yes | yes | yes | yes | yes | yes | yes | yes | yes | yes | hsm-native, hsm-wrapped |'
    lying_secrets "$WORK/sid"
    softokn "$WORK/sid" "sid's NSS" \
        '| Mozilla Foundation, NSS 3 | yes | yes | no | yes | yes | yes | yes | yes | yes | yes | yes | hsm-native, hsm-wrapped |' /nss
else
    echo 'SKIP in part: no tokens of Debian sid (tools/get-tokens.sh)'
fi
[ "$ran" -gt 0 ] || {
    echo 'SKIP: no openCryptoki, no NSS'
    exit 77
}
