#!/usr/bin/env bash
# Receipts and settlements with keys in files: casemate poai, casemate settle.
# shellcheck source=tests/e2e/lib.sh
. "$CASEMATE_SOURCE/tests/e2e/lib.sh"
for t in secp256k1 ML-DSA-65 Ed25519; do
    ok casemate key new -t "$t" -o "$t.pem" --no-passphrase
done
mv secp256k1.pem s.pem && mv secp256k1.pub s.pub
mv ML-DSA-65.pem m.pem && mv ML-DSA-65.pub m.pub
head -c 3000000 /dev/urandom >input
echo 'an answer' >output
model=$(printf '%064x' 77)
t=1700000000000
sign() { casemate poai sign --model "$model" --node-name node --issued-ms $t "$@"; }

# signed with one key or both, verified with exactly those; the digests are the files'
for keys in 's' 'm' 's m'; do
    private=() public=()
    for k in $keys; do
        private+=(-k "$k.pem") public+=(-k "$k.pub")
    done
    ok sign "${private[@]}" --input input --output output -o r.poai --force
    expect 0 '0 failed' casemate poai verify r.poai "${public[@]}" --at-ms $t --input input \
        --output output --model "$model" --node-name node
    cp r.poai bad && flip bad 340
    expect 3 'CRYPT_SIGNATURE' casemate poai verify bad "${public[@]}" --at-ms $t
done
[ "$(bytes r.poai 196 32 | od -An -tx1 | tr -d ' \n')" = "$(sha256sum <input | cut -d' ' -f1)" ] ||
    die 'another input digest than sha256sum has'
expect 3 'MARKET_KEY' casemate poai verify r.poai -k s.pub --at-ms $t
expect 3 'MARKET_KEY' casemate poai verify r.poai -k m.pub --at-ms $t
expect 0 'that the output is true' casemate poai verify r.poai -k s.pub -k m.pub --any-time
expect 0 'which weights ran' casemate poai verify -k s.pub --any-time <(casemate poai sign -k s.pem \
    --model-name m --node-name n --input-digest "$model" --output output)

# from a stream, by the other hash
ok bash -c 'casemate poai sign -k s.pem --model-name m --node-name n --input - --output output \
    --hash keccak256 -o k.poai <input'
ok bash -c 'casemate poai verify - -k s.pub --input input --output output --hash keccak256 <k.poai'
expect 3 'FAIL  the input' casemate poai verify k.poai -k s.pub --input input

# what is asked for and is not so; what is damaged, late, early, for another place
verify() { casemate poai verify r.poai -k s.pub -k m.pub "$@"; }
expect 3 'FAIL  the output' verify --at-ms $t --output input
expect 3 'FAIL  the model' verify --at-ms $t --model-name m
expect 3 'MARKET_EXPIRED' verify
expect 3 'MARKET_EXPIRED' verify --at-ms $((t + 3631000))
expect 0 'PASS  not expired' verify --at-ms $((t + 3629000))
expect 3 'MARKET_FUTURE' verify --at-ms $((t - 31000))
expect 3 'MARKET_REALM' verify --at-ms $t --realm-name mainnet
expect 3 'MARKET_POLICY' casemate poai verify k.poai -k s.pub --need both
cp r.poai bad && flip bad 100
expect 3 'CRYPT_SIGNATURE' casemate poai verify bad -k s.pub -k m.pub --at-ms $t
head -c 323 r.poai >bad
expect 5 'MARKET_MALFORMED' casemate poai verify bad -k s.pub -k m.pub
cp r.poai bad && echo >>bad
expect 5 'MARKET_MALFORMED' casemate poai verify bad -k s.pub -k m.pub --at-ms $t

# what can't be meant
expect 2 '--key is missing' sign --input input --output output
expect 2 'KEY_NOT_PRIVATE' sign -k s.pub --input input --output output
expect 5 'KEY_ALGORITHM' sign -k Ed25519.pem --input input --output output
expect 2 'two keys of one kind' sign -k s.pem -k s.pem --input input --output output
expect 2 'one of --input and --input-digest is missing' sign -k s.pem --output output
expect 2 'can'\''t both be read from stdin' sign -k s.pem --input - --output -
expect 2 '--input-digest: not 64 hex digits' sign -k s.pem --input-digest 12 --output output
expect 2 '--ttl' sign -k s.pem --input input --output output --ttl 3601
expect 4 'NO_FILE' sign -k s.pem --input nothing --output output
expect 6 'FILE_EXISTS' sign -k s.pem --input input --output output -o r.poai

# as lines of JSON
casemate poai verify r.poai -k s.pub -k m.pub --at-ms $t --json >v.json
json v.json 'e[-1]["event"] == "done" and e[-1]["failed"] == 0 and e[-1]["passed"] >= 7'
json v.json '[x for x in e if x["event"] == "receipt"][0]["issued_ms"] == 1700000000000'
json v.json 'len([x for x in e if x["event"] == "unproven"][0]["that"]) >= 3'

# a batch: one signature; each receipt taken out is verified alone, each path is the record's
python3 - <<'PY' >list
import json
for i in range(1500):
    print(json.dumps({"model": "%064x" % 5, "input": "%064x" % (i + 1), "output": "%064x" % (i + 2),
                      "compute_ms": i}))
PY
ok casemate poai batch list -k m.pem --node-name n --issued-ms $t -o day --paths paths
[ "$(stat -c %s day)" = $((164 + 3309 + 1500 * 324)) ] || die 'the stored batch has another size'
expect 0 'receipts     1500' casemate poai verify day -k m.pub --at-ms $t --stored
for i in 0 1 777 1499; do
    ok casemate poai extract day --index $i -o "r$i"
    expect 0 'PASS  the path to the head' casemate poai verify "r$i" -k m.pub --at-ms $t \
        --input-digest "$(printf '%064x' $((i + 1)))"
done
python3 - <<'PY' || die 'the paths are not those of the records'
paths, at = open("paths", "rb").read(), 0
for i in range(1500):
    n = 9 + 32 * paths[at + 8]
    if i in (0, 1, 777, 1499):
        assert open("r%d" % i, "rb").read()[324:324 + n] == paths[at:at + n], i
    at += n
assert at == len(paths)
PY
flip r777 400
expect 3 'MERKLE_PROOF' casemate poai verify r777 -k m.pub --at-ms $t
expect 2 '--index: say which of the 1500' casemate poai extract day --index 1500
flip day 20100
expect 3 'MERKLE_PROOF' casemate poai verify day -k m.pub --any-time --stored
expect 3 'MERKLE_PROOF' casemate poai extract day --index 3 -o no
cat list - <<<'{"model": "00"}' >bad
expect 5 'line 1501: a digest is 64 hex digits' casemate poai batch bad -k m.pem --node-name n -o no
expect 5 'line 1: a member is not known' casemate poai batch <(echo '{"modell": "00"}') -k m.pem -o no
expect 5 'line 1: it is not JSON' casemate poai batch <(echo '{"model"') -k m.pem -o no
expect 5 'line 1: model, node, input or output is missing' casemate poai batch <(echo '{}') -k m.pem -o no
expect 2 'the list is empty' casemate poai batch /dev/null -k m.pem -o no
absent no no.part

# a settlement, bound to its receipt
one=0x$(printf '%040x' 1) two=$(printf '%040x' 2)
settle() {
    casemate settle sign -k m.pem --receipt r.poai --job-name job --provider "$one" \
        --consumer "$two" --amount "${amount:-250000000000000}" "$@"
}
both=(--receipt-key s.pub --receipt-key m.pub)
ok settle --issued-ms $((t + 1000)) "${both[@]}" -o x.hmm
check() { casemate settle verify x.hmm -k m.pub --at-ms $((t + 2000)) "$@"; }
expect 0 '0 failed' check --receipt r.poai "${both[@]}" --job-name job --provider "$one" \
    --amount 250000000000000
expect 0 'that the receipt was signed by anyone' check --receipt r.poai
expect 3 'FAIL  the amount' check --amount 250000000000001
expect 3 'MARKET_BINDING' check --receipt k.poai
expect 3 'MARKET_KEY' check --receipt r.poai --receipt-key s.pub
expect 3 'MARKET_EXPIRED' casemate settle verify x.hmm -k m.pub --at-ms $((t + 86432000))
expect 2 'whose receipt is it?' settle --issued-ms $t
expect 3 'MARKET_EXPIRED' settle "${both[@]}"
expect 3 'MARKET_BINDING' settle --any-receipt
expect 3 'MARKET_KEY' settle --issued-ms $t --receipt-key s.pub
expect 3 'MARKET_BINDING' settle --issued-ms $t --any-receipt --realm-name other
amount=1.5 expect 5 'AMOUNT_FORM' settle --issued-ms $t --any-receipt
amount=1$(printf '%078d' 0) expect 1 'AMOUNT_OVERFLOW' settle --issued-ms $t --any-receipt
cp x.hmm bad && flip bad 240
expect 3 'CRYPT_SIGNATURE' casemate settle verify bad -k m.pub --at-ms $t
casemate settle verify x.hmm -k m.pub --at-ms $t --json >v.json
json v.json '[x for x in e if x["event"] == "settlement"][0]["amount_wei"] == "250000000000000"'

# quotes
quote() { casemate settle quote --x 1000000 --y 4000000 --fee 10000000000000000 "$@"; }
expect 0 'out          3956' quote --in 1000
expect 0 'slippage_bp  110' quote --in 1000
expect 6 'CURVE_SLIPPAGE' quote --in 1000 --least 3957
expect 6 'CURVE_FEE' quote --in 1
expect 6 'CURVE_EMPTY' quote --in 100000000 --lambda 1000000000000000000
expect 2 'CURVE_PARAMETERS' quote --in 1000 --weight 0
expect 2 '--in is missing' quote
quote --in 1000 --from-y --json >v.json
json v.json 'e[-1]["out"] == "247" and e[-1]["new_y"] == "4000990"'
