#!/usr/bin/env bash
# Models sealed to this machine's TPM (emulated): opened while its registers are what they were;
# refused after one of them was extended, by another TPM and without any, each time in words;
# rewrapped to the TPM and away from it.
# shellcheck source=tests/e2e/lib.sh
. "$CASEMATE_SOURCE/tests/e2e/lib.sh"
# shellcheck source=tests/e2e/swtpm.sh
. "$CASEMATE_SOURCE/tests/e2e/swtpm.sh"
trap tpm_stop EXIT
with_keys
me=$CASEMATE_HOME/identity.pub
"$MAKE_MODEL" safetensors m.safetensors 2M
mv "$CASEMATE_HOME/identity.pem" away.pem
tpm_start one
casemate seal m.safetensors --to tpm:pcr=7,11 >said 2>&1 || {
    grep -qE 'has no support for TPMs|are not installed' said || die "$(cat said)"
    echo "SKIP: $(cat said)"
    exit 77
}

# opened, twice, and named
expect 0 'TPM, PCR 7,11' casemate inspect m.safetensors.sealed
for name in out again; do
    ok casemate open m.safetensors.sealed -o "$name"
    same m.safetensors "$name"
done
tpm_extend 16
ok casemate open m.safetensors.sealed -o other
same m.safetensors other

# another boot of the same machine
tpm_stop
tpm_start one
ok casemate open m.safetensors.sealed -o booted
same m.safetensors booted

# what is no selection
for bad in pcr=24 pcr= pcr=7,7 pcr=7,bank=md5; do
    expect 2 'selects no registers' casemate seal m.safetensors --to "tpm:$bad" -o bad.sealed
done
absent bad.sealed

# a model for the TPM and for a key: each opens it
ok casemate seal m.safetensors --to tpm:pcr=7 --to "$me" -o both.sealed
ok casemate open both.sealed -o both1
ok casemate open both.sealed --identity away.pem -o both2
same both1 both2

# a register extended: refused, the register named; the key beside it still opens
tpm_extend 11
expect 3 'PCR 11 differs' casemate open m.safetensors.sealed -o changed
expect 3 'this machine was started otherwise' casemate cat m.safetensors.sealed -o changed
absent changed
tpm_extend 7
expect 3 'PCR 7,11 differs' casemate open m.safetensors.sealed -o changed
expect 3 'PCR 7 differs' casemate open both.sealed -o changed
absent changed
ok casemate open both.sealed --identity away.pem -o both3
same both1 both3

# rewrapped to the TPM as it is now, and away from it
id=$(casemate inspect both.sealed --json | python3 -c '
import json, sys
r = [x for l in sys.stdin for x in json.loads(l).get("recipients", [])]
print([x["id"] for x in r if x["kind"].startswith("TPM")][0])')
ok casemate rewrap both.sealed --identity away.pem --remove "$id" --add tpm:pcr=7,11
ok casemate open both.sealed -o both4
same both1 both4
ok casemate rewrap both.sealed --only "$me"
expect 3 'none of your keys' casemate open both.sealed -o both5
ok casemate open both.sealed --identity away.pem -o both5
same both1 both5

# sealed to the registers of this boot
ok casemate seal m.safetensors --to tpm:pcr=7 -o now.sealed
tpm_stop

# no TPM, and another one
expect 4 'there is no TPM here' casemate open now.sealed -o none
tpm_start two
expect 3 'sealed by another TPM' casemate open now.sealed -o none
absent none
tpm_stop
tpm_start one
expect 3 'PCR 7 differs' casemate open now.sealed -o none # registers began anew
echo ok
