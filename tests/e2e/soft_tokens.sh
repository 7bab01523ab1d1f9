#!/usr/bin/env bash
# Software tokens that want folders of the system, in a mount namespace of this test's own: to be
# sourced after lib.sh.
#
#   tokens_alone             the rest of the test runs in that namespace, or is skipped
#   sid_tokens ROOT          Debian sid's tokens, to run from ROOT; false: there are none
#   opencryptoki_up ROOT     its daemon, and a token "kms" with the PIN that $WORK/pin has
#   opencryptoki_down ROOT   the daemon stopped
#   nss_up ROOT DIR          a database in ROOT's DIR with that PIN
#   nss ROOT DIR VERB ...    casemate hsm VERB on it
#   device ROOT VERB ...     casemate hsm VERB with the PIN, its casemate-p11d run in ROOT
# ROOT is empty for this system.
[ -n "${WORK:-}" ] || exit 2
so_pin=73519264
echo 482916 >"$WORK/pin"

# A mount here is nobody else's, nor is the memory that openCryptoki's processes share: two tests
# with its daemon run side by side. All is gone with the last process.
tokens_alone() {
    [ -z "${CASEMATE_ALONE:-}" ] || return 0
    if [ "$(id -u)" != 0 ] || ! unshare -m -i true 2>/dev/null; then
        echo 'SKIP: tokens with folders of the system need root and a mount namespace'
        exit 77
    fi
    CASEMATE_ALONE=1 exec unshare -m -i bash -euo pipefail "$0"
}

in_root() {
    local root=$1
    shift
    if [ -n "$root" ]; then
        chroot "$root" "$@"
    else
        "$@"
    fi
}

# The programs of a newer C library, with ours of casemate-p11d's libraries that it lacks.
sid_tokens() {
    local root=$1 lib
    [ -d "${CASEMATE_TOKENS:-}" ] || return 1
    cp -a "$CASEMATE_TOKENS" "$root"
    mkdir -p "$root"/{proc,dev,tmp,etc,run/lock,var/lib,var/log}
    [ -e "$root/lib64" ] || ln -s usr/lib64 "$root/lib64"
    [ -e "$root/lib" ] || ln -s usr/lib "$root/lib"
    rm -rf "$root/var/lock"
    ln -s ../run/lock "$root/var/lock"
    printf 'root:x:0:0::/:/bin/false\npkcsslotd:x:998:999::/:/bin/false\n' >"$root/etc/passwd"
    printf 'root:x:0:\npkcs11:x:999:root,pkcsslotd\n' >"$root/etc/group"
    printf 'passwd: files\ngroup: files\n' >"$root/etc/nsswitch.conf"
    mount --rbind /proc "$root/proc"
    mount --rbind /dev "$root/dev"
    cp "$CASEMATE_P11D" "$root/usr/bin/casemate-p11d"
    while read -r lib; do
        [ -n "$(find "$root/usr/lib/" -name "${lib##*/}")" ] || cp -L "$lib" "$root$(dirname "$lib")"
    done < <(ldd "$CASEMATE_P11D" | awk '$2 == "=>" { print $3 }')
    # casemate starts the casemate-p11d beside it.
    mkdir "$root.bin"
    cp "$CASEMATE_CLI" "$root.bin/casemate"
    printf '#!/bin/sh\nexec chroot %s /usr/bin/casemate-p11d "$@"\n' "'$root'" \
        >"$root.bin/casemate-p11d"
    chmod 755 "$root.bin/casemate-p11d"
}

device() {
    local root=$1
    shift
    "${root:+$root.bin/}casemate" hsm "$@" --pin-fd 5 5<"$WORK/pin" 2>>"$WORK/p11d.log"
}

# ---- openCryptoki

# Folders that are this test's own, for its group.
opencryptoki_folders() {
    local root=$1 group
    group=$(awk -F: '$1 == "pkcs11" { print $3 }' "$root/etc/group")
    mount -t tmpfs -o mode=755 casemate "$root/run"
    mount -t tmpfs -o mode=1777 casemate "$root/dev/shm"
    mount -t tmpfs -o mode=755 casemate "$root/var/lib/opencryptoki"
    mkdir -p "$root"/run/{opencryptoki,lock/opencryptoki/swtok} "$root/var/log/opencryptoki" \
        "$root/var/lib/opencryptoki/swtok/TOK_OBJ"
    chown -R "0:$group" "$root"/run/{opencryptoki,lock/opencryptoki} "$root/var/lib/opencryptoki"
    chmod -R 770 "$root"/run/{opencryptoki,lock/opencryptoki} "$root/var/lib/opencryptoki"
    [ -z "$root" ] || chown 998 "$root/run/opencryptoki"
    [ -z "$root" ] || chown -R "0:$group" "$root/etc/opencryptoki" "$root/var/log/opencryptoki"
    [ -z "$root" ] || chmod 640 "$root/etc/opencryptoki/strength.conf"
    printf 'version opencryptoki-3.8\n\nslot 0\n{\nstdll = libpkcs11_sw.so\n}\n' \
        >"$WORK/opencryptoki.conf"
    chmod 644 "$WORK/opencryptoki.conf"
    mount --bind "$WORK/opencryptoki.conf" "$root/etc/opencryptoki/opencryptoki.conf"
}

opencryptoki_pin() {
    local root=$1 pin
    pin=$(cat "$WORK/pin")
    echo kms | in_root "$root" /usr/sbin/pkcsconf -I -c 0 -S 87654321
    in_root "$root" /usr/sbin/pkcsconf -P -c 0 -S 87654321 -n "$so_pin"
    in_root "$root" /usr/sbin/pkcsconf -u -c 0 -S "$so_pin" -n 111111
    in_root "$root" /usr/sbin/pkcsconf -p -c 0 -U 111111 -n "$pin"
}

opencryptoki_up() {
    local root=$1
    opencryptoki_folders "$root"
    in_root "$root" /usr/sbin/pkcsslotd >>"$WORK/slotd.log" 2>&1
    for _ in $(seq 3000); do
        if [ -S "$root/run/opencryptoki/pkcsslotd.socket" ] || [ -S "$root/run/pkcsslotd.socket" ]; then
            break
        fi
        sleep 0.1
    done
    opencryptoki_pin "$root" >>"$WORK/slotd.log" 2>&1 ||
        die "no token of openCryptoki: $(tail -5 "$WORK/slotd.log")"
}

opencryptoki_down() {
    local root=$1 file daemon
    for file in "$root"/run/pkcsslotd.pid "$root"/run/opencryptoki/pkcsslotd.pid; do
        [ -r "$file" ] && daemon=$(cat "$file") && kill "$daemon" 2>/dev/null || continue
        # Its end takes the shared memory along: the next one must not have begun.
        for _ in $(seq 3000); do
            readlink "/proc/$daemon/exe" >/dev/null 2>&1 || break
            sleep 0.1
        done
    done
}

# ---- NSS

nss_up() {
    local root=$1 dir=$2
    mkdir -p "$root$dir"
    cp "$WORK/pin" "$root$dir/pin"
    in_root "$root" /usr/bin/certutil -N -d "sql:$dir" -f "$dir/pin" >>"$WORK/nss.log" 2>&1 ||
        die "no database of NSS: $(tail -5 "$WORK/nss.log")"
}

nss() {
    local root=$1 dir=$2 verb=$3
    device "$root" "$verb" --module "$(module_in "$root" libsoftokn3.so)" --token 'NSS Certificate DB' \
        --init "configdir='sql:$dir' certPrefix='' keyPrefix='' secmod='secmod.db' flags=" \
        --write "$dir" "${@:4}"
}

# module_in ROOT NAME: its path there
module_in() {
    local path
    path=$(find "$1"/usr/lib "$1"/usr/lib/* -maxdepth 2 -name "$2" 2>/dev/null | sort | sed -n 1p)
    [ -n "$path" ] || return 1
    echo "${path#"$1"}"
}
