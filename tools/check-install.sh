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
export PKG_CONFIG_PATH=$pc:$PWD/.deps/openssl/lib/pkgconfig LD_LIBRARY_PATH=$lib
flags() { pkg-config "$@" casemate; }

# ---- a model to read, and one of its tensors as the program has it

export CASEMATE_HOME=$stage/home
casemate() { "$prefix/bin/casemate" --quiet "$@"; }
casemate init --no-passphrase
"$build/tests/testlib/make-model" safetensors "$stage/m.safetensors" 3M
casemate seal "$stage/m.safetensors" --to "$CASEMATE_HOME/identity.pub" -o "$stage/m.sealed"
tensor=$(grep -aoE 'model[A-Za-z0-9_.]+weight' "$stage/m.safetensors" | sed -n 1p)
casemate cat "$stage/m.sealed" --tensor "$tensor" >"$stage/want"
digest=$(casemate inspect "$stage/m.sealed" --json | grep -oE '"digest": *"[0-9a-f]{64}' | grep -oE '[0-9a-f]{64}')

# What an example has to do is told by its name.
try() {
    "try_$example" "$1"
}

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

# compile OUT SOURCE COMPILER...: against the shared library, then the static one
compile() {
    local out=$1 source=$2
    shift 2
    # shellcheck disable=SC2046
    "$@" -Wall -Wextra -Werror "$source" -x none -o "$out-shared" $(flags --cflags --libs)
    ldd "$out-shared" | grep "libcasemate.so.0 => $lib" >/dev/null
    # shellcheck disable=SC2046
    "$@" -Wall -Wextra -Werror "$source" -x none -o "$out-static" $(flags --cflags) -Wl,-Bstatic -lcasemate \
        -Wl,-Bdynamic $(flags --libs --static | sed 's/-lcasemate//')
    ! ldd "$out-static" | grep libcasemate >/dev/null || { echo 'the static program is not'; exit 1; }
    try "$out-shared"
    try "$out-static"
}

for source in docs/examples/*.c; do
    example=$(basename "$source" .c)
    compile "$stage/c" "$source" gcc -std=c17
    if command -v g++ >/dev/null; then
        compile "$stage/cxx" "$source" g++ -x c++ -std=c++17 -Wno-missing-field-initializers
    else
        echo 'no g++: not tried as C++'
    fi
done
for library in "$lib"/libcasemate.{so,so.0,a}; do
    [ -e "$library" ] || { echo "no $library"; exit 1; }
done
module=$lib/pkcs11/libcasemate-pkcs11.so
[ -e "$module" ] || { echo "no $module"; exit 1; }
nm -D --defined-only "$module" | grep ' C_GetInterface$' >/dev/null || { echo 'the module exports no PKCS#11'; exit 1; }
if readelf -d "$lib/libcasemate.so" | grep -E 'NEEDED.*libcrypto' && [ -e .deps/openssl/lib/libcrypto.a ]; then
    echo 'the shared library still needs the system OpenSSL'
    exit 1
fi
