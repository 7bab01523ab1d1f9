#!/usr/bin/env bash
# Test roots are in the test programs and in nothing that is installed; a release refuses what the
# test programs accept (AT-5).
# shellcheck source=tests/e2e/lib.sh
. "$CASEMATE_SOURCE/tests/e2e/lib.sh"

cat >holds.py <<'PY'
"""holds.py ROOTS PROGRAM: how many of the test roots' keys, and of their names, a file holds."""
import re
import sys
text = open(sys.argv[1]).read()
keys = [bytes(int(b, 16) for b in re.findall(r"0x([0-9a-f]{2})", body))
        for body in re.findall(r"key\d+\[\] = \{(.*?)\}", text, re.S)]
assert len(keys) >= 11 and all(len(k) > 80 for k in keys)
# The end of a key is its own; its beginning is every key's of the kind.
have = open(sys.argv[2], "rb").read()
print(sum(k[-64:] in have for k in keys), sum(w in have for w in (b"minted: ", b"mint_roots")))
PY
holds() { python3 holds.py "$CASEMATE_SOURCE/tests/mint/roots.c" "$1"; }
every=$(grep -c '^static const uint8_t key' "$CASEMATE_SOURCE/tests/mint/roots.c")
build=$(dirname "$(dirname "$(dirname "$CASEMATE_CLI")")")

for f in "$CASEMATE_CLI_TESTROOTS" "$CASEMATE_KMSD_TESTROOTS"; do
    [ "$(holds "$f")" = "$every 2" ] || die "$f lacks test roots: the search proves nothing"
done
released=0
for f in "$CASEMATE_CLI" "$CASEMATE_KMSD" "$CASEMATE_KEYD" "$CASEMATE_P11D" "$CASEMATE_PKCS11" \
    "$build"/libcasemate.so "$build"/libcasemate.a "$build"/libcasemate-verify.so \
    "$build"/libcasemate-verify.a; do
    [ -f "$f" ] || die "$f is missing"
    [ "$(holds "$f")" = '0 0' ] || die "$f holds test roots"
    released=$((released + 1))
done
[ "$released" = 9 ] || die "$released files were searched"
# The table above is that of the keys which sign.
"$CASEMATE_MINT" roots | tr -d ' \n' >printed
tr -d ' \n' <"$CASEMATE_SOURCE/tests/mint/roots.c" >kept
cmp printed kept

nonce=$(printf '%064d' 12345)
for kind in $("$CASEMATE_MINT" kinds); do
    "$CASEMATE_MINT" "$kind" --out "$kind" --at 1800000000 --nonce "$nonce" >said
    set=$kind/evidence.bin
    case $kind in
    app-assertion | tpm-listed) continue ;; # the policy names the key: there is no root
    tpm) set=$kind/evidence.pack ;;         # quote, signature, key and values in one file
    esac
    expect 0 'PASS  chain' "$CASEMATE_CLI_TESTROOTS" attest verify "$set" \
        --at 1800000000 --may-skip all --allow-debug --nonce "$nonce"
    expect 3 'FAIL  chain' casemate attest verify "$set" \
        --at 1800000000 --may-skip all --allow-debug --nonce "$nonce"
    expect 3 'FAIL  fresh' "$CASEMATE_CLI_TESTROOTS" attest verify "$set" \
        --at 1800000000 --may-skip all --allow-debug --nonce "${nonce}01"
done
