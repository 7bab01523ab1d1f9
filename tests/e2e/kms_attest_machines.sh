#!/usr/bin/env bash
# shellcheck disable=SC2034,SC2154 # names shared with server.sh
# A sealed model on machines whose devices stand in and whose evidence is minted: configfs-tsm in
# user space (SEV-SNP, TDX), NVIDIA's library, Nitro's module. The released `casemate open` asks the
# device, the server judges (with test roots, as no release has them), the model is opened or not.
# shellcheck source=tests/e2e/lib.sh
. "$CASEMATE_SOURCE/tests/e2e/lib.sh"
# shellcheck source=tests/e2e/policies.sh
. "$CASEMATE_SOURCE/tests/e2e/policies.sh"
# shellcheck source=tests/e2e/server.sh
. "$CASEMATE_SOURCE/tests/e2e/server.sh"
dir=$WORK/kms fuse=''
unmount() {
    ! mountpoint -q tsm || umount tsm || umount -l tsm
    [ -z "$fuse" ] || wait "$fuse" 2>/dev/null || true
    fuse=''
}
cleanup() {
    unmount
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    wait 2>/dev/null || true
}
trap cleanup EXIT
judge() { "$CASEMATE_CLI_TESTROOTS" attest verify "$@"; }

# ---- makers of evidence: FOLDER/make, told in FOLDER/how what to make
maker() { # FOLDER KIND [OPTION...]: its measurement on stdout
    mkdir -p "$1"
    echo "${*:2}" >"$1/how"
    # shellcheck disable=SC2016
    printf '%s\n' '#!/bin/sh' 'd=$(dirname "$0")' 'read -r how <"$d/how"' \
        '# shellcheck disable=SC2086' 'exec "$CASEMATE_MINT" $how --out "$d" --nonce "$1" >/dev/null' >"$1/make"
    chmod +x "$1/make"
    "$CASEMATE_MINT" "${@:2}" --out "$1" | sed -n 's/^measurement //p'
}
mount_tsm() { # PROVIDER FOLDER RACES
    unmount
    mkdir -p tsm
    "$CASEMATE_FUSE_TSM" "$1" "$WORK/$2" made "$3" tsm -f -s >>fuse.log 2>&1 &
    fuse=$!
    for _ in $(seq 3000); do
        ! mountpoint -q tsm || return 0
        kill -0 "$fuse" 2>/dev/null || break
        sleep 0.1
    done
    return 1
}
snp=$(maker snp snp-v5-turin) tdx=$(maker tdx tdx-v5-td15) gpu=$(maker gpu nvidia) nitro=$(maker nitro nitro)
mkdir collateral lib
for f in tcb_info.json qe_identity.json tcb_signer.der pck_crl.der root_crl.der; do cp "tdx/$f" collateral/; done
cp snp/crl.der collateral/
for n in 0 1 2 3; do cp "nitro/crl-$n.der" collateral/; done
ln -s "$CASEMATE_MOCK_NVML" lib/libnvidia-ml.so.1
with_gpu=(env "LD_LIBRARY_PATH=$WORK/lib:${LD_LIBRARY_PATH:-}" "MOCK_NVML_FOLDER=$WORK/gpu")

# ---- a server with a policy for each machine
ok casemate serve --dir "$dir" --listen "127.0.0.1:$port" --shares-file "$WORK/shares" --prepare
cat >>"$dir/kmsd.yaml" <<EOF
attest:
  collateral: $WORK/collateral
keyd:
  program: $CASEMATE_KEYD
EOF
"$CASEMATE_KMSD_TESTROOTS" --config "$dir/kmsd.yaml" >>log 2>&1 &
server=$!
ready
export CASEMATE_SERVER=$dir/admin.json
with_keys
two_people
policy() { # NAME [LINE...]: the rules
    policy_of "$1" "${version:-1}"
    printf '%s\n' "${@:2}"
}
rule() { # KIND MEASUREMENT MAY_SKIP
    printf '  %s:\n    measurements:\n      - {value: "%s", name: image, provenance: minted}\n    may_skip: [%s]\n' "$@"
}
policy guests evidence: "$(rule snp "$snp" 'tcb, config, platform, chip')" \
    "$(rule tdx "$tdx" 'config, platform, chip')" "$(rule nitro "$nitro" 'config, chip')" >guests.yaml
policy pairs 'gpu: required' evidence: "$(rule snp "$snp" 'tcb, config, platform, chip')" \
    "$(rule nvidia "$gpu" 'revocation, chip')" >pairs.yaml
"$MAKE_MODEL" gguf model.gguf 64K
for p in guests pairs; do
    ok put_policy $p.yaml $p
    ok casemate seal model.gguf --to attested:$p.yaml --unsigned -o $p.sealed
done
# opens SEALED COMMAND...
opens() {
    rm -f back.gguf
    expect 0 '' "${@:2}" casemate open "$1" --unsigned -o back.gguf
    same model.gguf back.gguf
}
refuses() { # SENTENCE SEALED COMMAND...
    expect 3 "$1" "${@:3}" casemate open "$2" --unsigned -o no.gguf
    absent no.gguf
}

# ---- Nitro (simulated: the driver's ioctl, on another file)
export CASEMATE_NSM=/dev/null CASEMATE_TSM=$WORK/nothing
nsm=(env "LD_PRELOAD=$CASEMATE_MOCK_NSM" "MOCK_NSM_FOLDER=$WORK/nitro")
if [ -z "$CASEMATE_SANITIZED" ]; then
    opens guests.sealed "${nsm[@]}"
    echo "nitro --defect debug" >nitro/how
    refuses 'refuses the AWS Nitro document: the check debug failed' guests.sealed "${nsm[@]}"
fi
unset CASEMATE_NSM

# ---- SEV-SNP and TDX (emulated: configfs-tsm in user space)
if [ -z "${CASEMATE_FUSE_TSM:-}" ] || ! mount_tsm sev_guest snp 0; then
    echo "SKIP of a part: configfs-tsm can't be emulated here (libfuse3-dev, /dev/fuse, root)"
    finish
    exit 0
fi
export CASEMATE_TSM=$WORK/tsm
NONCE=$(printf '%064x' 23)
ok casemate attest evidence --nonce "$NONCE" --bind role=client -o ev
shown() { judge ev --nonce "$NONCE" --bind "role=$1" -m "$snp" --collateral collateral --may-skip all; }
expect 0 'PASS  revocation' shown client
expect 3 'FAIL  fresh' shown server
opens guests.sealed
# Others write to our entry: their reports, over their data and well signed, are not used.
mount_tsm sev_guest snp 4
opens guests.sealed
mount_tsm sev_guest snp 1000
expect 6 'GATHER_TSM_RACE' casemate open guests.sealed --unsigned -o no.gguf
# Another image; one that is debugged; another maker's.
mount_tsm sev_guest snp 0
echo "snp-v5-turin --measurement abab" >snp/how
refuses 'refuses the AMD SEV-SNP report: the check measurement failed' guests.sealed
for defect in debug bad-signature wrong-root; do
    echo "snp-v5-turin --defect $defect" >snp/how
    refuses 'refuses the AMD SEV-SNP report: the check' guests.sealed
done
echo snp-v5-turin >snp/how
opens guests.sealed
# A release knows no such maker.
expect 3 'FAIL  chain' casemate attest verify ev --nonce "$NONCE" --bind role=client --may-skip all

# ---- with GPUs (simulated: NVIDIA's library), whose nonces come from the processor's evidence
opens pairs.sealed "${with_gpu[@]}"
refuses 'asks for evidence of a GPU, which is missing' pairs.sealed
echo "nvidia --measurement abab" >gpu/how
refuses 'the check measurement failed' pairs.sealed "${with_gpu[@]}"
echo "nvidia --nonce $NONCE" >gpu/how # after ours: another's
sed -i 's/ --out "$d" --nonce "$1"/ --out "$d"/' gpu/make
expect 3 'GATHER_GPU_ECHO' "${with_gpu[@]}" casemate open pairs.sealed --unsigned -o no.gguf

# ---- TDX, with its event log
mount_tsm tdx_guest tdx 1
CASEMATE_CCEL=$WORK/tdx/ccel.bin opens guests.sealed
refuses 'the check events' guests.sealed
cp tdx/ccel.bin other.bin
flip other.bin $(($(stat -c %s other.bin) / 2))
export CASEMATE_CCEL=$WORK/other.bin
refuses 'refuses the Intel TDX quote: the check events failed' guests.sealed
export CASEMATE_CCEL=$WORK/tdx/ccel.bin
echo "tdx-v5-td15 --measurement abab" >tdx/how
refuses 'refuses the Intel TDX quote: the check measurement failed' guests.sealed

# ---- the next version of the policy takes that image, and the model is opened as it was sealed
changed=$("$CASEMATE_MINT" tdx-v5-td15 --measurement abab --out other | sed -n 's/^measurement //p')
version=2 policy guests evidence: "$(rule tdx "$changed" 'config, platform, chip')" >guests.yaml
ok put_policy guests.yaml guests
opens guests.sealed
unmount

# ---- each of that is one entry of the log
casemate audit list --tenant default --count 1000 --json >log.json
python3 - <<'PY'
import collections, json, os
seen = collections.Counter(e.get("reason", "") for line in open("log.json")
                           for e in json.loads(line).get("entries", []) if e["operation"] == "ReleaseKey")
nitro = 0 if os.environ["CASEMATE_SANITIZED"] else 1
assert seen == {"": 6 + nitro, "SVC_RELEASE_REFUSED": 9 + nitro}, seen
PY
finish
echo ok
