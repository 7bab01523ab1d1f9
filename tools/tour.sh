#!/usr/bin/env bash
# tour.sh: seals, inspects, checks, attacks and reopens a small model in a temporary folder; then
# starts a key server, seals to a key that it holds, and checks a receipt of its log.
# Needs casemate on PATH; ./do up runs it.
set -euo pipefail
self=$(command -v casemate) || {
    echo 'tour: casemate is not on PATH; ./do up builds it and runs this' >&2
    exit 1
}
cli=$(realpath "$self")
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
dir=$(mktemp -d "${TMPDIR:-/tmp}/casemate-tour.XXXXXX")
trap 'rm -rf "$dir"' EXIT
cd "$dir"
export CASEMATE_HOME=$dir/alice

bold='' dim='' off=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
    bold=$'\e[1m' dim=$'\e[2m' off=$'\e[0m'
fi

say() { printf '\n%s%s%s\n' "$bold" "$*" "$off"; }
# show COMMAND...: print it, run it, and indent what it says
show() {
    local rc=0
    printf '  %s$ %s%s\n' "$dim" "$*" "$off"
    "$@" >said 2>&1 || rc=$?
    sed 's/^/    /' said
    return "$rc"
}
fail() {
    printf 'tour: %s\n' "$*" >&2
    exit 1
}

# A GGUF file with real tensors; without the test tools any bytes will do.
make=${CASEMATE_MAKE_MODEL:-$(dirname "$cli")/../../tests/testlib/make-model}
if [ -x "$make" ]; then
    "$make" gguf model.gguf 16M
    tensor=token_embd.weight
else
    head -c 16M /dev/urandom >model.gguf
    tensor=
fi

say '1. Alice makes her keys: one to open models, one to sign them.'
show casemate init --no-passphrase | sed "s#$dir/##"

say '2. She makes a model and seals it for herself, signed.'
show casemate seal model.gguf --to alice/identity.pub --name tiny --model-version 1.0

say '3. Anybody can see what it is; the list of tensors needs the key.'
show casemate inspect model.gguf.sealed | sed "s#$dir/##"

say '4. Everything about it can be checked.'
show casemate verify model.gguf.sealed

say '5. Opened again, it is the same file.'
show casemate open model.gguf.sealed -o reopened.gguf
cmp model.gguf reopened.gguf || fail 'the reopened model differs'
echo '    model.gguf and reopened.gguf are equal'

if [ -n "$tensor" ]; then
    say '6. One tensor, without decrypting the rest.'
    show casemate cat model.gguf.sealed --tensor "$tensor" -o tensor.bin
    printf '    %s: %s bytes\n' "$tensor" "$(stat -c %s tensor.bin)"
fi

say '7. Somebody flips one bit of it.'
at=$(($(stat -c %s model.gguf.sealed) / 2))
byte=$(od -An -tu1 -j "$at" -N 1 model.gguf.sealed)
# shellcheck disable=SC2059
printf "\\x$(printf %x $((byte ^ 1)))" |
    dd of=model.gguf.sealed bs=1 seek="$at" conv=notrunc status=none
if show casemate open model.gguf.sealed -o attacked.gguf; then
    fail 'an altered model was opened'
fi
[ ! -e attacked.gguf ] || fail 'an altered model was written'
echo '    refused, and nothing stands under the name attacked.gguf'

# ---- the same with a key that a server holds

# free_port: one that nobody listens on.
free_port() {
    local port
    while :; do
        port=$((20000 + RANDOM % 20000))
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
    done
    echo "$port"
}

say '8. A key server starts: root key, authority, administrator, a tenant, all made here.'
kms=$dir/kms
casemate serve --dir "$kms" --listen "127.0.0.1:$(free_port)" --shares-file shares >serve.log 2>&1 &
server=$!
trap 'kill "$server" 2>/dev/null || true; wait; rm -rf "$dir"' EXIT
export CASEMATE_SERVER=$kms/admin.json
for _ in $(seq 150); do
    casemate audit checkpoint --quiet >/dev/null 2>&1 && break
    kill -0 "$server" 2>/dev/null || fail "the server did not start: $(tail -3 serve.log)"
    sleep 0.2
done
show casemate system status || fail 'the server does not answer'

say '9. A key that never leaves it; a model sealed to that key, and opened through it.'
show casemate key create weights --type AES-256
show casemate seal reopened.gguf --to-kms weights -o served.sealed
show casemate open served.sealed -o served.gguf
cmp reopened.gguf served.gguf || fail 'the model opened through the server differs'
echo '    reopened.gguf and served.gguf are equal; only 32 bytes of key travelled'

say '10. Every use is in a log that nobody can rewrite. An auditor checks one with public keys alone.'
casemate key create releases --type ML-DSA-65 --quiet
casemate key sign releases --data 'version 1.0' --json >answer.json
sed 's/.*"receipt":"\([^"]*\)".*/\1/' answer.json | base64 -d >signed.tlog-proof
show casemate audit verify --key kms/log.vkeys signed.tlog-proof || fail 'the receipt does not verify'

# A TPM in software stands for the machine's; without one, what to install.
if command -v swtpm >/dev/null && command -v tpm2_pcrextend >/dev/null && command -v python3 >/dev/null &&
    casemate help attest evidence >/dev/null 2>&1; then
    say '11. A model for machines, not people: two agree on a policy; the key goes to what shows it runs that.'
    mkdir tpm
    swtpm socket --tpm2 --tpmstate "dir=$dir/tpm" --flags not-need-init,startup-clear \
        --server "type=unixio,path=$dir/tpm/s" --ctrl "type=unixio,path=$dir/tpm/s.ctrl" >swtpm.log 2>&1 &
    tpm=$!
    trap 'kill "$server" "$tpm" 2>/dev/null || true; wait; rm -rf "$dir"' EXIT
    for _ in $(seq 100); do
        [ ! -S tpm/s.ctrl ] || break
        sleep 0.1
    done
    export CASEMATE_TPM="swtpm:path=$dir/tpm/s" TPM2TOOLS_TCTI="swtpm:path=$dir/tpm/s" TSS2_LOG=all+none
    casemate attest evidence --tcti "$CASEMATE_TPM" --pcr 7 --nonce "$(printf '41%.0s' $(seq 32))" -o evidence -q
    casemate attest verify evidence --alone --may-skip all --json >claims 2>/dev/null || true
    claim() { python3 -c 'import json, sys; print(json.loads(open("claims").readline())["claims"][sys.argv[1]])' "$1"; }
    for who in anna ben; do casemate key new --out $who.pem --type ML-DSA-65 --no-passphrase -q; done
    cat >policy.yaml <<YAML
casemate_policy: 1
name: tour
version: 1
signers:
  - {name: anna, key: "$(casemate key fingerprint anna.pub)"}
  - {name: ben, key: "$(casemate key fingerprint ben.pub)"}
evidence:
  tpm:
    pcrs: [7]
    measurements: [{value: "$(claim pcr_digest)", name: this start, provenance: read from the TPM}]
    chips: ["$(claim ak_name)"]
    may_skip: [revocation, events, platform]
YAML
    for who in anna ben; do casemate attest policy sign policy.yaml -k $who.pem -o $who.sig -q; done
    casemate attest put-policy tour --file @policy.yaml --signatures @anna.sig --signatures @ben.sig \
        --keys @anna.pub --keys @ben.pub -q >/dev/null
    show casemate seal reopened.gguf --to attested:policy.yaml -o machine.sealed
    show casemate open machine.sealed -o machine.gguf || fail 'the key was not released'
    cmp reopened.gguf machine.gguf || fail 'the model opened by evidence differs'
    say '12. Something else is started: register 7 is extended, and the key stays where it is.'
    tpm2_pcrextend "7:sha256=$(printf '42%.0s' $(seq 32))"
    if show casemate open machine.sealed -o refused.gguf; then
        fail 'the key was released to a machine that runs something else'
    fi
    echo '    (the TPM is emulated by swtpm; both decisions are in the log)'
else
    say '11. A key released to a machine that shows what it runs: install swtpm, tpm2-tools and libtss2-esys to see it.'
fi

near=$cli
[ ! -x "$root/build/casemate" ] || near=$root/build/casemate
cat <<END

${bold}Yours to try${off}
  $near init
  $near seal YOUR-MODEL --to ~/.config/casemate/identity.pub
  $near open YOUR-MODEL.sealed -o COPY
  $near exec --model YOUR-MODEL.sealed -- sha256sum {}
  $near serve
  $near help
END
