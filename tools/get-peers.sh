#!/usr/bin/env bash
# get-peers.sh PREFIX: the newest age(1) that Debian has, for the bench to compare with: versions
# before 1.3 know no post-quantum recipient. Leaves PREFIX/bin/age and age-keygen; installs nothing.
set -euo pipefail
export LC_ALL=C

# shellcheck disable=SC2034 # what apt-private.sh asks for
SUITES=sid
# shellcheck disable=SC2034
SECURITY=
TOOLS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
[ $# = 1 ] || {
    echo 'usage: get-peers.sh PREFIX' >&2
    exit 2
}
mkdir -p "$1"
PREFIX=$(cd "$1" && pwd -P)
APT=$PREFIX/apt
LOG=$PREFIX/log
# shellcheck source=tools/apt-private.sh
. "$TOOLS/apt-private.sh"

usable() { "$PREFIX/bin/age" --version >/dev/null 2>&1 && "$PREFIX/bin/age-keygen" -pq >/dev/null 2>&1; }

! usable || exit 0
: >"$LOG"
ROOT=$PREFIX/root
if apt_ready && fetch_debs "$ROOT" age; then
    mkdir -p "$PREFIX/bin"
    for program in age age-keygen; do
        ln -srfn "$ROOT/usr/bin/$program" "$PREFIX/bin/$program"
    done
fi
rm -rf "$APT"
usable || {
    echo "peers: no age with post-quantum recipients; see ${PREFIX##*/}/log" >&2
    exit 1
}
