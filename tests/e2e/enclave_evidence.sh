#!/usr/bin/env bash
# What stands behind casemate enclave run, and enclave verify of it: nothing, a TPM (swtpm,
# emulated), a processor's evidence (configfs-tsm in user space, emulated; then minted).
# shellcheck source=tests/e2e/lib.sh
. "$CASEMATE_SOURCE/tests/e2e/lib.sh"
cd "$WORK" || exit 1
pids=()
cleanup() {
    mountpoint -q tsm 2>/dev/null && { umount tsm || umount -l tsm; }
    local p
    for p in "${pids[@]}"; do
        { kill "$p" && wait "$p"; } 2>/dev/null || true
    done
}
trap cleanup EXIT
with_keys
cp "$CASEMATE_PAYLOAD_DYNAMIC" infer
another signer ml-dsa-65
another stranger ml-dsa-65
N=$(printf '%064x' 7)
OTHER=$(printf '%064x' 8)
ok casemate enclave manifest -o m.man -- ./infer sum
ok casemate enclave manifest -o other.man -- ./infer whole
digest=$(sha256sum <m.man | cut -d' ' -f1)
: >request
export TSS2_LOG=all+none # its library would write between the events
# verify MANIFEST OPTIONS...: by whatever program is named
verify() { "${CASEMATE_BY:-casemate}" enclave verify "$@"; }

# ---- a machine without: nothing is claimed, and nothing is asked for in vain

if [ ! -e /dev/tpmrm0 ] && [ ! -e /dev/nsm ] && [ ! -e /sys/kernel/config/tsm/report ]; then
    casemate enclave run --json --request request -o a.out -- ./infer sum >log 2>events || die "$(cat events)"
    json events 'all(x["simulated"] and x["tier"] == "simulated" for x in e if "tier" in x) and len(e) > 1'
fi
expect 2 'takes --nonce' verify m.man --evidence request
expect 5 'ATTEST_KIND' verify m.man --evidence m.man --nonce "$N"

# ---- a TPM (emulated)

# until TEXT COMMAND...: it works, at last
until_it() {
    local what=$1
    shift
    for _ in $(seq 3000); do
        "$@" && return 0
        sleep 0.1
    done
    die "$what"
}

# until_served LOG PID: the program runs
until_served() {
    # shellcheck disable=SC2317
    served() { [ -S e.sock ] && grep -q '"started"' "$1"; }
    for _ in $(seq 3000); do
        served "$1" && return 0
        kill -0 "$2" 2>/dev/null || die "$(cat "$1")"
        sleep 0.1
    done
    die "$(cat "$1")"
}

tpm_part() {
    command -v swtpm >/dev/null && command -v swtpm_setup >/dev/null || {
        echo 'SKIP of a part: no swtpm'
        return 0
    }
    mkdir tpm
    swtpm_setup --tpm2 --tpm-state "$WORK/tpm" --overwrite --pcr-banks sha256 >setup.log 2>&1 || {
        tail -3 setup.log
        echo "SKIP of a part: swtpm_setup can't make a TPM here"
        return 0
    }
    swtpm socket --tpm2 --tpmstate "dir=$WORK/tpm" --flags startup-clear,not-need-init \
        --server "type=unixio,path=$WORK/tpm/s,disconnect" \
        --ctrl "type=unixio,path=$WORK/tpm/s.ctrl" >tpm.log 2>&1 &
    pids+=("$!")
    until_it 'swtpm did not start' test -S tpm/s.ctrl
    until_it 'swtpm did not start' test -S tpm/s
    local t=swtpm:path=$WORK/tpm/s rc=0 key name
    casemate enclave run --tpm "$t" --pcr 14 -- ./infer true >said 2>&1 || rc=$?
    if grep -qE 'TPM_NOT_BUILT|TPM_LIBRARY' said; then
        echo 'SKIP of a part: no tpm2-tss here'
        return 0
    fi
    [ $rc = 0 ] || die "$(cat said)"
    grep -q 'SIMULATED: the TPM .* is emulated' said || die "no word of emulation: $(cat said)"
    ! casemate enclave run --tpm swtpm:path=/nonexistent/s -- ./infer true >said 2>&1 ||
        die 'it runs without the register that was asked for'

    # EN-26, EN-61: extended before it runs, quoted, and judged offline
    run=(casemate enclave run --tpm "$t" --pcr-log log.15)
    "${run[@]}" --json --evidence ev --nonce "$N" --request request -o a2.out -- ./infer sum \
        >log 2>events || die "$(cat events)"
    json events 'any(x["event"] == "started" and x["tier"] == "measured" and x["emulated"] and x["simulated"] and x["pcr"] == 15 for x in e)'
    json events 'any(x["event"] == "evidence" and x["kind"] == "tpm" and x["emulated"] for x in e)'
    [ "$(cat log.15)" = "15 $digest" ] || die "the log: $(cat log.15)"
    expect 3 'FAIL  chain' verify m.man --evidence ev --nonce "$N" --may-skip all
    casemate attest verify ev --may-skip all >shown 2>&1 || true
    name=$(sed -n 's/^  ak_name *//p' shown)
    [ -n "$name" ] || die 'no name of the attestation key'
    key=(--may-skip all --chip "$name")
    expect 3 'FAIL  tier      measured' verify m.man --evidence ev --nonce "$N" "${key[@]}"
    expect 0 'it holds this manifest and nothing else' verify m.man --evidence ev --nonce "$N" \
        "${key[@]}" --allow-emulated
    verify m.man --evidence ev --nonce "$N" "${key[@]}" --allow-emulated --json >events || die 'refused'
    json events 'any(x["event"] == "tier" and x["tier"] == "measured" and x["emulated"] for x in e)'
    # incomplete, stale, of another manifest, register or key: no
    expect 3 'ENCLAVE_EVIDENCE' verify m.man --evidence ev --nonce "$N" --chip "$name" --allow-emulated
    expect 3 'FAIL  fresh' verify m.man --evidence ev --nonce "$OTHER" "${key[@]}" --allow-emulated
    expect 3 'FAIL  fresh' verify other.man --evidence ev --nonce "$N" "${key[@]}" --allow-emulated
    expect 3 'FAIL  register' verify m.man --evidence ev --nonce "$N" "${key[@]}" --allow-emulated --pcr 14
    expect 3 'FAIL  fresh' verify m.man --evidence ev --nonce "$N" "${key[@]}" --allow-emulated \
        --answers signer.pub

    # EN-63: another program in the same register: only the log explains it
    ok "${run[@]}" -- ./infer true
    ok "${run[@]}" --evidence ev2 --nonce "$N" --request request -o b.out -- ./infer sum
    expect 3 'something else than this manifest alone' verify m.man --evidence ev2 --nonce "$N" \
        "${key[@]}" --allow-emulated
    expect 0 'its log leads to what it holds' verify m.man --evidence ev2 --nonce "$N" "${key[@]}" \
        --allow-emulated --pcr-log log.15
    head -1 log.15 >short
    expect 3 'something else than its log says' verify m.man --evidence ev2 --nonce "$N" "${key[@]}" \
        --allow-emulated --pcr-log short
    sed -n 2p log.15 >others.log
    expect 3 'does not have this manifest' verify m.man --evidence ev2 --nonce "$N" "${key[@]}" \
        --allow-emulated --pcr-log others.log
    printf '15 %s' "$digest" >cut.log
    expect 5 'ENCLAVE_LOG' verify m.man --evidence ev2 --nonce "$N" "${key[@]}" --allow-emulated \
        --pcr-log cut.log

    # EN-53: evidence for a caller, bound to its nonce and to the key that signs answers
    "${run[@]}" --json --socket e.sock -k signer.pem -- ./infer sum >served.log 2>&1 &
    local server=$!
    pids+=("$server")
    until_served served.log $server
    casemate enclave call --socket e.sock --manifest "$digest" --signed-by signer.pub --evidence ev3 \
        --nonce "$OTHER" 2>said || die "$(cat said)"
    grep -q "^nonce     $OTHER" said || die "$(cat said)"
    expect 0 '' casemate enclave call --socket e.sock --signed-by signer.pub --request request -o c.out
    expect 0 'PASS  fresh' verify m.man --evidence ev3 --nonce "$OTHER" "${key[@]}" --allow-emulated \
        --pcr-log log.15 --answers signer.pub
    expect 3 'FAIL  fresh' verify m.man --evidence ev3 --nonce "$OTHER" "${key[@]}" --allow-emulated \
        --pcr-log log.15 --answers stranger.pub
    expect 3 'ENCLAVE_RESULT' casemate enclave call --socket e.sock --signed-by stranger.pub --evidence ev4
    absent ev4
    kill -TERM $server
    wait $server || true
}
tpm_part

# ---- a processor's evidence: configfs-tsm (emulated), then minted under test roots

"$CASEMATE_MINT" snp-v3-genoa --out base --at 1800000000 --nonce "$N" >said
mkdir tsm
mount_tsm() {
    [ -n "${CASEMATE_FUSE_TSM:-}" ] || return 1
    "$CASEMATE_FUSE_TSM" sev_guest base/evidence.bin 80 0 tsm -f -s >fuse.log 2>&1 &
    local pid=$!
    pids+=("$pid")
    for _ in $(seq 3000); do
        mountpoint -q tsm && return 0
        kill -0 $pid 2>/dev/null || return 1
        sleep 0.1
    done
    return 1
}
if ! mount_tsm; then
    echo "SKIP of a part: configfs-tsm can't be emulated here (libfuse3-dev, /dev/fuse, root)"
else
    run=(casemate enclave run --pcr none --tsm-root tsm)
    "${run[@]}" --json --request request -o d.out -- ./infer sum >log 2>events || die "$(cat events)"
    json events 'all(x["tier"] == "simulated" for x in e if "tier" in x)'
    "${run[@]}" --json --evidence snp --nonce "$N" --request request -o e.out -- ./infer sum >log 2>events ||
        die "$(cat events)"
    json events 'any(x["event"] == "started" and x["tier"] == "confidential-guest" and x["emulated"] and x["simulated"] for x in e)'
    # Fresh and of this manifest; but the stand-in signs nothing.
    expect 3 'PASS  fresh' verify m.man --evidence snp --nonce "$N" --may-skip all --at 1800000000
    expect 3 'ENCLAVE_EVIDENCE' verify m.man --evidence snp --nonce "$N" --may-skip all --at 1800000000
    casemate attest verify snp --may-skip all --json >shown 2>/dev/null || true
    data=$(python3 -c 'import json; print(json.loads(open("shown").readline())["claims"]["report_data"])')
    "$CASEMATE_MINT" snp-v3-genoa --out made --at 1800000000 --nonce "$data" >said
    how=(--at 1800000000 --may-skip all)
    CASEMATE_BY=$CASEMATE_CLI_TESTROOTS
    expect 0 'PASS  tier      confidential-guest' verify m.man --evidence made/evidence.bin --nonce "$N" "${how[@]}"
    expect 3 'FAIL  fresh' verify other.man --evidence made/evidence.bin --nonce "$N" "${how[@]}"
    expect 3 'FAIL  fresh' verify m.man --evidence made/evidence.bin --nonce "$OTHER" "${how[@]}"
    expect 3 'ENCLAVE_EVIDENCE' verify m.man --evidence made/evidence.bin --nonce "$N" --at 1800000000
    CASEMATE_BY=
    expect 3 'FAIL  chain' verify m.man --evidence made/evidence.bin --nonce "$N" "${how[@]}"
fi
echo 'enclaves: what stands behind them is said, and checked'
