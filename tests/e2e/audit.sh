#!/usr/bin/env bash
# The audit log from outside: verify, prove, export, tail, witness, key.
# shellcheck source=tests/e2e/lib.sh
. "$CASEMATE_SOURCE/tests/e2e/lib.sh"
make_log=$CASEMATE_MAKE_LOG
PASS=PASS

"$make_log" log.db 1 0 700 last.tlog-proof >log.vkeys
[ "$(wc -l <log.vkeys)" = 3 ] || die 'not three keys'
ok casemate audit export --store log.db out
expect 0 '701 entries hashed again' casemate audit verify --key log.vkeys out last.tlog-proof
expect 0 'entry 700 of 701' casemate audit verify --key log.vkeys last.tlog-proof
expect 0 '2 passed, 2 skipped' casemate audit verify --key log.vkeys --store log.db
casemate audit verify --key log.vkeys out --json >v.json
json v.json 'e[-1]["failed"] == 0 and e[-1]["passed"] == 2'

# one key of three is enough to name, another log's is not
head -n 1 log.vkeys >one.vkeys
expect 0 "$PASS" casemate audit verify --key one.vkeys out/checkpoint
expect 0 "$PASS" casemate audit verify --key "$(head -n 1 log.vkeys)" out/checkpoint
"$make_log" other.db 2 0 10 >other.vkeys
expect 3 'AUDIT_UNSIGNED' casemate audit verify --key other.vkeys out
expect 3 'AUDIT_UNSIGNED' casemate audit verify --key log.vkeys --key other.vkeys out
expect 3 'AUDIT_ORIGIN' casemate audit verify --key log.vkeys --origin elsewhere.example out
expect 5 'AUDIT_KEY' casemate audit verify --key 'no+key' out
expect 2 'Give --key' casemate audit verify out
expect 4 'NO_FILE' casemate audit verify --key log.vkeys nowhere

# receipts of single entries; entries as they are printed
ok casemate audit prove 5 out -o 5.tlog-proof
expect 0 'entry 5 of 701' casemate audit verify --key log.vkeys 5.tlog-proof
ok casemate audit prove 5 --store log.db -o 5s.tlog-proof
same 5.tlog-proof 5s.tlog-proof
expect 4 'AUDIT_NO_LEAF' casemate audit prove 701 out
sed 's/^index 5$/index 6/' 5.tlog-proof >6.tlog-proof
expect 3 'MERKLE_PROOF' casemate audit verify --key log.vkeys 6.tlog-proof
casemate audit tail -n 3 out --json >t.json
json t.json '[x["index"] for x in e] == [698, 699, 700] and e[-1]["reason"] == "COMMIT_BUDGET"'
[ "$(casemate audit tail -n 300 out | wc -l)" = 300 ] || die 'tail'

# the log grows; what was seen before still holds, and can be asked for
cp out/checkpoint monday
"$make_log" log.db 1 1000 400 >/dev/null
ok casemate audit export --store log.db out
expect 0 'goes on from the 701 entries' casemate audit verify --key log.vkeys --since monday out

# damage of every kind of file is found, and named
for f in tile/entries/001 tile/0/001 tile/1/000.p/4 tile/entries/004.p/77 checkpoint; do
    cp -r out bad
    flip "bad/$f" 40
    expect 3 'FAIL' casemate audit verify --key log.vkeys bad
    [ "$f" = checkpoint ] || expect 3 "tile/" casemate audit verify --key log.vkeys bad
    rm -r bad
done
cp -r out bad
rm bad/tile/entries/002
expect 3 'tile/entries/002' casemate audit verify --key log.vkeys bad
rm -r bad

# witnesses: each cosigns what goes on, and nothing else
for w in w1 w2; do ok casemate key new --type ML-DSA-44 --out $w.pem --no-passphrase; done
ok casemate key new --type Ed25519 --out w3.pem --no-passphrase
for w in w1 w2 w3; do casemate audit key --name $w.example $w.pub >$w.vkey; done
witness() { # NAME WHAT...
    local w=$1
    shift
    casemate audit witness --key log.vkeys --sign "$w.pem" --name "$w.example" --state "$w.seen" "$@"
}
"$make_log" young.db 1 0 700 >/dev/null
ok casemate audit export --store young.db young
expect 0 'w1.example' witness w1 young
expect 0 'w1.example' witness w1 young # once more: the same tree
expect 3 'AUDIT_QUORUM' casemate audit verify --key log.vkeys --witness w1.vkey out
# young.db is another log of the same keys and origin: it parts from the other at entry 700
ok witness w2 out --merge out/checkpoint
expect 3 'AUDIT_SHRUNK' witness w2 young
expect 3 '--- refused ---' witness w2 young
cmp -s out/checkpoint w2.seen || die 'what was refused is remembered'
"$make_log" young.db 1 5000 900 >/dev/null
ok casemate audit export --store young.db young
expect 3 'AUDIT_FORK' witness w2 young
ok witness w1 out
expect 0 "$PASS" casemate audit verify --key log.vkeys --witness w2.vkey out
expect 3 'AUDIT_QUORUM' casemate audit verify --key log.vkeys --witness w2.vkey --witness w3.vkey out
expect 0 '1 of 2' casemate audit verify --key log.vkeys --witness w2.vkey --witness w3.vkey --quorum 1 out
ok witness w3 out --merge out/checkpoint
expect 0 '2 of 2' casemate audit verify --key log.vkeys --witness w2.vkey --witness w3.vkey out

# a witness far away gets a proof by file
"$make_log" log.db 1 9000 30 >/dev/null
ok casemate audit export --store log.db out
ok casemate audit prove --since-size 1101 out -o request
expect 0 'w2.example' witness w2 request --merge cosigned
expect 0 "$PASS" casemate audit verify --key log.vkeys --witness w2.vkey cosigned
expect 6 'AUDIT_OLD' witness w2 request
expect 2 '--state is needed' casemate audit witness --key log.vkeys out
expect 2 'witnesses sign with' casemate audit key --name x w1.pem "$(casemate key new --type ML-DSA-65 \
    --out p.pem --no-passphrase >/dev/null && echo p.pem)"
