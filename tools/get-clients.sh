#!/usr/bin/env bash
# get-clients.sh PREFIX: curl and h2load that know post-quantum key exchange, for the end-to-end
# tests: this system's where its OpenSSL is new enough, else Debian 13's with every library they
# need, run from PREFIX/root. Leaves PREFIX/bin/curl and h2load; installs nothing.
set -euo pipefail
export LC_ALL=C

# shellcheck disable=SC2034 # what apt-private.sh asks for
SUITES='trixie trixie-updates'
# shellcheck disable=SC2034
SECURITY=trixie-security
TOOLS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
[ $# = 1 ] || {
    echo 'usage: get-clients.sh PREFIX' >&2
    exit 2
}
mkdir -p "$1/bin"
PREFIX=$(cd "$1" && pwd -P)
APT=$PREFIX/apt
LOG=$PREFIX/log
ROOT=$PREFIX/root
# shellcheck source=tools/apt-private.sh
. "$TOOLS/apt-private.sh"

usable() {
    [[ $("$PREFIX/bin/curl" --version 2>/dev/null) =~ OpenSSL/(3\.[5-9]|[4-9]) ]] &&
        "$PREFIX/bin/h2load" --version >/dev/null 2>&1
}

# The system's own, when both are there.
system_clients() {
    local program
    for program in curl h2load; do
        command -v "$program" >/dev/null || return 1
        ln -sfn "$(command -v "$program")" "$PREFIX/bin/$program"
    done
    usable
}

# program NAME: a script that runs ROOT's program with ROOT's loader and libraries.
program() {
    local loader libraries=$ROOT/usr/lib/$TRIPLET:$ROOT/lib/$TRIPLET
    loader=$(find "$ROOT" -name 'ld-linux-*.so.*' -o -name 'ld64.so.*' | sort | sed -n 1p)
    rm -f "$PREFIX/bin/$1"
    printf '#!/bin/sh\nexec %s --library-path %s %s "$@"\n' \
        "'$loader'" "'$libraries'" "'$ROOT/usr/bin/$1'" >"$PREFIX/bin/$1"
    chmod 755 "$PREFIX/bin/$1"
}

# Every library of the closure comes along: the status file is empty.
private_clients() {
    local deb
    apt_ready || return 1
    APT_CONFIG=$APT/apt.conf apt-get -qq -y --no-install-recommends --download-only \
        install curl nghttp2-client >>"$LOG" 2>&1 || return 1
    rm -rf "$ROOT"
    mkdir -p "$ROOT"
    for deb in "$APT"/cache/archives/*.deb; do
        case ${deb##*/} in
        curl_* | nghttp2-client_* | lib*) dpkg-deb -x "$deb" "$ROOT" >>"$LOG" 2>&1 || return 1 ;;
        esac
    done
    TRIPLET=$(dpkg-architecture -qDEB_HOST_MULTIARCH 2>/dev/null || gcc -print-multiarch)
    program curl
    program h2load
}

! usable || exit 0
: >"$LOG"
system_clients || private_clients || true
rm -rf "$APT"
usable || {
    echo "clients: no curl and h2load with OpenSSL 3.5; see ${PREFIX##*/}/log" >&2
    exit 1
}
