#!/usr/bin/env bash
# attest measure: against an implementation of the same documents that shares no code, as an entry
# of a policy, and what it refuses.
# shellcheck source=tests/e2e/lib.sh
. "$CASEMATE_SOURCE/tests/e2e/lib.sh"
real=()
[ ! -r /usr/share/ovmf/OVMF.fd ] || real=(/usr/share/ovmf/OVMF.fd)
[ ${#real[@]} -gt 0 ] || echo 'no OVMF.fd here: only firmware of our own making'
ok python3 "$CASEMATE_SOURCE/tests/e2e/measure_check.py" "${real[@]}"

# An entry goes into a policy as it is.
M=(casemate attest measure snp -f own.fd -n 2 --cpu 0xa10f10)
{
    printf 'casemate_policy: 1\nname: measured\nversion: 1\n'
    "${M[@]}" --policy --name 'image 1.4' --until 2027-01-31
} >measured.yaml
value=$(sed -n 's/^      - value: "\(.*\)"/\1/p' measured.yaml)
"${M[@]}" --json >seen
json seen "e[0]['measurement'] == '$value' and e[0]['source'] == 'computed'"
expect 0 '"image 1.4" (casemate attest measure snp: firmware ' \
    casemate attest policy explain measured.yaml
expect 0 'until 2027-01-31' casemate attest policy explain measured.yaml
expect 0 'not checked against hardware' "${M[@]}"

# What means nothing is refused.
expect 2 'there is nothing measured as sgx: snp, tdx or tpm' casemate attest measure sgx -f own.fd
expect 2 '--firmware names the image' casemate attest measure snp
expect 2 'belong to a --kernel' "${M[@]}" --cmdline quiet
expect 2 'there is no processor Z80' casemate attest measure snp -f own.fd --cpu Z80
expect 2 'means nothing for tdx' casemate attest measure tdx -f own.fd -n 2
expect 2 'plain characters' "${M[@]}" --policy --name 'a"b'
head -c 8192 /dev/zero >blank.fd
expect 5 'MEASURE_NO_SEV' casemate attest measure snp -f blank.fd
expect 5 'MEASURE_NO_TDX' casemate attest measure tdx -f blank.fd
head -c 65000 own.fd >cut.fd
expect 5 'MEASURE_FIRMWARE' casemate attest measure snp -f cut.fd

# What a program is not.
head -c 4096 own.fd >no.efi
expect 5 'MEASURE_PE' casemate attest measure tdx --kernel no.efi
head -c 500 program.efi >no.efi
expect 5 'MEASURE_PE' casemate attest measure tdx --kernel no.efi

# A TD's recorded log leads to the registers of its quote; of a TPM's there is no quote.
TEE=${CASEMATE_VECTORS:-$CASEMATE_SOURCE/../shared/vectors}/tee
expect 5 'MEASURE_LOG' casemate attest measure tdx --event-log own.fd
if [ -d "$TEE/tdx/v4-ccel-cos113" ]; then
    S=$TEE/tdx/v4-ccel-cos113
    casemate attest measure tdx --event-log "$S/ccel_data.bin" --json >seen
    casemate attest verify "$S/quote.bin" --may-skip all --at 2025-01-01 --json >quote || :
    json seen 'len(e) == 44 and e[-1]["event"] == "replayed" and e[-1]["events"] == 43'
    for r in 0 1 2 3; do
        value=$(python3 -c 'import json,sys
print(json.load(open(sys.argv[1]))["body"]["rtmr" + sys.argv[2]])' "$S/expected.json" $r)
        json seen "e[-1]['rtmr$r'] == '$value'"
        grep -qF "$value" quote || die "RTMR$r is not in the quote"
    done
    json seen 'e[-1]["explained"] == 28'
    json seen 'any(x.get("type") == "EV_EFI_ACTION" and x["explained_by"] for x in e)'
    json seen 'all(x["explained_by"] is None for x in e if "APPLICATION" in x.get("type", ""))'
    cp "$S/ccel_data.bin" cut.bin
    truncate -s 3000 cut.bin
    expect 5 'MEASURE_LOG' casemate attest measure tdx --event-log cut.bin
    for log in "$TEE"/tpm2/eventlogs/*; do
        casemate attest measure tpm --event-log "$log" --json >seen || die "of $log: $(cat seen)"
        json seen 'e[-1]["event"] == "replayed" and e[-1]["pcr0"] and e[-1]["explained"] > 0'
    done
else
    echo "no recorded logs at $TEE"
fi
