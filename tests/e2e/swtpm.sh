#!/usr/bin/env bash
# A TPM in software for the scripts: tpm_start NAME, tpm_stop, tpm_extend PCR. Emulated, and said so.
for tool in swtpm tpm2_pcrextend; do
    command -v "$tool" >/dev/null || {
        echo "SKIP: no $tool (swtpm, tpm2-tools)"
        exit 77
    }
done
tpm_pid=
tpm_dir=

# Named so in CASEMATE_TPM; its state is kept in the folder NAME. Registers begin anew.
tpm_start() {
    tpm_dir=$PWD/$1
    mkdir -p "$tpm_dir"
    rm -f "$tpm_dir/s" "$tpm_dir/s.ctrl"
    swtpm socket --tpm2 --tpmstate "dir=$tpm_dir" --flags not-need-init,startup-clear \
        --server "type=unixio,path=$tpm_dir/s" --ctrl "type=unixio,path=$tpm_dir/s.ctrl" \
        >"$tpm_dir/log" 2>&1 &
    tpm_pid=$!
    for _ in $(seq 3000); do
        if [ -S "$tpm_dir/s" ] && [ -S "$tpm_dir/s.ctrl" ]; then break; fi
        kill -0 "$tpm_pid" 2>/dev/null || die "swtpm ended: $(cat "$tpm_dir/log")"
        sleep 0.05
    done
    [ -S "$tpm_dir/s.ctrl" ] || die 'swtpm did not start'
    export CASEMATE_TPM="swtpm:path=$tpm_dir/s" TPM2TOOLS_TCTI="swtpm:path=$tpm_dir/s"
}

tpm_stop() {
    [ -z "$tpm_pid" ] || { kill -9 "$tpm_pid" && wait "$tpm_pid"; } 2>/dev/null || true
    tpm_pid=
}

tpm_extend() { tpm2_pcrextend "$1:sha256=$(printf '42%.0s' $(seq 32))" || die "PCR $1 not extended"; }
