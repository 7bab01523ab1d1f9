#!/usr/bin/env bash
# attest verify on all recorded evidence: each set's verdict at its time, a refusal at another.
# shellcheck source=tests/e2e/lib.sh
. "$CASEMATE_SOURCE/tests/e2e/lib.sh"
TEE=${CASEMATE_VECTORS:-$CASEMATE_SOURCE/../shared/vectors}/tee
[ -d "$TEE" ] || { echo "SKIP: no recorded evidence at $TEE"; exit 77; }

# set FILE EXIT LINE TIME WRONG-TIME [OPTION...]: with every skip allowed LINE is in the output;
# without, the same evidence is not enough; at the wrong time it is refused.
sets=0
set_() {
    local file=$1 code=$2 line=$3 at=$4 other=$5
    shift 5
    expect "$code" "$line" casemate attest verify "$file" --at "$at" --may-skip all "$@"
    if [ "$code" = 0 ]; then
        expect 3 'ATTEST_INCOMPLETE' casemate attest verify "$file" --at "$at" "$@"
    fi
    expect 3 'FAIL  chain' casemate attest verify "$file" --at "$other" --may-skip all "$@"
    sets=$((sets + 1))
}
# The same without what lies beside it: the quote carries its own certificates.
alone() {
    local file=$1
    shift
    set_ "$file" "$@" --alone
}

S=$TEE/snp
set_ "$S/v2-milan-gosev/report.bin" 3 'refused: debug' 2024-01-01 2021-01-01
set_ "$S/v2-milan-gosev/report.bin" 0 'TCB status: up to date' 2024-01-01 2031-01-01 \
    --allow-debug --snp-floor snp=5,ucode=68
set_ "$S/v2-milan-trustee/report.bin" 0 'TCB status: pending' 2024-01-01 2031-01-01 --snp-floor bl=3
set_ "$S/v3-milan-vlek-aws/report.bin" 0 'verified' 2025-06-01 2026-06-01 --vmpl 1
set_ "$S/v3-milan-vlek-aws/report.bin" 3 'FAIL  privilege' 2025-06-01 2024-06-01
set_ "$S/v3-milan-dstack/report.bin" 0 'PASS  fresh' 2026-07-01 2026-05-01 \
    --report-data "$(printf attest-test-fixture-2026 | od -An -tx1 | tr -d ' \n')"
for s in milan genoa turin; do
    set_ "$(echo "$S"/v?-$s-aci/report.bin)" 0 'verified' 2026-06-01 2026-01-01
done
set_ "$S/v5-turin-aci/report.bin" 3 'FAIL  tcb ' 2026-06-01 2034-01-01 --snp-floor snp=5

T=$TEE/tdx
set_ "$T/v4-uptodate/quote.bin" 0 'TCB status: up to date' 2025-07-01 2020-01-01
expect 3 'refused: revocation, quoting, collateral' \
    casemate attest verify "$T/v4-uptodate/quote.bin" --at 2026-11-01 --may-skip all
set_ "$T/v5-td15-no-tcb-level/quote.bin" 3 'FAIL  tcb ' 2026-03-01 2034-01-01
set_ "$T/v5-td15-gcp/quote.bin" 0 'TCB status: up to date' 2026-02-20 2020-01-01 \
    -c "$T/v5-td15-gcp/collateral" -c "$T/v5-td15-no-tcb-level/collateral"
alone "$T/v4-gcp-spr-e4/quote.bin" 0 'verified' 2025-06-20 2034-01-01
alone "$T/v4-debug-td/quote.bin" 3 'refused: debug' 2025-06-20 2034-01-01
alone "$T/v5-td15-service-td/quote.bin" 3 'FAIL  guest-policy' 2025-06-20 2034-01-01
alone "$T/v4-azure-no-sept-ve/quote.bin" 0 'verified' 2025-06-20 2034-01-01
alone "$T/v4-tdx-quote/quote.bin" 0 'verified' 2025-06-20 2034-01-01
set_ "$T/v4-ccel-cos113/quote.bin" 0 'PASS  events' 2025-06-20 2034-01-01
set_ "$TEE/sgx/v3-sgx/quote.bin" 3 'refused: tcb' 2025-07-01 2020-01-01
set_ "$TEE/sgx/v3-sgx/quote.bin" 0 'PASS  tcb' 2025-07-01 2020-01-01 \
    --accept-tcb 'configuration and software hardening needed'

N=$TEE/nitro
set_ "$N/prod-2021/doc.cbor" 0 'verified' 2021-03-17T22:02:00Z 2021-03-18T04:00:00
# Each at the second that it names itself.
for s in prod-2021-pubkey prod-2025-indef debug-2024-full debug-2025-indef; do
    casemate attest verify "$N/$s/doc.cbor" --at 1 --json >seen 2>/dev/null || true
    at=$(python3 -c 'import json; e = json.loads(open("seen").readline())
print(e["claims"]["timestamp_ms"] // 1000)')
    case $s in
    prod*) set_ "$N/$s/doc.cbor" 0 'verified' "$at" $((at + 86400)) --max-age 60 ;;
    *) set_ "$N/$s/doc.cbor" 3 'refused: debug' "$at" $((at - 86400)) ;;
    esac
done
# Azure's vTPM: the paravisor's report and what came with it. A software TPM's key is no maker's.
A=$TEE/azure-vtpm
azure() {
    local d=$A/$1
    shift
    set_ "$d/hcl_report.bin" "$@" --part "quote=$d/tpm_quote.msg" \
        --part "signature=$d/tpm_quote.sig" --part "pcrs=$d/pcrs_sha256.bin"
}
azure snp-genoa 0 'PASS  signature' 2026-06-01 2050-01-01 -c "$S/roots/genoa"
azure snp-milan-v1 0 'PASS  signature' 2025-06-01 2050-01-01 -c "$S/roots/milan"
azure tdx 0 'PASS  signature' 2025-06-20 2050-01-01 --part "td-quote=$A/tdx/td_quote.bin"
P=$TEE/tpm2/swtpm-2026
expect 3 'PASS  signature' casemate attest verify "$P/quote.msg" --at 2026-12-01 --may-skip all --alone \
    --part "signature=$P/quote.sig" --part "ak=$P/ak_tpm2b_public.bin" --part "pcrs=$P/quote_pcrs.bin"
for bad in moon=x quote "quote=$P/nonce.bin --part quote=$P/nonce.bin"; do
    # shellcheck disable=SC2086
    expect 2 'CLI_USAGE' casemate attest verify "$P/quote.msg" --part $bad
done
[ "$sets" -ge 28 ] || die "only $sets sets were judged"

# A GPU's reference manifests, imported from the vendor's XML, which no other program reads.
G=$TEE/nvidia/hopper-550.90.07-full
casemate attest rim import "$G"/rim/*.xml --out gpu.rim --at 2025-08-21 --json >seen
json seen 'sum(m["measurements"] for m in e[0]["manifests"]) == 33'
gpu() { casemate attest verify "$G/report.bin" --at 2025-08-21T12:00:00 --may-skip all "$@"; }
expect 0 'PASS  measurement' gpu --rim gpu.rim
expect 0 'SKIP  measurement' gpu -c gpu.rim
expect 3 'refused: measurement' gpu --measurement "$(printf '%064d' 0)" -c gpu.rim
expect 0 'NV_GPU_VBIOS_1010_0200_882_96009F0001: 12' casemate attest rim show gpu.rim
for f in "$TEE"/nvidia/negative-rim/*.xml; do
    expect 3 'RIM_SIGNER' casemate attest rim import "$f" --out bad.rim --at 2025-08-21
done
expect 3 'over at that time' casemate attest rim import "$G"/rim/*.xml --out bad.rim --at 2026-11-01
absent bad.rim
expect 0 'PASS  revocation' gpu -c "$G/ocsp"
expect 3 'refused: revocation' casemate attest verify "$G/report.bin" --at 2025-08-23 \
    --may-skip all -c "$G/ocsp"
for p in "$CASEMATE_KMSD" "$CASEMATE_KEYD"; do
    ! grep -qF 'xmldsig' "$p" || die "$p reads XML"
done
expect 5 'RIM_FORM' casemate attest rim show "$G/report.bin"

# Android: a chain is its own evidence; dates of factory certificates do not count.
expect 3 'refused: debug' casemate attest verify "$TEE/android/blueline/sdk28/SB_RSA_NONE.pem" \
    --at 2026-06-01 --may-skip all
# The vendor's status list, known by what it holds; its file's date is its age.
P=$TEE/android/blueline/sdk28/SB_RSA_NONE.pem
phone() { casemate attest verify "$P" --allow-debug --may-skip all "$@"; }
serial=$(openssl x509 -in "$P" -noout -serial | sed 's/serial=0*//' | tr A-F a-f)
echo '{"entries": {"123abc": {"status": "REVOKED", "reason": "KEY_COMPROMISE"}}}' >fine.json
echo "{\"entries\": {\"$serial\": {\"status\": \"SUSPENDED\"}}}" >bad.json
expect 0 'SKIP  revocation' phone
expect 0 'PASS  revocation' phone -c fine.json --status-age 3600
expect 3 'refused: revocation' phone -c bad.json
touch -d '2 days ago' fine.json
expect 3 'refused: revocation' phone -c fine.json --status-age 3600

# What is asked for is compared; several files; the answer for programs.
R=$S/v3-genoa-aci/report.bin
M=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["measurement"])' \
    "$S/v3-genoa-aci/expected.json")
expect 0 'PASS  measurement' casemate attest verify "$R" --at 2026-06-01 -m 00 -m "$M" --may-skip all
expect 3 'refused: measurement' casemate attest verify "$R" --at 2026-06-01 -m 00 --may-skip all
expect 3 'refused: chip' casemate attest verify "$R" --at 2026-06-01 --chip 00 --may-skip all
expect 3 'refused: config' casemate attest verify "$R" --at 2026-06-01 --config 00 --may-skip all
expect 3 'FAIL  fresh' casemate attest verify "$R" --at 2026-06-01 --nonce 01 --may-skip all
expect 3 'refused: debug' casemate attest verify "$R" "$S/v2-milan-gosev/report.bin" \
    --at 2026-06-01 --may-skip all
casemate attest verify "$R" --at 2026-06-01 --may-skip all --json >seen
json seen 'e[0]["kind"] == "snp" and e[0]["verdict"] == "verified" and e[0]["tcb"] == "unknown"'
json seen "e[0]['claims']['measurement'] == '$M'"
json seen '{c["check"]: c["verdict"] for c in e[0]["checks"]}["signature"] == "PASS"'

# One changed bit, of the evidence and of a certificate; a file that is cut; the wrong chip's.
cp "$S"/v3-genoa-aci/{report.bin,vcek.der} .
expect 3 'FAIL  chain' casemate attest verify report.bin --at 2026-06-01 --may-skip all
expect 0 'verified' casemate attest verify report.bin --at 2026-06-01 --may-skip all \
    -c "$S/roots/genoa"
chmod u+w report.bin vcek.der
flip report.bin 100
expect 3 'FAIL  signature' casemate attest verify report.bin --at 2026-06-01 --may-skip all \
    -c "$S/roots/genoa"
flip report.bin 100
expect 3 'once' casemate attest verify report.bin --at 2026-06-01 --may-skip all \
    -c "$S/roots/genoa" -c "$S/v3-milan-aci/vcek.der"
bytes "$S/v3-genoa-aci/report.bin" 0 1183 >short.bin
expect 5 'ATTEST_KIND' casemate attest verify short.bin
expect 4 'NO_FILE' casemate attest verify absent
for bad in '--at yesterday' '--nonce xyz' '--may-skip nothing' '--accept-tcb fine' '--vmpl 4' \
    '--snp-floor kernel=1' '--nonce 00 --report-data 00'; do
    # shellcheck disable=SC2086
    expect 2 'CLI_USAGE' casemate attest verify "$R" $bad
done
