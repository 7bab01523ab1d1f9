#!/usr/bin/env bash
# A model sealed to a policy: a running server releases its key to a machine whose TPM (swtpm, so
# emulated) shows what the policy accepts, and to nothing else; both stand in the log.
# shellcheck source=tests/e2e/lib.sh
. "$CASEMATE_SOURCE/tests/e2e/lib.sh"
# shellcheck source=tests/e2e/policies.sh
. "$CASEMATE_SOURCE/tests/e2e/policies.sh"
# shellcheck source=tests/e2e/server.sh
. "$CASEMATE_SOURCE/tests/e2e/server.sh"
# shellcheck source=tests/e2e/swtpm.sh
. "$CASEMATE_SOURCE/tests/e2e/swtpm.sh"
casemate help attest evidence >/dev/null 2>&1 || {
    echo 'SKIP: this casemate collects no evidence'
    exit 77
}
trap 'tpm_stop; [ -z "$server" ] || kill "$server" 2>/dev/null || true; wait 2>/dev/null || true' EXIT
export TSS2_LOG=all+none
server='' dir=$WORK/kms # as server.sh has them
NONCE=$(printf '41%.0s' $(seq 32))

# show NONCE OPTION...: evidence of this machine into ev
show() { casemate attest evidence --tcti "$CASEMATE_TPM" --pcr 7,23 --nonce "$1" -o ev --force -q "${@:2}"; }
# claim NAME: of this machine
claim() {
    show "$NONCE"
    casemate attest verify ev --alone --may-skip all --json >claims 2>/dev/null || true
    python3 -c 'import json, sys; print(json.loads(open("claims").readline())["claims"][sys.argv[1]])' "$1"
}

# ---- a machine; who may decide about it
tpm_start one
ok show "$NONCE"
ak=$(claim ak_name)
digest=$(claim pcr_digest)
with_keys
two_people
policy() { # VERSION DIGEST
    policy_of 'inference fleet' "$1"
    cat <<YAML
evidence:
  tpm:
    pcrs: [7, 23]
    measurements:
      - {value: "$2", name: what started, provenance: read from the machine}
    chips: ["$ak"]
    may_skip: [revocation, events, platform]
YAML
}
launch
ready
export CASEMATE_SERVER=$dir/admin.json
policy 1 "$digest" >one.yaml
"$MAKE_MODEL" gguf model.gguf 64K
expect 4 'CLI_ATTEST_POLICY' casemate seal model.gguf --to attested:one.yaml --unsigned -o no.sealed
expect 0 'version              1' put_policy one.yaml fleet

# ---- sealed to the policy; opened by the machine
ok casemate seal model.gguf --to attested:one.yaml --unsigned -o model.sealed
expect 0 'machines of policy fleet' casemate inspect model.sealed --unsigned
ok casemate open model.sealed --unsigned -o back.gguf
same model.gguf back.gguf
# The key opens nothing in any other way.
head -c 32 /dev/zero >plain
ok casemate key encrypt fleet --keyspace attested --plaintext @plain -o ct
expect 3 'SVC_RELEASE_ONLY' casemate key decrypt fleet --keyspace attested --ciphertext @ct

# ---- something else was started: one register extended
tpm_extend 7
expect 3 'the check measurement failed' casemate open model.sealed --unsigned -o no.gguf
absent no.gguf
# A second version of the policy accepts that, without sealing anything anew.
policy 2 "$(claim pcr_digest)" >two.yaml
ok put_policy two.yaml fleet
ok casemate open model.sealed --unsigned -o again.gguf
same model.gguf again.gguf

# ---- another machine, though it started the same
tpm_stop
tpm_start two
tpm_extend 7
expect 3 'refuses the TPM 2.0 quote' casemate open model.sealed --unsigned -o no.gguf
tpm_stop
tpm_start one
tpm_extend 7

# ---- a challenge is good once: here after a restart of the server, and not a second time
another machine X-Wing
sed '/-----/d' machine.pub | base64 -d | tail -c 1216 >key
casemate attest server-challenge --json >challenge
field() { python3 -c 'import json,sys; print(json.loads(open("challenge").readline())[sys.argv[1]])' "$1"; }
field challenge | base64 -d >token
hex=$(field nonce | base64 -d | od -An -tx1 | tr -d ' \n')
ok show "$hex" --bind role=client --bind suite=X-Wing --bind hpke=machine.pub
finish
launch
ready
R=(casemate key release fleet --keyspace attested --attested-key @key --evidence @ev --challenge @token)
expect 0 'policy_version' "${R[@]}"
expect 3 'SVC_CHALLENGE_USED' "${R[@]}"
expect 3 'SVC_CHALLENGE' casemate key release fleet --keyspace attested --attested-key @key --evidence @ev
# Evidence for another challenge.
casemate attest server-challenge --json >challenge
field challenge | base64 -d >token
expect 3 'the check fresh failed' "${R[@]}"

# ---- all of it stands in the log
casemate audit list --tenant default --count 1000 --json >log.json
python3 - <<'PY'
import json
seen = [(e.get("allowed", False), e.get("reason", "")) for line in open("log.json")
        for e in json.loads(line).get("entries", []) if e["operation"] == "ReleaseKey"]
want = [(True, ""), (False, "SVC_RELEASE_REFUSED"), (True, ""), (False, "SVC_RELEASE_REFUSED"), (True, ""),
        (False, "SVC_CHALLENGE_USED"), (False, "SVC_CHALLENGE"), (False, "SVC_RELEASE_REFUSED")]
assert seen == want, seen
PY
finish
