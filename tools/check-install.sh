#!/usr/bin/env bash
# check-install.sh BUILD: what is installed compiles and runs outside the tree, shared and static,
# in C and C++; the examples read a model that the installed program sealed.
set -euo pipefail
build=$(realpath "$1")
cd "$(dirname "$0")/.."
stage=$(mktemp -d "${TMPDIR:-/tmp}/casemate-install.XXXXXX")
trap 'rm -rf "$stage"' EXIT
DESTDIR=$stage meson install -C "$build" --no-rebuild --quiet
pc=$(dirname "$(find "$stage" -name casemate.pc)")
lib=$(dirname "$pc")
prefix=$stage$(sed -n 's/^prefix=//p' "$pc/casemate.pc")
sed -i "s|^prefix=.*|prefix=$prefix|" "$pc/casemate.pc"
sed -i "s|^prefix=.*|prefix=$prefix|" "$pc/casemate-verify.pc"
sed -i "s|^prefix=.*|prefix=$prefix|" "$pc/casemate-enclave.pc"
export PKG_CONFIG_PATH=$pc:$PWD/.deps/openssl/lib/pkgconfig LD_LIBRARY_PATH=$lib
# flags PACKAGE OPTIONS...
flags() { pkg-config "${@:2}" "$1"; }

# ---- a model to read, and one of its tensors as the program has it

export CASEMATE_HOME=$stage/home
casemate() { "$prefix/bin/casemate" --quiet "$@"; }
casemate init --no-passphrase
"$build/tests/testlib/make-model" safetensors "$stage/m.safetensors" 3M
casemate seal "$stage/m.safetensors" --to "$CASEMATE_HOME/identity.pub" -o "$stage/m.sealed"
tensor=$(grep -aoE 'model[A-Za-z0-9_.]+weight' "$stage/m.safetensors" | sed -n 1p)
casemate cat "$stage/m.sealed" --tensor "$tensor" >"$stage/want"
digest=$(casemate inspect "$stage/m.sealed" --json | grep -oE '"digest": *"[0-9a-f]{64}' | grep -oE '[0-9a-f]{64}')

# Recorded evidence is accepted at its time and at no other.
try_verify_evidence() {
    local tee=${CASEMATE_VECTORS:-../shared/vectors}/tee/snp
    [ -d "$tee" ] || { echo 'SKIP: no recorded evidence'; return 0; }
    set -- "$1" "$tee"/v3-genoa-aci/{report.bin,vcek.der} "$tee"/roots/genoa/{ask,ark}.der
    "$1" 1780000000 "${@:2}" >"$stage/got" || { echo "$1 refuses"; exit 1; }
    grep '^PASS signature$' "$stage/got" >/dev/null
    ! "$1" 1640000000 "${@:2}" >"$stage/got" 2>"$stage/said" || { echo "$1 accepts"; exit 1; }
    grep ATTEST_REFUSED "$stage/said" >/dev/null
}

try_read_tensor() {
    "$1" "$stage/m.sealed" "$CASEMATE_HOME/identity.pem" "$CASEMATE_HOME/publisher.pub" "$tensor" \
        >"$stage/got" 2>"$stage/said"
    cmp "$stage/want" "$stage/got"
    [ "$(cat "$stage/said")" = "$digest" ] || { echo "$1 names another digest"; exit 1; }
    ! "$1" "$stage/m.sealed" "$CASEMATE_HOME/identity.pem" "$CASEMATE_HOME/identity.pub" "$tensor" \
        >"$stage/got" 2>"$stage/said" || { echo "$1 trusts anybody"; exit 1; }
    [ ! -s "$stage/got" ]
}

# Receipts: signed by one program, verified by the other with keys as bytes.
casemate key new -t secp256k1 -o "$stage/s.pem" --no-passphrase
casemate key new -t ML-DSA-65 -o "$stage/m.pem" --no-passphrase
"${CASEMATE_OPENSSL:-.deps/openssl/bin/openssl}" pkey -pubin -in "$stage/m.pub" -outform DER | tail -c 1952 >"$stage/m.raw"
sed '/-----/d' "$stage/s.pub" | base64 -d | tail -c 65 >"$stage/s.raw"
digest_of() { printf '%064x' "$1"; }
for k in s m; do
    casemate poai sign -k "$stage/$k.pem" --model-name m --node-name n --input-digest "$(digest_of 7)" \
        --output-digest "$(digest_of 8)" -o "$stage/$k.poai"
done

try_sign_receipt() {
    local k
    for k in s m; do
        "$1" "$stage/$k.pem" "$(digest_of 1)" "$(digest_of 2)" >"$stage/signed"
        casemate poai verify "$stage/signed" -k "$stage/$k.pub" --input-digest "$(digest_of 1)" \
            --output-digest "$(digest_of 2)"
    done
    ! "$1" "$stage/s.pub" "$(digest_of 1)" "$(digest_of 2)" >"$stage/signed" 2>&1 || { echo "$1 signs with a public key"; exit 1; }
}

try_verify_receipt() {
    local k
    for k in s m; do
        "$1" "$stage/$k.raw" "$stage/$k.poai" | grep "^signed; output $(digest_of 8)$" >/dev/null
        { head -c 200 "$stage/$k.poai"; printf x; tail -c +202 "$stage/$k.poai"; } >"$stage/altered"
        ! "$1" "$stage/$k.raw" "$stage/altered" >"$stage/got" 2>&1 || { echo "$1 takes an altered receipt"; exit 1; }
    done
    ! "$1" "$stage/s.raw" "$stage/m.poai" >"$stage/got" 2>&1 || { echo "$1 takes another key"; exit 1; }
}

# One request to one program with one model; the program gives it back reversed. Then a manifest
# that is not the program's, and a model that nobody here may open.
try_run_enclave() {
    local infer=$build/tests/testlib/enclave-payload-static id=$CASEMATE_HOME/identity.pem
    "$1" "$infer" "$stage/m.sealed" "$id" "$CASEMATE_HOME/publisher.pub" drawer >"$stage/got" 2>"$stage/said" || {
        grep -E 'SANDBOX_NO_(SECCOMP|LANDLOCK)' "$stage/said" || { cat "$stage/said"; exit 1; }
        echo 'SKIP: programs are not locked in here'
        return 0
    }
    [ "$(cat "$stage/got")" = reward ] || { echo "$1: $(cat "$stage/got")"; exit 1; }
    digest=$(casemate enclave manifest --model "$stage/m.sealed" --json -- "$infer" | grep -oE '"digest": *"[0-9a-f]{64}' | grep -oE '[0-9a-f]{64}')
    grep "SIMULATED: manifest $digest" "$stage/said" >/dev/null || { cat "$stage/said"; exit 1; }
    ! "$1" "$infer" "$stage/m.sealed" "$CASEMATE_HOME/publisher.pub" "$CASEMATE_HOME/publisher.pub" x \
        >"$stage/got" 2>&1 || { echo "$1 opens without a key"; exit 1; }
}

# compile TRY PACKAGE OUT SOURCE COMPILER...: against the shared library, then the static one
compile() {
    local try=$1 package=$2 out=$3 source=$4
    shift 4
    # shellcheck disable=SC2046
    "$@" -Wall -Wextra -Werror "$source" -x none -o "$out-shared" $(flags "$package" --cflags --libs)
    ldd "$out-shared" | grep "lib$package.so.0 => $lib" >/dev/null
    # shellcheck disable=SC2046
    "$@" -Wall -Wextra -Werror "$source" -x none -o "$out-static" $(flags "$package" --cflags) -Wl,-Bstatic "-l$package" \
        -Wl,-Bdynamic $(flags "$package" --libs --static | sed "s/-l$package//")
    ! ldd "$out-static" | grep libcasemate >/dev/null || { echo 'the static program is not'; exit 1; }
    "$try" "$out-shared"
    "$try" "$out-static"
}

both() {
    compile "$1" "$2" "$stage/c" "$3" gcc -std=c17
    if command -v g++ >/dev/null; then
        compile "$1" "$2" "$stage/cxx" "$3" g++ -x c++ -std=c++17 -Wno-missing-field-initializers
    else
        echo 'no g++: not tried as C++'
    fi
}

for source in docs/examples/*.c; do
    name=$(basename "$source" .c)
    package=casemate
    [ "$name" != run_enclave ] || package=casemate-enclave
    both "try_$name" "$package" "$source"
done
both try_verify_receipt casemate-verify docs/examples/verify_receipt.c
if readelf -d "$lib/libcasemate-verify.so" | grep -E 'NEEDED.*(crypto|ssl|casemate\.)'; then
    echo 'the small verifier needs more than libsecp256k1'
    exit 1
fi
for library in "$lib"/libcasemate{,-verify,-enclave}.{so,so.0,a}; do
    [ -e "$library" ] || { echo "no $library"; exit 1; }
done
module=$lib/pkcs11/libcasemate-pkcs11.so
[ -e "$module" ] || { echo "no $module"; exit 1; }
nm -D --defined-only "$module" | grep ' C_GetInterface$' >/dev/null || { echo 'the module exports no PKCS#11'; exit 1; }
if readelf -d "$lib/libcasemate.so" | grep -E 'NEEDED.*libcrypto' && [ -e .deps/openssl/lib/libcrypto.a ]; then
    echo 'the shared library still needs the system OpenSSL'
    exit 1
fi
