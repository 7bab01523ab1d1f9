#!/usr/bin/env bash
# get-openssl.sh PREFIX [auto|system|deb|source]: have an OpenSSL >= 3.5 to link with.
#
#   system  the machine's own, when pkg-config finds it new enough
#   deb     the static archives of a newer Debian, unpacked into PREFIX: seconds, no root
#   source  the same Debian's source package, built into PREFIX: minutes
#   auto    the first of these that works
#
# Mirrors, proxies and keys are the ones apt already uses here, through a private apt state below
# PREFIX; apt's own signature check stays on and nothing outside PREFIX changes. Leaves
#   lib/pkgconfig/*.pc           what the build reads (not in system mode)
#   bin/openssl                  a command line of the same version, for the interop tests
#   lib/ossl-modules/fips.so     with etc/fipsmodule.cnf, when the package can be had
#   stamp                        how it was got and which version; delete PREFIX to fetch afresh
set -euo pipefail
export LC_ALL=C

WANT=3.5
# shellcheck disable=SC2034 # what apt-private.sh asks for
SUITES='trixie trixie-updates'
# shellcheck disable=SC2034
SECURITY=trixie-security
say() { printf 'openssl: %s\n' "$*"; }
die() {
    say "$*" >&2
    exit 1
}

[ $# -ge 1 ] || die 'usage: get-openssl.sh PREFIX [auto|system|deb|source]'
mkdir -p "$1"
PREFIX=$(cd "$1" && pwd -P)
MODE=${2:-auto}
TOOLS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
CC=${CC:-cc}
APT=$PREFIX/apt
LOG=$PREFIX/log
# shellcheck source=tools/apt-private.sh
. "$TOOLS/apt-private.sh"

# ---------------------------------------------------------------- routes

system_new_enough() { pkg-config --atleast-version=$WANT libcrypto 2>/dev/null; }

from_system() {
    system_new_enough || return 1
    mkdir -p "$PREFIX/bin"
    ln -sf "$(command -v openssl || echo /usr/bin/openssl)" "$PREFIX/bin/openssl"
    system_fips || :
    VERSION=$(pkg-config --modversion libcrypto)
    PACKAGE=$(dpkg-query -W -f '${Version}' libssl-dev 2>/dev/null || echo "$VERSION")
}

system_fips_module() { find /usr/lib -path '*/ossl-modules/fips.so' 2>/dev/null | sed -n 1p; }

system_fips() {
    local so
    so=$(system_fips_module)
    [ -n "$so" ] || return 1
    mkdir -p "$PREFIX/lib/ossl-modules" "$PREFIX/etc"
    ln -sf "$so" "$PREFIX/lib/ossl-modules/fips.so"
    "$PREFIX/bin/openssl" fipsinstall -module "$so" -out "$PREFIX/etc/fipsmodule.cnf" >>"$LOG" 2>&1
}

# What a glibc before 2.38 lacks of the names that newer headers redirect to. The assembler names
# keep these from calling themselves when the compiler's own headers redirect too.
build_shim() {
    cat >"$PREFIX/shim.c" <<'END'
#include <stdarg.h>
#include <stdio.h>
long real_strtol(const char *s, char **end, int base) __asm__("strtol");
unsigned long real_strtoul(const char *s, char **end, int base) __asm__("strtoul");
int real_vsscanf(const char *s, const char *fmt, va_list ap) __asm__("vsscanf");
long __isoc23_strtol(const char *s, char **end, int base);
unsigned long __isoc23_strtoul(const char *s, char **end, int base);
int __isoc23_sscanf(const char *s, const char *fmt, ...);
long __isoc23_strtol(const char *s, char **end, int base)
{
    return real_strtol(s, end, base);
}
unsigned long __isoc23_strtoul(const char *s, char **end, int base)
{
    return real_strtoul(s, end, base);
}
int __isoc23_sscanf(const char *s, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = real_vsscanf(s, fmt, ap);
    va_end(ap);
    return n;
}
END
    "$CC" -O2 -fPIC -fvisibility=hidden -c "$PREFIX/shim.c" -o "$PREFIX/shim.o" >>"$LOG" 2>&1 &&
        ar r "$PREFIX/lib/libcrypto.a" "$PREFIX/shim.o" >>"$LOG" 2>&1
}

# Only these archives are kept out of what we export: a bare ALL would hide our own archives too.
write_pc() {
    local hide='-Wl,--exclude-libs,libcrypto.a:libssl.a' extra=$1
    mkdir -p "$PREFIX/lib/pkgconfig"
    local head="prefix=\${pcfiledir}/../..
libdir=\${prefix}/lib
includedir=\${prefix}/include
package=$PACKAGE
"
    printf '%s\n' "$head" "Name: libcrypto" "Description: OpenSSL cryptography, static" \
        "Version: $VERSION" "Libs: \${libdir}/libcrypto.a $hide $extra -ldl -pthread" \
        "Cflags: -isystem \${includedir}" >"$PREFIX/lib/pkgconfig/libcrypto.pc"
    printf '%s\n' "$head" "Name: libssl" "Description: OpenSSL TLS, static" \
        "Version: $VERSION" "Requires: libcrypto" "Libs: \${libdir}/libssl.a $hide" \
        "Cflags: -isystem \${includedir}" >"$PREFIX/lib/pkgconfig/libssl.pc"
    printf '%s\n' "$head" "Name: openssl" "Description: OpenSSL, static" \
        "Version: $VERSION" "Requires: libssl libcrypto" >"$PREFIX/lib/pkgconfig/openssl.pc"
}

from_deb() {
    local root=$PREFIX/root lib
    apt_ready || return 1
    rm -rf "${root:?}" "${PREFIX:?}/lib" "$PREFIX/include"
    fetch_debs "$root" libssl-dev || return 1
    PACKAGE=$(deb_version libssl-dev)
    VERSION=${PACKAGE%%-*}
    lib=$(dirname "$(find "$root/usr/lib" -name libcrypto.a)")
    mkdir -p "$PREFIX/lib" "$PREFIX/include"
    cp "$lib"/lib{crypto,ssl}.a "$PREFIX/lib/"
    cp -R "$root/usr/include/openssl" "$PREFIX/include/"
    # The configuration header lives in the architecture's own include folder.
    find "$root/usr/include" -path '*-linux-gnu*/openssl/*.h' -exec cp {} "$PREFIX/include/openssl/" \;
    rm -rf "$root"
    build_shim || return 1
    write_pc '-Wl,-l:libz.so.1,-l:libzstd.so.1'
    get_cli
    get_fips
}

# The command line needs its own release's libc, so it runs through that libc's loader.
get_cli() {
    local cli=$PREFIX/cli lib loader
    rm -rf "$cli"
    if ! fetch_debs "$cli" openssl libssl3t64 libc6 zlib1g libzstd1; then
        say 'the command line could not be fetched: interop tests will be skipped'
        return 0
    fi
    lib=$(dirname "$(find "$cli/usr/lib" -name 'libcrypto.so.3' | sed -n 1p)")
    loader=$(find "$lib" -name 'ld-linux*.so.*' | sed -n 1p)
    mkdir -p "$PREFIX/bin"
    rm -f "$PREFIX/bin/openssl" # it may be a link to the system's
    cat >"$PREFIX/bin/openssl" <<END
#!/bin/sh
# Runs a newer release's openssl(1) through its own C library.
here=\$(cd "\$(dirname "\$(readlink -f "\$0")")/.." && pwd -P)
lib=\$here/${lib#"$PREFIX"/}
: "\${OPENSSL_CONF=\$here/cli/etc/ssl/openssl.cnf}"
: "\${OPENSSL_MODULES=\$lib/ossl-modules}"
export OPENSSL_CONF OPENSSL_MODULES
exec "\$here/${loader#"$PREFIX"/}" --library-path "\$lib" "\$here/cli/usr/bin/openssl" "\$@"
END
    chmod +x "$PREFIX/bin/openssl"
}

get_fips() {
    local so dir=$PREFIX/lib/ossl-modules
    if ! fetch_debs "$PREFIX/fips" openssl-provider-fips; then
        say 'no FIPS provider package: tests of the fips profile will be skipped'
        return 0
    fi
    so=$(find "$PREFIX/fips" -name fips.so | sed -n 1p)
    mkdir -p "$dir" "$PREFIX/etc"
    cp "$so" "$dir/fips.so" && rm -rf "$PREFIX/fips"
    if ! "$PREFIX/bin/openssl" fipsinstall -module "$dir/fips.so" \
        -out "$PREFIX/etc/fipsmodule.cnf" >>"$LOG" 2>&1; then
        say 'the FIPS provider failed its self test: left out'
        rm -f "$dir/fips.so"
    fi
}

# The newest source package that the mirror really has: some list sources they do not keep.
fetch_source() {
    local dir=$1 v
    for v in $(APT_CONFIG=$APT/apt.conf apt-cache showsrc openssl 2>>"$LOG" |
        sed -n 's/^Version: //p' | sort -Vru); do
        rm -rf "$dir" && mkdir -p "$dir/tree"
        (cd "$dir" && APT_CONFIG=$APT/apt.conf apt-get -qq --download-only source "openssl=$v") \
            >>"$LOG" 2>&1 && return 0
        say "the mirror does not have the source of $v"
    done
    return 1
}

from_source() {
    local src=$PREFIX/src tar jobs
    apt_ready || return 1
    command -v perl >/dev/null && command -v make >/dev/null || return 1
    jobs=$(nproc 2>/dev/null || echo 2)
    fetch_source "$src" || return 1
    say 'building the source package: this takes some minutes'
    tar=$(find "$src" -maxdepth 1 -name '*.orig.tar.*' ! -name '*.asc' | sed -n 1p)
    tar -xf "$tar" -C "$src/tree" --strip-components=1
    tar -xf "$(find "$src" -maxdepth 1 -name '*.debian.tar.*' | sed -n 1p)" -C "$src/tree"
    PACKAGE=$(basename "$(find "$src" -maxdepth 1 -name '*.dsc')" .dsc)
    PACKAGE=${PACKAGE#openssl_}
    VERSION=${PACKAGE%%-*}
    (cd "$src/tree" && bash -euo pipefail -s "$PREFIX" "$jobs") >>"$LOG" 2>&1 <<'END' || return 1
sed '/^ *#/d; /^$/d' debian/patches/series | while read -r p; do
    patch -s -p1 <"debian/patches/$p"
done
./Configure --prefix="$1" --libdir=lib --openssldir=/usr/lib/ssl no-shared no-tests no-docs \
    enable-fips -fPIC </dev/null
make -s -j"$2" </dev/null
make -s install_sw </dev/null
# Not install_fips: it writes below openssldir, which is not ours.
mkdir -p "$1/lib/ossl-modules" "$1/etc"
cp providers/fips.so "$1/lib/ossl-modules/"
"$1/bin/openssl" fipsinstall -module "$1/lib/ossl-modules/fips.so" -out "$1/etc/fipsmodule.cnf"
END
    rm -rf "$src"
    write_pc ''
}

# ---------------------------------------------------------------- proof that it is what we need

probe() {
    local flags
    cat >"$PREFIX/probe.c" <<'END'
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <stdio.h>
int main(void)
{
    static const char *const algs[] = {"ML-KEM-512", "ML-KEM-768", "ML-KEM-1024", "ML-DSA-44",
                                       "ML-DSA-65", "ML-DSA-87", "SLH-DSA-SHA2-128s", "X25519"};
    for (size_t i = 0; i < sizeof algs / sizeof *algs; i++) {
        EVP_PKEY *k = EVP_PKEY_Q_keygen(NULL, NULL, algs[i]);
        if (k == NULL)
            return fprintf(stderr, "no %s\n", algs[i]), 1;
        EVP_PKEY_free(k);
    }
    SSL_CTX *ctx = SSL_CTX_new(TLS_method());
    if (ctx == NULL || SSL_CTX_set1_groups_list(ctx, "X25519MLKEM768") != 1)
        return fprintf(stderr, "no X25519MLKEM768\n"), 1;
    SSL_CTX_free(ctx);
    puts(OpenSSL_version(OPENSSL_VERSION));
    return 0;
}
END
    flags=$(PKG_CONFIG_PATH=$PREFIX/lib/pkgconfig pkg-config --cflags --libs libssl libcrypto)
    # shellcheck disable=SC2086
    "$CC" "$PREFIX/probe.c" -o "$PREFIX/probe" $flags >>"$LOG" 2>&1 || return 1
    LINKED=$("$PREFIX/probe" 2>>"$LOG") || return 1
    rm -f "$PREFIX/probe" "$PREFIX/probe.c"
}

finish() {
    rm -rf "$APT" "$PREFIX/shim.c" "$PREFIX/shim.o"
    printf 'want=%s\nmode=%s\npackage=%s\nlinked=%s\n' "$WANTED" "$1" "$PACKAGE" "$LINKED" \
        >"$PREFIX/stamp"
    say "$LINKED ($1, package $PACKAGE)"
}

# A system OpenSSL that appears, or one that goes, makes the stamp stale; so does a new script.
found=none
! system_new_enough || found="system $(system_fips_module)"
WANTED="$MODE $found $(cat "$TOOLS"/{get-openssl,apt-private}.sh | cksum | cut -d' ' -f1)"
exec 8>"$PREFIX/lock"
flock -w 900 8 2>/dev/null || :
if [ -r "$PREFIX/stamp" ] && grep -qxF "want=$WANTED" "$PREFIX/stamp"; then
    say "$(sed -n 's/^linked=//p' "$PREFIX/stamp") ($(sed -n 's/^mode=//p' "$PREFIX/stamp"), ready)"
    exit 0
fi
rm -f "$PREFIX/stamp"
: >"$LOG"

case $MODE in
auto) routes='system deb source' ;;
system | deb | source) routes=$MODE ;;
*) die "unknown mode $MODE: use auto, system, deb or source" ;;
esac
for route in $routes; do
    if "from_$route" && probe; then
        finish "$route"
        exit 0
    fi
    [ "$route" = system ] || say "the $route route failed; the last lines of $LOG:" >&2
    [ "$route" = system ] || tail -n 5 "$LOG" >&2
done
die "no OpenSSL >= $WANT: install libssl-dev of that version, or see $LOG"
