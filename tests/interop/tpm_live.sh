#!/usr/bin/env bash
# A TPM that runs: swtpm opens what cm_tpm_credential_make() made for its RSA endorsement
# key, and its quote is verified up to the CA of that key (AT-54). Another TPM opens
# nothing, and a register extended since shows.
set -eu
for tool in swtpm swtpm_setup tpm2_createek tpm2_createak tpm2_activatecredential tpm2_quote; do
    command -v "$tool" >/dev/null || { echo "SKIP: no $tool (swtpm, swtpm-tools, tpm2-tools)"; exit 77; }
done
probe=$1
dir=$(mktemp -d)
pid=
stop() { [ -z "$pid" ] || { kill "$pid" && wait "$pid"; } 2>/dev/null || true; pid=; }
trap 'stop; rm -rf "$dir"' EXIT

# The CA of the endorsement keys is this test's own.
mkdir "$dir/ca"
cat >"$dir/localca.conf" <<EOF
statedir = $dir/ca
signingkey = $dir/ca/signkey.pem
issuercert = $dir/ca/issuercert.pem
certserial = $dir/ca/certserial
EOF
: >"$dir/localca.options"
cat >"$dir/setup.conf" <<EOF
create_certs_tool = $(command -v swtpm_localca || echo /usr/bin/swtpm_localca)
create_certs_tool_config = $dir/localca.conf
create_certs_tool_options = $dir/localca.options
EOF

setup() { # NAME
    mkdir -p "$dir/$1"
    swtpm_setup --tpm2 --config "$dir/setup.conf" --tpm-state "$dir/$1" --create-ek-cert \
        --overwrite --pcr-banks sha256 >"$dir/$1.log" 2>&1 ||
        { tail -5 "$dir/$1.log"; echo "SKIP: swtpm_setup can't make a TPM here"; exit 77; }
}

start() { # NAME: on a socket pair of ports that are free, found by trying
    local try port
    for try in $(seq 1 20); do
        port=$((20000 + (RANDOM + try) % 20000))
        swtpm socket --tpm2 --tpmstate "dir=$dir/$1" --flags startup-clear \
            --server "type=tcp,port=$port,bindaddr=127.0.0.1" \
            --ctrl "type=tcp,port=$((port + 1)),bindaddr=127.0.0.1" >"$dir/run.log" 2>&1 &
        pid=$!
        export TPM2TOOLS_TCTI="swtpm:host=127.0.0.1,port=$port"
        for _ in $(seq 1 100); do
            tpm2_pcrread sha256:0 >/dev/null 2>&1 && return 0
            kill -0 "$pid" 2>/dev/null || break
            sleep 0.1
        done
        stop
    done
    cat "$dir/run.log"
    return 1
}

flush() { tpm2_flushcontext -t && tpm2_flushcontext -l && tpm2_flushcontext -s; } 2>/dev/null

collect() { # DIR: nonce, quote, signature, registers
    tpm2_quote -c "$1/ak.ctx" -l sha256:0,1,2,3,4,5,6,7,16 -q "$(printf '41%.0s' $(seq 32))" \
        -m "$1/quote" -s "$1/sig" -o "$1/pcrs" -F values -g sha256 >/dev/null
    printf 'A%.0s' $(seq 32) >"$1/nonce"
    flush
}

keys() { # DIR ALGORITHM-OF-EK NV-INDEX
    mkdir -p "$1"
    tpm2_nvread "$3" -o "$1/ek.der" 2>/dev/null
    tpm2_createek -c "$1/ek.ctx" -G "$2" -u "$1/ek.pub" >/dev/null
    flush
    tpm2_createak -C "$1/ek.ctx" -c "$1/ak.ctx" -G ecc -g sha256 -s ecdsa -u "$1/ak.pub" \
        -n "$1/ak.name" >/dev/null
    flush
}

activate() { # DIR: opens blob into secret
    tpm2_startauthsession --policy-session -S "$1/session" >/dev/null
    tpm2_policysecret -S "$1/session" -c e >/dev/null
    tpm2_activatecredential -c "$1/ak.ctx" -C "$1/ek.ctx" -i "$1/blob" -o "$1/secret" \
        -P "session:$1/session" >/dev/null 2>"$1/activate.log"
    local status=$?
    tpm2_flushcontext "$1/session" >/dev/null 2>&1 || true
    flush
    return $status
}

verify() { # DIR
    "$probe" verify "$dir/ca/swtpm-localca-rootca-cert.pem" "$1/ek.der" "$dir/ca/issuercert.pem" \
        "$1/state" "$1/secret" "$1/quote" "$1/sig" "$1/ak.pub" "$1/pcrs" "$1/nonce" >"$1/verdict"
}

setup one
start one
keys "$dir/rsa" rsa 0x01c00002
"$probe" make "$dir/rsa/ek.der" "$dir/rsa/ak.pub" "$dir/rsa/blob" "$dir/rsa/state"
activate "$dir/rsa"
collect "$dir/rsa"
verify "$dir/rsa" || { cat "$dir/rsa/verdict"; exit 1; }
echo "a credential for an RSA endorsement key, opened; the quote verified"

# A register extended since: the values kept are not those of the new quote.
cp "$dir/rsa/pcrs" "$dir/old"
tpm2_pcrextend "16:sha256=$(printf '42%.0s' $(seq 32))"
collect "$dir/rsa"
verify "$dir/rsa" || { cat "$dir/rsa/verdict"; exit 1; }
cp "$dir/old" "$dir/rsa/pcrs"
if verify "$dir/rsa"; then echo "FAIL: registers of before the extension were taken"; exit 1; fi
grep -q '^pcrs *FAIL' "$dir/rsa/verdict"
echo "an extended register shows"

# The same credential on another TPM.
cp "$dir/rsa/blob" "$dir/blob"
stop
setup two
start two
keys "$dir/other" rsa 0x01c00002
cp "$dir/blob" "$dir/other/blob"
if activate "$dir/other"; then echo "FAIL: another TPM opened the credential"; exit 1; fi
echo "another TPM does not open it"
