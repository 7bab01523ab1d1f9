#!/usr/bin/env bash
# attest reference: recorded CoRIMs; a manifest made, verified, shown; a policy that refers to it.
# shellcheck source=tests/e2e/lib.sh
. "$CASEMATE_SOURCE/tests/e2e/lib.sh"
for who in alice bob; do another $who ML-DSA-65; done
another eve Ed25519
TEE=${CASEMATE_VECTORS:-$CASEMATE_SOURCE/../shared/vectors}/tee
R=(casemate attest reference)

# Manifests.
M=5feee30d6d7e1a29f403d70a4198237ddfb13051a2d6976439487c609388ed7f98189887920ab2fa0096903a0c23fca1
cat >images.yaml <<YAML
casemate_policy: 1
name: images
version: 2
evidence:
  snp:
    measurements:
      - {value: "$M", name: image 1.4, provenance: built by two from tag 1.4}
YAML
S=("${R[@]}" sign images.yaml -k alice.pem --at 2026-01-01)
ok "${S[@]}" --until 2027-01-01 -o images.ref
expect 2 'one --key, --until and --out' "${S[@]}" -o other.ref
expect 2 'BAD_ARGUMENT' "${S[@]}" --until 2025-12-31 -o other.ref
expect 3 'POLICY_SIGNER' "${R[@]}" sign images.yaml -k eve.pem --until 2030-01-01 -o other.ref
absent other.ref
expect 6 'FILE_EXISTS' "${S[@]}" --until 2027-01-01 -o images.ref
expect 0 'images, version 2, until 2027-01-01' "${R[@]}" show images.ref
expect 0 "value: \"$M\"" "${R[@]}" show images.ref
expect 0 'and valid' "${R[@]}" verify images.ref -k alice.pub --at 2026-06-01
expect 3 'REFERENCE_SIGNER' "${R[@]}" verify images.ref -k bob.pub --at 2026-06-01
expect 3 'REFERENCE_EXPIRED' "${R[@]}" verify images.ref -k alice.pub --at 2027-01-01
expect 3 'REFERENCE_EXPIRED' "${R[@]}" verify images.ref -k alice.pub --at 2025-12-31
expect 2 'takes the --key' "${R[@]}" verify images.ref
cp images.ref bad.ref
flip bad.ref 100
expect 3 'CRYPT_SIGNATURE' "${R[@]}" show bad.ref
expect 5 'REFERENCE_FORM' "${R[@]}" show images.yaml
"${R[@]}" verify images.ref -k alice.pub --at 2026-06-01 --json >seen
json seen "e[0]['values'] == 1 and e[0]['signer'] == '$(casemate key fingerprint alice.pub)'"

# A policy that refers to it; without, or under another key or version, nothing is accepted.
refer() {
    cat <<YAML
casemate_policy: 1
name: fleet
version: 1
references:
  - {name: images, signer: "$(casemate key fingerprint "$1".pub)", version: $2}
evidence:
  snp:
    measurements: reference
    may_skip: [revocation, tcb, platform, config, chip, fresh]
YAML
}
refer alice 2 >fleet.yaml
refer bob 2 >bob.yaml
refer alice 3 >newer.yaml
expect 0 'Refers to the manifest "images" from version 2 on' \
    casemate attest policy explain fleet.yaml
if [ -d "$TEE/snp" ]; then
    V=(casemate attest verify "$TEE/snp/v3-milan-aci/report.bin" --at 2026-06-01)
    expect 0 'accepts' "${V[@]}" --policy fleet.yaml --reference images.ref
    expect 3 'POLICY_REFUSED' "${V[@]}" --policy fleet.yaml
    expect 3 'REFERENCE_SIGNER' "${V[@]}" --policy bob.yaml --reference images.ref
    expect 3 'REFERENCE_SIGNER' "${V[@]}" --policy newer.yaml --reference images.ref
    expect 3 'REFERENCE_EXPIRED' casemate attest verify "$TEE/snp/v3-milan-aci/report.bin" \
        --at 2027-01-01 --policy fleet.yaml --reference images.ref
    expect 2 'belongs to a --policy' "${V[@]}" --reference images.ref
fi

# Recorded CoRIMs (AP-43).
[ -d "$TEE/rats" ] || { echo "no recorded CoRIMs at $TEE"; exit 0; }
C=$TEE/rats
I=("${R[@]}" import "$C/corim-sevsnp-valid.cbor")
expect 3 'REFERENCE_UNSIGNED' "${I[@]}"
D=7699e6ac12ccdfd1dfac70e649ce1f046cb2afbb003438f4cdddfe2ccbe182fa5ffbe8dcdb930454324e10c52c788980
expect 0 "value: \"$D\"" "${I[@]}" --unsigned
expect 0 'signed by nobody' "${I[@]}" --unsigned
expect 0 'until: 2030-01-01T00:00:00Z' "${I[@]}" --unsigned --until 2030-01-01
{
    printf 'casemate_policy: 1\nname: imported\nversion: 1\n'
    "${I[@]}" --unsigned --until 2030-01-01
} >imported.yaml
expect 0 'until 2030-01-01' casemate attest policy explain imported.yaml
expect 5 'REFERENCE_FORM' "${R[@]}" import "$C/corim-sevsnp-bad-refval-key.cbor" --unsigned
expect 5 'REFERENCE_FORM' "${R[@]}" import "$C/corim-sevsnp-bad-ta-no-model.cbor" --unsigned
expect 5 'REFERENCE_NONE' "${R[@]}" import "$C/corim-unsigned-example.cbor" --unsigned
expect 0 'ACME RoadRunner' "${R[@]}" import "$C/corim-unsigned-example.cbor" --unsigned --kind sgx
expect 5 'REFERENCE_FORM' "${R[@]}" import "$C/cca-example-token.cbor" --unsigned
cp "$C/corim-sevsnp-valid.cbor" cut.cbor
truncate -s -1 cut.cbor
expect 5 'REFERENCE_FORM' "${R[@]}" import cut.cbor --unsigned
