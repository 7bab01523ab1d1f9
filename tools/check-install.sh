#!/usr/bin/env bash
# check-install.sh BUILD: what is installed compiles and runs outside the tree, shared and static.
set -euo pipefail
cd "$(dirname "$0")/.."
build=$PWD/$1
stage=$(mktemp -d "${TMPDIR:-/tmp}/casemate-install.XXXXXX")
trap 'rm -rf "$stage"' EXIT
DESTDIR=$stage meson install -C "$build" --no-rebuild --quiet
pc=$(dirname "$(find "$stage" -name casemate.pc)")
lib=$(dirname "$pc")
export PKG_CONFIG_PATH=$pc:$PWD/.deps/openssl/lib/pkgconfig
sed -i "s|^prefix=.*|prefix=$stage/usr/local|" "$pc/casemate.pc"
flags() { pkg-config "$@" casemate; }

cat >"$stage/hello.c" <<'END'
#include <casemate/err.h>
#include <stdio.h>
int main(void)
{
    return puts(cm_err_name(CM_OKAY)) < 0;
}
END
for source in "$stage/hello.c" examples/*.c; do
    [ -f "$source" ] || continue
    # shellcheck disable=SC2046
    gcc -Wall -Wextra -Werror "$source" -o "$stage/shared" $(flags --cflags --libs)
    LD_LIBRARY_PATH=$lib ldd "$stage/shared" | grep -q "libcasemate.so.0 => $lib"
    # shellcheck disable=SC2046
    gcc -Wall -Wextra -Werror "$source" -o "$stage/static" -Wl,-Bstatic -lcasemate -Wl,-Bdynamic \
        $(flags --cflags --libs --static | sed 's/-lcasemate//')
done
for library in "$lib"/libcasemate.{so,so.0,a}; do
    [ -e "$library" ] || { echo "no $library"; exit 1; }
done
if readelf -d "$lib/libcasemate.so" | grep -E 'NEEDED.*libcrypto' && [ -e .deps/openssl/lib/libcrypto.a ]; then
    echo 'the shared library still needs the system OpenSSL'
    exit 1
fi
