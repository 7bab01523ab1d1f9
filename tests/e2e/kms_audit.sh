#!/usr/bin/env bash
# The log of a running server from outside: followed, proven, exported, checked with public keys
# alone, over the network and offline. What a server's operator could do to the log is found.
# shellcheck source=tests/e2e/lib.sh
. "$CASEMATE_SOURCE/tests/e2e/lib.sh"

command -v curl >/dev/null || {
    echo 'SKIP: no curl'
    exit 77
}
dir=$WORK/kms
port=
own_port port
server='' tail=''
trap 'kill $server $tail 2>/dev/null || true; wait 2>/dev/null || true' EXIT

start() {
    casemate serve --dir "$dir" --listen "127.0.0.1:$port" --shares-file "$WORK/shares" >>"$WORK/log" 2>&1 &
    server=$!
    for _ in $(seq 3000); do
        [[ $(curl -s --max-time 60 --unix-socket "$dir/admin.sock" http://localhost/readyz 2>/dev/null) != *'"ready":true'* ]] || return 0
        kill -0 "$server" 2>/dev/null || break
        sleep 0.1
    done
    die "not ready: $(tail -5 "$WORK/log")"
}

# until SECONDS COMMAND...
until_true() {
    for _ in $(seq $((10 * $1))); do
        ! "${@:2}" >/dev/null 2>&1 || return 0
        sleep 0.1
    done
    die "never: ${*:2}"
}

start
keys=$dir/log.vkeys
expect 4 'no server is known' casemate audit tail
expect 2 'which log?' casemate audit export exported
export CASEMATE_SERVER=$dir/admin.json
ok casemate key create first --type AES-256
until_true 300 sh -c 'casemate audit tail | grep "CreateKey  default  default/key/default/first"'
casemate audit checkpoint >before

# ---- one request that never ends: what comes later is shown, also after a restart, and following
# leaves one entry in the log, not one for each look
casemate audit tail --follow >"$WORK/tail" 2>"$WORK/tail.err" &
tail=$!
until_true 300 grep -q TailEntries "$WORK/tail"
ok casemate key create second --type AES-256
until_true 300 grep -q 'default/key/default/second' "$WORK/tail"
[ "$(grep -c TailEntries "$WORK/tail")" = 1 ] || die "following fills the log: $(cat "$WORK/tail")"
kill -TERM "$server"
wait "$server" || die 'a follower kept the server from leaving'
start
ok casemate key create third --type AES-256
until_true 300 grep -q 'default/key/default/third' "$WORK/tail"
kill -TERM "$tail"
code=0
wait "$tail" || code=$?
[ "$code" = 143 ] || die "stopping to follow ended with $code"
[ "$(grep -c 'default/key/default/second' "$WORK/tail")" = 1 ] || die 'an entry was shown twice'
read -r line < <(curl -sN --max-time 300 --unix-socket "$dir/admin.sock" http://localhost/v1/tenants/default/log/tail) ||
    die 'no line of the log'
[ "${line:0:12}" = '{"entries":[' ] || die 'no lines of JSON'

# ---- proven, exported, checked
casemate audit tail --json -n 100 >entries
leaf=$(python3 -c 'import json
for l in open("entries"):
    e = json.loads(l)
    if e.get("event") == "entry" and "second" in e["resource"]: print(e["index"])' | sed -n 1p)
ok casemate audit prove "$leaf" -o second.proof
expect 0 'CreateKey' casemate audit verify --key "$keys" second.proof
expect 4 '--tenant system' casemate audit prove 999999 -o no.proof
absent no.proof
ok casemate audit export exported
expect 0 'hashed again: tiles and root fit' casemate audit verify --key "$keys" exported
# Offline: the folder and the public keys are enough.
expect 0 'goes on from' env -u CASEMATE_SERVER casemate audit verify --key "$keys" --since before exported
expect 0 'goes on from' casemate audit verify --key "$keys" --since before
ok casemate audit prove --since-size 1 -o witness.request
grep -q '^old 1$' witness.request || die 'no request for a witness'
expect 0 'default/key/default/third' env -u CASEMATE_SERVER casemate audit tail exported
casemate key new -t ML-DSA-65 --no-passphrase -o other.pem >/dev/null
casemate audit key --as log --name casemate.local/kms other.pub >other.vkeys
expect 3 'FAIL' casemate audit verify --key other.vkeys

# ---- a tenant's auditor sees the tenant's entries, and not the whole
casemate key new -t ML-DSA-65 --no-passphrase -o auditor.pem >/dev/null
python3 - "$dir" "$port" >auditor.json <<'PY'
import json, os, sys
print(json.dumps({"server": "https://127.0.0.1:" + sys.argv[2], "roots": sys.argv[1] + "/ca.crt",
                  "token_file": os.getcwd() + "/auditor.token", "tenant": "default"}))
PY
ok casemate principal create --principal auditor
casemate principal api-key auditor --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["api_key"])' >auditor.token
expect 3 'SVC_DENIED' casemate audit tail --server auditor.json
ok casemate policy put auditors --principals auditor --actions audit
expect 0 'default/key/default/second' casemate audit tail --server auditor.json -n 100
expect 3 '' casemate audit export whole --server auditor.json
absent whole/checkpoint

# ---- the root key is forgotten and given back, by passphrase or by shares, which come one by one
ok casemate seal-server
expect 0 'sealed' casemate unseal --status
expect 3 '' casemate unseal --passphrase-file "$keys"
expect 0 'sealed' casemate unseal --status
expect 0 'open: keys can be used' casemate unseal --passphrase-file "$dir/passphrase"
ok casemate key create fourth --type AES-256
ok casemate seal-server --dir "$dir"
head -1 "$WORK/shares" >first.share
expect 2 'there is no share' casemate unseal --share-file /dev/null
expect 0 'sealed: 1 of 2 shares given' casemate unseal --share-file first.share
expect 2 'the same share was given twice' casemate unseal --share-file "$WORK/shares"
sed -n 2p "$WORK/shares" >second.share
expect 0 'open: keys can be used' casemate unseal --share-file second.share
expect 4 '--socket' casemate unseal --dir "$WORK" --status

# ---- what somebody who holds the files could do: cut the tail, swap entries, write one anew
entries=$(find exported/tile/entries -type f | sort | sed -n 1p)
cp -r exported cut && cp before cut/checkpoint
expect 3 'FAIL' casemate audit verify --key "$keys" --since exported/checkpoint cut
cp -r exported swapped && cp -r exported forged
python3 - "${entries#exported/}" <<'PY'
import struct, sys
def read(p):
    d, out = open(p, "rb").read(), []
    while d:
        n = struct.unpack(">H", d[:2])[0]
        out.append(d[2:2 + n]); d = d[2 + n:]
    return out
def put(p, l): open(p, "wb").write(b"".join(struct.pack(">H", len(e)) + e for e in l))
l = read("swapped/" + sys.argv[1]); l[0], l[1] = l[1], l[0]; put("swapped/" + sys.argv[1], l)
l = read("forged/" + sys.argv[1]); l = [e.replace(b"CreateKey", b"DeletKey_") for e in l]; put("forged/" + sys.argv[1], l)
PY
for d in swapped forged; do
    cmp -s "$entries" "$d/${entries#exported/}" && die "$d is as it was"
    expect 3 'FAIL' casemate audit verify --key "$keys" "$d"
done
echo 'ok'
