#!/usr/bin/env bash
# attest evidence from devices that stand in: configfs-tsm in user space (emulated), NVIDIA's
# library (simulated), a software TPM (emulated); and attest verify of what they gave, together.
# shellcheck source=tests/e2e/lib.sh
. "$CASEMATE_SOURCE/tests/e2e/lib.sh"
TEE=${CASEMATE_VECTORS:-$CASEMATE_SOURCE/../shared/vectors}/tee
[ -d "$TEE" ] || { echo "SKIP: no recorded evidence at $TEE"; exit 77; }
cd "$WORK" || exit 1
NONCE=$(printf '%064x' 17)
mkdir tsm

pid=
unmount() {
    mountpoint -q tsm && { umount tsm || umount -l tsm; }
    [ -z "$pid" ] || wait "$pid" 2>/dev/null || true
    pid=
}
tpm_pid=
cleanup() {
    unmount
    [ -z "$tpm_pid" ] || { kill "$tpm_pid" && wait "$tpm_pid"; } 2>/dev/null || true
}
trap cleanup EXIT

# mount_tsm PROVIDER REPORT OFFSET RACES
mount_tsm() {
    unmount
    "$CASEMATE_FUSE_TSM" "$1" "$2" "$3" "$4" tsm -f -s >fuse.log 2>&1 &
    pid=$!
    for _ in $(seq 3000); do
        mountpoint -q tsm && return 0
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.1
    done
    pid=
    return 1
}

expect 2 'takes --nonce' casemate attest evidence --tsm-root tsm
expect 2 '32 bytes' casemate attest evidence --tsm-root tsm --nonce 00 --bind role=client
expect 2 '--bind takes' casemate attest evidence --tsm-root tsm --nonce "$NONCE" --bind other=x
expect 4 'GATHER_TSM_ABSENT' casemate attest evidence --tsm-root none --nonce "$NONCE"

# ---- GPUs alone, then bound (simulated)

GPU=
for d in "$TEE"/nvidia/*/; do
    case $d in *bad-signature*) ;; *) [ -f "$d/chain.pem" ] && GPU=$d && break ;; esac
done
[ -n "$GPU" ] || die "no recorded GPU"
export MOCK_NVML_FOLDER=$GPU
gpus() { casemate attest evidence --gpu --nvml "$CASEMATE_MOCK_NVML" "$@"; }
judge() { casemate attest verify "$@" --at 2026-07-01 --may-skip all; }
recorded=$(bytes "$GPU/report.bin" 4 32 | od -An -v -tx1 | tr -d ' \n')
ok gpus --nonce "$recorded" -o gpu.set --json
expect 0 'PASS  fresh' judge gpu.set --nonce "$recorded"
expect 3 'FAIL  fresh' judge gpu.set --nonce "$NONCE"
expect 6 'FILE_EXISTS' gpus --nonce "$recorded" -o gpu.set
gpus --nonce "$recorded" >piped 2>/dev/null
same piped gpu.set
# Bound, the two carry nonces of their own, and no other binding's.
ok gpus --nonce "$NONCE" --bind role=server -o bound.set
judge bound.set --nonce "$NONCE" --bind role=server >out || true
[ "$(grep -c 'PASS  fresh' out)" = 2 ] || die "$(cat out)"
judge bound.set --nonce "$NONCE" --bind role=client >out || true
[ "$(grep -c 'FAIL  fresh' out)" = 2 ] || die "$(cat out)"

# ---- configfs-tsm (emulated)

if [ -z "${CASEMATE_FUSE_TSM:-}" ] || ! mount_tsm none "$TEE/snp/v3-milan-dstack/report.bin" 80 0; then
    echo "SKIP of a part: configfs-tsm can't be emulated here (libfuse3-dev, /dev/fuse, root)"
else
    tsm() { casemate attest evidence --tsm-root tsm "$@"; }
    expect 4 'GATHER_TSM_NONE' tsm --nonce "$NONCE"
    S=$TEE/snp/v3-milan-dstack
    mount_tsm sev_guest "$S/report.bin" 80 3
    data=$(bytes "$S/report.bin" 80 64 | od -An -v -tx1 | tr -d ' \n')
    # Over the data that were recorded the signature holds; three disturbed attempts were not used.
    expect 0 '4 attempts' tsm --nonce "$data" -o snp
    [ -z "$(ls tsm)" ] || die "an entry stayed: $(ls tsm)"
    expect 0 'PASS  signature' casemate attest verify snp --report-data "$data" -c "$S" -c "$TEE/snp/roots/milan" \
        --at 2026-07-01 --may-skip all
    tsm --nonce "$data" 2>/dev/null |
        casemate attest verify - --report-data "$data" -c "$S" -c "$TEE/snp/roots/milan" \
            --at 2026-07-01 --may-skip all >/dev/null
    # Over others it is fresh, and not signed.
    ok tsm --nonce "$NONCE" --bind role=client -o other
    expect 3 'PASS  fresh' judge other -c "$S" --nonce "$NONCE" --bind role=client
    expect 3 'refused: signature' judge other -c "$S" -c "$TEE/snp/roots/milan" --nonce "$NONCE" --bind role=client

    # AT-105: a processor with its devices; then the devices of another.
    expect 0 '' casemate attest evidence --tsm-root tsm --gpu --nvml "$CASEMATE_MOCK_NVML" \
        --nonce "$data" -o both
    judge both --report-data "$data" -c "$S" -c "$TEE/snp/roots/milan" >out || true
    [ "$(grep -c 'PASS  fresh' out)" = 3 ] || die "$(cat out)"
    judge snp gpu.set --report-data "$data" -c "$S" -c "$TEE/snp/roots/milan" >out && die 'cross-bound'
    [ "$(grep -c 'FAIL  fresh' out)" = 2 ] || die "$(cat out)"
    expect 2 "before that of its devices" judge gpu.set snp --nonce "$recorded"

    mount_tsm tdx_guest "$TEE/tdx/v4-gcp-spr-e4/quote.bin" 568 1
    ok tsm --nonce "$NONCE" -o tdx
    expect 3 'PASS  fresh' judge tdx --nonce "$NONCE"
    mount_tsm sev_guest "$S/report.bin" 80 1000
    expect 6 'GATHER_TSM_RACE' tsm --nonce "$NONCE"
    [ -z "$(ls tsm)" ] || die "an entry stayed: $(ls tsm)"
    mount_tsm arm_cca_guest "$S/report.bin" 80 0
    expect 5 'GATHER_TSM_PROVIDER' tsm --nonce "$NONCE"
    unmount
fi

# ---- a software TPM (emulated)

if ! command -v swtpm >/dev/null || ! command -v swtpm_setup >/dev/null; then
    echo "SKIP of a part: no swtpm"
    exit 0
fi
mkdir tpm
swtpm_setup --tpm2 --tpm-state "$WORK/tpm" --overwrite --pcr-banks sha256 >setup.log 2>&1 ||
    { tail -3 setup.log; echo "SKIP of a part: swtpm_setup can't make a TPM here"; exit 0; }

swtpm socket --tpm2 --tpmstate "dir=$WORK/tpm" --flags startup-clear,not-need-init \
    --server "type=unixio,path=$WORK/tpm/s,disconnect" \
    --ctrl "type=unixio,path=$WORK/tpm/s.ctrl" --log "file=$WORK/tpm.log" &
tpm_pid=$!
for _ in $(seq 3000); do
    [ -S tpm/s ] && [ -S tpm/s.ctrl ] && break
    kill -0 "$tpm_pid" || die "$(cat tpm.log)"
    sleep 0.1
done
TCTI=swtpm:path=$WORK/tpm/s
if ! casemate attest evidence --tcti "$TCTI" --nonce 00 --pcr 0 -o probe >/dev/null 2>probe.log; then
    grep -q 'TPM_NOT_BUILT\|TPM_LIBRARY' probe.log || die "no TPM: $(cat probe.log tpm.log)"
    echo "SKIP of a part: built without tpm2-tss, or it is not installed"
    exit 0
fi
quote() { casemate attest evidence --tcti "$TCTI" --pcr 7,11 "$@"; }
# Nobody vouches for this key: its chain fails, all that the quote itself says passes.
quote --nonce "$NONCE" | casemate attest verify - --nonce "$NONCE" --may-skip all >out || true
for check in signature fresh pcrs form; do
    grep -q "PASS  $check" out || die "$(cat out)"
done
name=$(sed -n 's/^  ak_name *//p' out)
[ -n "$name" ] || die "no name of the key: $(cat out)"
quote --nonce "$NONCE" --bind role=client | casemate attest verify - --nonce "$NONCE" \
    --bind role=client --chip "$name" --may-skip all >out || die "$(cat out)"
grep -q '^verified' out || die "$(cat out)"
expect 5 'ATTEST_KIND' casemate attest verify probe.log
