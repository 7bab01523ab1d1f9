#!/usr/bin/env bash
# Smart cards that are emulated, in a reader that is, under the system's pcscd and OpenSC: to be
# sourced after lib.sh. All of it lives in a namespace of the test's own, for pcscd knows one place
# for its socket, and the reader's driver one port.
#   card_alone           the rest of the test runs there, or is skipped
#   cards_up, cards_down pcscd, and who puts cards into its reader
#   card WORD...         see card_emulator.py
#   card_in SERIAL LABEL a card with that label and the PIN of $WORK/pin is in the reader, made so by
#                        OpenSC's own program if it is new; card_again SERIAL: one that was
#   card_out             none is
#   pkcs11 ...           OpenSC's pkcs11-tool
[ -n "${WORK:-}" ] || exit 2
opensc=$(find /usr/lib /usr/lib/*-linux-gnu* -maxdepth 1 -name opensc-pkcs11.so 2>/dev/null | sed -n 1p || true)
vpcd=/usr/lib/pcsc/drivers/serial/libifdvpcd.so
emulator=$CASEMATE_SOURCE/tests/e2e/card_emulator.py
so_pin=3537363231383830
export opensc
echo 482916 >"$WORK/pin"

card_alone() {
    local tool
    [ -z "${CASEMATE_ALONE:-}" ] || return 0
    if [ -z "$opensc" ] || [ ! -r "$vpcd" ]; then
        echo 'SKIP: no OpenSC or no virtual reader (packages opensc-pkcs11, vsmartcard-vpcd)'
        exit 77
    fi
    for tool in pcscd pkcs11-tool sc-hsm-tool; do
        PATH=$PATH:/usr/sbin command -v "$tool" >/dev/null || {
            echo "SKIP: no $tool (packages pcscd, opensc)"
            exit 77
        }
    done
    python3 -c 'import cryptography' 2>/dev/null || {
        echo 'SKIP: no card to emulate (package python3-cryptography)'
        exit 77
    }
    if [ "$(id -u)" != 0 ] || ! unshare -m -n true 2>/dev/null; then
        echo 'SKIP: pcscd of our own needs root, a mount namespace and one of networks'
        exit 77
    fi
    CASEMATE_ALONE=1 exec unshare -m -n bash -euo pipefail "$0"
}

cards_up() {
    python3 - <<'PY'
import fcntl, socket, struct
up = struct.pack("16sH14x", b"lo", 1)
fcntl.ioctl(socket.socket(), 0x8914, up)
PY
    mount -t tmpfs -o mode=755 casemate /run
    mkdir -p "$WORK/readers"
    printf 'FRIENDLYNAME "Virtual PCD"\nDEVICENAME /dev/null:0x8C7B\nLIBPATH %s\nCHANNELID 0x8C7B\n' \
        "$vpcd" >"$WORK/readers/vpcd"
    /usr/sbin/pcscd --foreground --config "$WORK/readers" >"$WORK/pcscd.log" 2>&1 &
    pcscd=$!
    python3 "$emulator" $((0x8C7B)) "$WORK/card" 2>"$WORK/card.log" &
    cards=$!
    for _ in $(seq 3000); do
        if [ -S "$WORK/card" ] && [ -S /run/pcscd/pcscd.comm ]; then
            return
        fi
        sleep 0.1
    done
    die "no reader: $(tail -5 "$WORK/pcscd.log" "$WORK/card.log")"
}

cards_down() {
    kill "${pcscd:-}" "${cards:-}" 2>/dev/null || true
    wait 2>/dev/null || true
}

card() {
    python3 - "$WORK/card" "$@" <<'PY'
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
s.connect(sys.argv[1])
s.sendall((" ".join(sys.argv[2:]) + "\n").encode())
print(s.recv(1000).decode(), end="")
PY
}
pkcs11() { pkcs11-tool --module "$opensc" "$@" 2>>"$WORK/tool.log"; }

# until_slots TEXT: OpenSC says so of its slots
until_slots() {
    for _ in $(seq 3000); do
        if pkcs11 -L 2>&1 | has -- "$1"; then
            return
        fi
        sleep 0.1
    done
    die "$1 is not what is in the reader: $(pkcs11 -L 2>&1)"
}

card_again() {
    card insert "$1" >/dev/null
    until_slots "serial num *: $1\$"
}

card_in() {
    card_again "$1"
    sc-hsm-tool --initialize --so-pin "$so_pin" --pin "$(cat "$WORK/pin")" --label "$2" \
        >>"$WORK/tool.log" 2>&1 || die "no card: $(tail -5 "$WORK/tool.log")"
    until_slots "token label *: $2 (UserPIN)\$"
}

card_out() {
    card remove >/dev/null
    for _ in $(seq 3000); do
        pkcs11 -L 2>&1 | has 'serial num' || return 0
        sleep 0.1
    done
    die 'the card is still there'
}
