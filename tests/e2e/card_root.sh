#!/usr/bin/env bash
# A card without AES holds the root of a key server, because somebody said rsa-not-post-quantum:
# OpenSC's module, pcscd and an emulated SmartCard-HSM. OpenSC's own program opens what we wrapped.
# shellcheck source=tests/e2e/lib.sh
. "$CASEMATE_SOURCE/tests/e2e/lib.sh"
# shellcheck source=tests/e2e/card.sh
. "$CASEMATE_SOURCE/tests/e2e/card.sh"
card_alone
# shellcheck source=tests/e2e/server.sh
. "$CASEMATE_SOURCE/tests/e2e/server.sh"
: "${dir:?}" "${server?}"
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; cards_down' EXIT
cards_up
: "${opensc:?}"
card_in DENK0100003 kms

device() { casemate hsm "$@" --module "$opensc" --token 'kms (UserPIN)' --pin-file "$WORK/pin"; }
rsa() { device "$@" --wrapping rsa-not-post-quantum; }

# ---- without the word it has no wrapping key at all
expect 5 HSM_MECHANISM device init
ok rsa init
expect 0 'root key  hsm-wrapped-classical' rsa status
expect 3 HSM_KEY_CLASSICAL device status

# ---- a server whose root is on the card
serve() {
    launch --hsm-module "$opensc" --hsm-token 'kms (UserPIN)' --hsm-pin-file "$WORK/pin" \
        --hsm-wrapping rsa-not-post-quantum
}
serve
ready
absent "$dir/passphrase"
export CASEMATE_SERVER=$dir/admin.json
ok casemate key create k1 --type ML-DSA-65
casemate key info k1 --json | has '"custody": *"hsm-wrapped-classical"' || die 'custody of a key'
echo hello >"$WORK/data"
ok casemate key sign k1 --data "@$WORK/data"
finish
serve
ready
ok casemate key sign k1 --data "@$WORK/data"
finish

# ---- what we wrapped, opened by OpenSC's own program: raw RSA, as the card has it, and the OAEP of
# RFC 8017 around 32 bytes
python3 - "$dir" "$WORK/wrapped" <<'PY'
import pathlib, re, sys
for f in sorted(pathlib.Path(sys.argv[1]).glob("kms.db*")):
    found = re.search(rb"\x01\x05.{12}\x02\x00(.{512})", f.read_bytes(), re.S)
    if found:
        pathlib.Path(sys.argv[2]).write_bytes(found[1])
        break
PY
[ -s "$WORK/wrapped" ] || die 'no blob in the database'
pkcs11 --login --pin "$(cat "$WORK/pin")" --decrypt --mechanism RSA-X-509 \
    --id "$(printf casemate-root | od -An -tx1 | tr -d ' \n')" \
    --input-file "$WORK/wrapped" --output-file "$WORK/block" || die "pkcs11-tool: $(tail -3 "$WORK/tool.log")"
python3 - "$WORK/block" <<'PY' || die 'not what OAEP makes'
import hashlib, sys
def mask(seed, n):
    return b"".join(hashlib.sha256(seed + i.to_bytes(4, "big")).digest() for i in range(n // 32 + 1))[:n]
def xor(a, b):
    return bytes(x ^ y for x, y in zip(a, b))
em = open(sys.argv[1], "rb").read().rjust(512, b"\0")
db = em[33:]
seed = xor(em[1:33], mask(db, 32))
db = xor(db, mask(seed, len(db)))
front = hashlib.sha256(b"").digest() + bytes(len(db) - 65) + b"\1"
sys.exit(0 if em[0] == 0 and db.startswith(front) and len(db) == len(front) + 32 else 1)
PY

# ---- another card with the label opens nothing
card_in DENK0100004 kms
ok rsa init
: >"$WORK/log"
serve
for _ in $(seq 600); do
    ! grep -q 'UNSEAL_WRONG\|HSM_BLOB' "$WORK/log" || break
    sleep 0.1
done
grep -q 'UNSEAL_WRONG\|HSM_BLOB' "$WORK/log" || die "another card: $(tail -5 "$WORK/log")"
admin /readyz | has '"ready":false' || die 'ready by another card'
finish
echo ok
