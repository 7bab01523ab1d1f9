#!/usr/bin/env bash
# Machines that no policy lists: a running server makes a credential for a TPM's endorsement key,
# which leads to a maker's root (of the tests), the TPM (swtpm, so emulated) opens it, and its
# attestation key counts. Other makers' TPMs, borrowed certificates, answers that were not opened,
# and the released program, which knows no such root, give nothing.
# shellcheck source=tests/e2e/lib.sh
. "$CASEMATE_SOURCE/tests/e2e/lib.sh"
# shellcheck source=tests/e2e/policies.sh
. "$CASEMATE_SOURCE/tests/e2e/policies.sh"
# shellcheck source=tests/e2e/server.sh
. "$CASEMATE_SOURCE/tests/e2e/server.sh"
# shellcheck source=tests/e2e/swtpm.sh
. "$CASEMATE_SOURCE/tests/e2e/swtpm.sh"
for tool in swtpm_setup swtpm_localca tpm2_nvundefine tpm2_createek openssl; do
    command -v "$tool" >/dev/null || {
        echo "SKIP: no $tool (swtpm-tools, tpm2-tools)"
        exit 77
    }
done
casemate help attest evidence >/dev/null 2>&1 || {
    echo 'SKIP: this casemate collects no evidence'
    exit 77
}
trap 'tpm_stop; [ -z "$server" ] || kill "$server" 2>/dev/null || true; wait 2>/dev/null || true' EXIT
export TSS2_LOG=all+none
server='' dir=$WORK/kms # as server.sh has them
: "${port:?}"
NONCE=$(printf '41%.0s' $(seq 32))
RSA=0x01c00002 P256=0x01c0000a

# ---- makers of TPMs

# maker NAME KEY: an authority whose key that is
maker() {
    mkdir "$1"
    "${@:2}" >"$1/key.pem"
    openssl req -x509 -new -key "$1/key.pem" -subj "/CN=maker $1" -days 3650 -out "$1/issuer.pem" \
        -addext keyUsage=critical,keyCertSign 2>openssl.log || die "$(cat openssl.log)"
    printf '%s = %s\n' statedir "$PWD/$1" signingkey "$PWD/$1/key.pem" issuercert "$PWD/$1/issuer.pem" \
        certserial "$PWD/$1/serial" >"$1/ca.conf"
    : >"$1/options"
    printf '%s = %s\n' create_certs_tool "$(command -v swtpm_localca)" \
        create_certs_tool_config "$PWD/$1/ca.conf" create_certs_tool_options "$PWD/$1/options" >"$1/setup.conf"
}
# manufacture NAME MAKER: RSA-2048 and P-384 endorsement keys with certificates, as swtpm has them
manufacture() {
    mkdir "$1"
    swtpm_setup --tpm2 --config "$2/setup.conf" --tpm-state "$PWD/$1" --create-ek-cert --overwrite \
        --pcr-banks sha256 >"$1.log" 2>&1 || die "swtpm_setup: $(tail -3 "$1.log")"
}
# instead INDEX FILE: what stands there is another certificate
instead() {
    tpm2_nvundefine -Q -C p "$1" 2>/dev/null || true
    tpm2_nvdefine -Q -C p -s "$(stat -c %s "$2")" \
        -a 'ppwrite|ppread|ownerread|authread|no_da|platformcreate' "$1" || die "no index $1"
    tpm2_nvwrite -Q -C p -i "$2" "$1" || die "$1 not written"
}
maker real "$CASEMATE_MINT" key p384:tpm-root
maker strange openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384
manufacture one real
manufacture two real
manufacture three strange

# ---- a server that knows the first maker's root, and a policy that lists no machine

# show OPTION...: evidence of this machine into ev, without a credential
show() { casemate attest evidence --tcti "$CASEMATE_TPM" --pcr 7,23 -o ev --force -q "$@"; }
tpm_start one
tpm2_nvread "$RSA" >one.der 2>/dev/null
ok show --nonce "$NONCE"
casemate attest verify ev --alone --may-skip all --json >claims 2>/dev/null || true
digest=$(python3 -c 'import json; print(json.loads(open("claims").readline())["claims"]["pcr_digest"])')
with_keys
two_people
policy_of "any machine of a maker's" 1 >fleet.yaml
cat >>fleet.yaml <<YAML
evidence:
  tpm:
    pcrs: [7, 23]
    measurements:
      - {value: "$digest", name: what started, provenance: read from the machine}
    may_skip: [revocation, events, platform, chip]
YAML
serve() { # PROGRAM
    "$1" --config "$dir/kmsd.yaml" >>"$WORK/log" 2>&1 &
    server=$!
    ready
}
casemate serve --dir "$dir" --listen "127.0.0.1:$port" --shares-file "$WORK/shares" --prepare >prepared 2>&1 ||
    die "$(cat prepared)"
# Makers' certificates are the operator's to have: they lead to a root, and are none.
mkdir makers
cp real/issuer.pem makers/real.pem
cp strange/issuer.pem makers/strange.pem
printf 'attest:\n  collateral: %s\nkeyd:\n  program: %s\n' "$PWD/makers" "$CASEMATE_KEYD" >>"$dir/kmsd.yaml"
serve "$CASEMATE_KMSD_TESTROOTS"
export CASEMATE_SERVER=$dir/admin.json
ok put_policy fleet.yaml fleet
"$MAKE_MODEL" gguf model.gguf 64K
ok casemate seal model.gguf --to attested:fleet.yaml --unsigned -o model.sealed

# opens NAME: this machine, though nobody listed it
opens() {
    ok casemate open model.sealed --unsigned -o "$1.gguf"
    same model.gguf "$1.gguf"
}

# ---- endorsement keys: RSA-2048, P-384 (of the high range), P-256
opens rsa
tpm2_nvundefine -Q -C p "$RSA" || die 'no certificate to remove'
opens p384
tpm2_createek -Q -G ecc -c ek.ctx -u ek.pem -f pem 2>ek.log || die "$(cat ek.log)"
printf 'extendedKeyUsage=2.23.133.8.1\nkeyUsage=critical,keyAgreement\n' >ek.ext
openssl req -new -key real/key.pem -subj / -out ek.csr 2>/dev/null
openssl x509 -req -in ek.csr -force_pubkey ek.pem -CA real/issuer.pem -CAkey real/key.pem -days 30 \
    -set_serial 77 -extfile ek.ext -outform der -out p256.der 2>openssl.log || die "$(cat openssl.log)"
instead "$P256" p256.der
opens p256
tpm2_nvundefine -Q -C p "$P256"
instead "$RSA" one.der

# ---- the challenge was for its TPM, but the TPM was not asked to open the credential
another machine X-Wing
sed '/-----/d' machine.pub | base64 -d | tail -c 1216 >key
python3 - <<'PY'
# The attestation key stands in the pack as a part: the last TPM2B_PUBLIC of an ECC key in it.
data = open("ev", "rb").read()
at = data.index(b"\x00\x23\x00\x0b") - 2
open("ak", "wb").write(data[at:at + 2 + int.from_bytes(data[at:at + 2], "big")])
PY
challenge() { # OPTION...: into token and hex
    casemate attest server-challenge "$@" --json >challenge || die 'no challenge'
    python3 - <<'PY'
import base64, json
c = json.loads(open("challenge").readline())
open("token", "wb").write(base64.b64decode(c["challenge"]))
open("hex", "w").write(base64.b64decode(c["nonce"]).hex())
PY
}
R=(casemate key release fleet --keyspace attested --attested-key @key --evidence @ev --challenge @token)
bound() { ok show --nonce "$(cat hex)" --bind role=client --bind suite=X-Wing --bind hpke=machine.pub; }
challenge --ek-certificate @one.der --ak @ak
bound
expect 3 'did not open the credential' "${R[@]}"
# And without a credential at all.
challenge
bound
expect 3 'nothing shows whose attestation key it is' "${R[@]}"

# ---- a certificate that is another TPM's: the credential does not open
tpm_stop
tpm_start two
opens two # with its own
instead "$RSA" one.der
expect 3 'TPM_CREDENTIAL' casemate open model.sealed --unsigned -o no.gguf
# Its own attestation key, named in a challenge for the other's certificate, is as little.
challenge --ek-certificate @one.der --ak @ak
bound
expect 3 'another attestation key' "${R[@]}"

# ---- a maker whom nobody knows; and the released program, which knows no maker of tests
tpm_stop
tpm_start three
expect 3 'the check chain failed' casemate open model.sealed --unsigned -o no.gguf
tpm_stop
tpm_start one
opens again
finish
serve "$CASEMATE_KMSD"
expect 3 'the check chain failed' casemate open model.sealed --unsigned -o no.gguf
absent no.gguf

# ---- all of it stands in the log
casemate audit list --tenant default --count 1000 --json >log.json
python3 - <<'PY'
import json
seen = [e.get("allowed", False) for line in open("log.json")
        for e in json.loads(line).get("entries", []) if e["operation"] == "ReleaseKey"]
assert seen == [True] * 3 + [False] * 2 + [True] + [False] * 2 + [True, False], seen
PY
finish
