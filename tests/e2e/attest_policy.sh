#!/usr/bin/env bash
# attest policy: check, explain, diff, two people's signatures; recorded evidence under a policy.
# shellcheck source=tests/e2e/lib.sh
. "$CASEMATE_SOURCE/tests/e2e/lib.sh"
for who in alice bob carol; do another $who ML-DSA-65; done
another eve Ed25519
fp() { casemate key fingerprint "$1.pub"; }

# policy VERSION MEASUREMENT UNTIL SIGNER SIGNER
policy() {
    cat <<YAML
casemate_policy: 1
name: inference fleet
version: $1
signers:
  - {name: $4, key: "$(fp "$4")"}
  - {name: $5, key: "$(fp "$5")"}
evidence:
  snp:
    measurements:
      - value: "$2"
        name: image 1.4
        provenance: built by two from tag 1.4
        until: $3
    may_skip: [revocation, tcb, platform, config, chip, fresh]
YAML
}
M=5feee30d6d7e1a29f403d70a4198237ddfb13051a2d6976439487c609388ed7f98189887920ab2fa0096903a0c23fca1
policy 1 "$M" 2027-01-01 alice bob >one.yaml
policy 2 "$M" 2028-01-01 carol bob >two.yaml
expect 0 'version 1: well formed' casemate attest policy check one.yaml
expect 0 'nobody can debug' casemate attest policy explain one.yaml
expect 0 'until 2027-01-01' casemate attest policy explain one.yaml
expect 0 'no difference' casemate attest policy diff one.yaml one.yaml
expect 0 '+ version: 2' casemate attest policy diff one.yaml two.yaml
expect 0 '+ evidence.snp.measurements[0].until: 2028-01-01' casemate attest policy diff one.yaml two.yaml
expect 0 "- signers[0]: $(fp alice)" casemate attest policy diff one.yaml two.yaml
casemate attest policy diff one.yaml two.yaml --json >seen
json seen 'any(x["sign"] == "+" and x["path"] == "version" and x["value"] == "2" for x in e)'

# A fault is named with its place.
sed 's/may_skip/may_skp/' one.yaml >bad.yaml
expect 2 'bad.yaml:14:14: may_skp: there is no such key here' casemate attest policy check bad.yaml
printf 'a: *x\n' >bad.yaml
expect 5 'bad.yaml:1:4: aliases are not read here' casemate attest policy check bad.yaml

# Two people, of those whom the policy in force names.
for who in alice bob carol; do
    ok casemate attest policy sign two.yaml -k $who.pem -o two.$who
done
K=(-k alice.pub -k bob.pub -k carol.pub)
C=(casemate attest policy check two.yaml --before one.yaml "${K[@]}")
expect 0 'agreed to by two' "${C[@]}" --signature two.alice --signature two.bob
expect 3 'POLICY_SIGNATURES' "${C[@]}" --signature two.alice
expect 3 'POLICY_SIGNATURES' "${C[@]}" --signature two.alice --signature two.alice
expect 3 'POLICY_SIGNATURES' "${C[@]}"
expect 3 'POLICY_SIGNER' "${C[@]}" --signature two.alice --signature two.carol
expect 0 'agreed to by two' casemate attest policy check two.yaml "${K[@]}" \
    --signature two.carol --signature two.bob
expect 6 'POLICY_VERSION' casemate attest policy check two.yaml --before two.yaml "${K[@]}" \
    --signature two.carol --signature two.bob
expect 3 'POLICY_SIGNER' casemate attest policy sign two.yaml -k eve.pem -o two.eve
absent two.eve
cp two.yaml changed.yaml
echo '# looser' >>changed.yaml
expect 3 'CRYPT_SIGNATURE' casemate attest policy check changed.yaml --before one.yaml "${K[@]}" \
    --signature two.alice --signature two.bob
expect 2 'CLI_USAGE' casemate attest policy
expect 2 'CLI_USAGE' casemate attest policy loosen one.yaml
expect 2 'CLI_USAGE' casemate attest policy diff one.yaml

# What the schema has is what is read: every key of a rule has a meaning, every other has none.
S=$CASEMATE_SOURCE/docs/attest-policy.schema.json
keys=$(python3 -c 'import json, sys
print(*json.load(open(sys.argv[1]))[chr(36) + "defs"]["rule"]["properties"])' "$S")
[ "$(wc -w <<<"$keys")" -ge 15 ] || die "the schema has few keys: $keys"
for k in $keys other; do
    printf 'casemate_policy: 1\nname: p\nversion: 1\nevidence: {snp: {%s: {}}}\n' "$k" >key.yaml
    rc=0
    casemate attest policy check key.yaml >seen 2>&1 || rc=$?
    if [ "$k" = other ]; then grep -q 'no such key' seen || die "$k is read"; else
        ! grep -q 'no such key' seen || die "$k is in the schema alone"
    fi
    [ "$rc" = 2 ] || die "$k: exit $rc"
done

# Evidence.
TEE=${CASEMATE_VECTORS:-$CASEMATE_SOURCE/../shared/vectors}/tee
[ -d "$TEE" ] || { echo "no recorded evidence at $TEE: policies alone"; exit 0; }
R=$TEE/snp/v3-genoa-aci/report.bin
V=(casemate attest verify "$R" --policy one.yaml)
expect 0 'accepts the AMD SEV-SNP report of "image 1.4" for tier 2.' "${V[@]}" --at 2026-06-01
expect 3 'was accepted until a time that has come' "${V[@]}" --at 2027-01-01
expect 3 'the check fresh failed' "${V[@]}" --at 2026-06-01 --nonce 01
expect 3 'no rule for tdx evidence' "${V[@]}" "$TEE/tdx/v4-uptodate/quote.bin" --at 2026-06-01
expect 3 'the check measurement failed' casemate attest verify "$TEE/snp/v5-turin-aci/report.bin" \
    --policy one.yaml --at 2026-06-01
expect 3 'the check debug failed' casemate attest verify "$TEE/snp/v2-milan-gosev/report.bin" \
    --policy one.yaml --at 2026-06-01
expect 2 'has no place beside it' "${V[@]}" --at 2026-06-01 --may-skip all
"${V[@]}" --at 2026-06-01 --json >seen
json seen 'e[-1]["accepted"] is True and e[-1]["tier"] == 2'
