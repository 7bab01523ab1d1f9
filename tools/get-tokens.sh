#!/usr/bin/env bash
# get-tokens.sh PREFIX: software tokens that know ML-DSA and ML-KEM, for the end-to-end tests:
# openCryptoki and NSS of Debian's unstable release, the module of the YubiHSM 2, and OpenSSL with
# pkcs11-provider, with the libraries they need, below PREFIX/root. Nothing is installed: they run
# from there.
set -euo pipefail
export LC_ALL=C

# shellcheck disable=SC2034 # what apt-private.sh asks for
SUITES=sid
# shellcheck disable=SC2034
SECURITY=
TOOLS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
[ $# = 1 ] || {
    echo 'usage: get-tokens.sh PREFIX' >&2
    exit 2
}
mkdir -p "$1"
PREFIX=$(cd "$1" && pwd -P)
APT=$PREFIX/apt
LOG=$PREFIX/log
ROOT=$PREFIX/root
# shellcheck source=tools/apt-private.sh
. "$TOOLS/apt-private.sh"

# Some 15 MB. What only systems need is left out.
packages=(libc6 libgcc-s1 libssl3t64 openssl-provider-legacy libldap2 libsasl2-2 libtspi1 libcap2
    libzstd1 zlib1g libnspr4 libsqlite3-0 libnss3 libnss3-tools libopencryptoki0 opencryptoki)
yubihsm=(yubihsm-pkcs11 libyubihsm2 libyubihsm-http2 libcurl4t64 libnghttp2-14 libnghttp3-9
    libngtcp2-16 libngtcp2-crypto-ossl0 libidn2-0 libunistring5 libssh2-1t64 libpsl5t64
    libgssapi-krb5-2 libkrb5-3 libk5crypto3 libkrb5support0 libcom-err2 libkeyutils1 libbrotli1
    libykhsmauth2 libpcsclite1)
openssl=(openssl pkcs11-provider)

[ ! -e "$PREFIX/ready-2" ] || exit 0
: >"$LOG"
rm -rf "$ROOT" "$ROOT.new"
if ! apt_ready || ! fetch_debs "$ROOT.new" "${packages[@]}"; then
    rm -rf "$APT" "$ROOT.new"
    echo "tokens: the mirror has no openCryptoki and NSS of sid; see ${PREFIX##*/}/log" >&2
    exit 1
fi
fetch_debs "$ROOT.new" "${yubihsm[@]}" || echo 'tokens: no YubiHSM module' >&2
fetch_debs "$ROOT.new" "${openssl[@]}" || echo 'tokens: no pkcs11-provider' >&2
rm -rf "$APT" "$ROOT.new"/usr/share "$ROOT.new"/usr/lib/*/gconv "$ROOT.new"/usr/lib/systemd
mv "$ROOT.new" "$ROOT"
: >"$PREFIX/ready-2"
