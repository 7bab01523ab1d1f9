#!/usr/bin/env bash
# Every verb that makes or reads a model, on models of each format.
# shellcheck source=tests/e2e/lib.sh
. "$CASEMATE_SOURCE/tests/e2e/lib.sh"
me=$CASEMATE_HOME/identity.pub
with_keys
another bob
another carol
another mallory

# seal, open: each format, and what they say
for format in gguf safetensors; do
    "$MAKE_MODEL" "$format" "m.$format" 5M
    expect 0 "sealed  m.$format.sealed" casemate seal "m.$format" --to "$me" --to bob.pub
    digest=$(casemate digest "m.$format")
    expect 0 "$digest" casemate inspect "m.$format.sealed"
    expect 0 "$digest" casemate open "m.$format.sealed" -o "out.$format"
    same "m.$format" "out.$format"
    [ "$(stat -c %a "out.$format")" = 600 ] || die 'an opened model is for its owner alone'
    expect 0 '0 failed' casemate verify "m.$format.sealed"
done
mv m.gguf saved.gguf
ok casemate open m.gguf.sealed
same m.gguf saved.gguf
head -c 1000 /dev/urandom >raw.bin
: >empty.bin
for f in raw.bin empty.bin; do
    ok casemate seal "$f" -r "$me"
    ok casemate open "$f.sealed" -o out.bin --force
    same "$f" out.bin
done

# a folder
"$MAKE_MODEL" dir folder 6M
ok casemate seal folder/ -r "$me" --name llama --model-version 3.1 --licence Apache-2.0 \
    --publisher 'Example Labs' --provenance git=abc --provenance run=7 --policy prod/llama
ok casemate open folder.sealed -o again
diff -r folder again || die 'a folder came back changed'
expect 0 'git = abc' casemate inspect folder.sealed
expect 0 'config.json' casemate inspect folder.sealed --tensors
expect 0 'prod/llama' casemate inspect folder.sealed
casemate cat folder.sealed --file config.json >config.json
same config.json folder/config.json
expect 4 'NO_FILE' casemate cat folder.sealed --file nothing.json
expect 2 'this is a folder' casemate open folder.sealed -o -
[ "$(casemate digest folder)" = "$(casemate digest again)" ] || die 'digests of equal folders differ'

# pipes
casemate seal - --to "$me" --name piped -o - <saved.gguf >piped.sealed
ok casemate open piped.sealed -o piped
same piped saved.gguf
casemate open m.gguf.sealed -o - | cmp - saved.gguf
casemate open - --stream-unverified -o - <m.gguf.sealed | cmp - saved.gguf
ok bash -c "casemate open - --stream-unverified -o streamed <m.gguf.sealed"
same streamed saved.gguf
expect 2 'SEALED_NEEDS_FILE' bash -c 'casemate open - <m.gguf.sealed'
casemate digest - <saved.gguf | grep -x "$(casemate digest saved.gguf)" >/dev/null

# cat
name=$(casemate inspect m.gguf.sealed --json | python3 -c '
import json, sys
t = json.loads(sys.stdin.readline())["tensors"][3]
print(t["name"], t["offset"], t["size"])')
read -r tensor offset size <<<"$name"
bytes saved.gguf "$offset" "$size" >part
casemate cat m.gguf.sealed --tensor "$tensor" | cmp - part
ok casemate cat m.gguf.sealed --tensor "$tensor" -o part2
same part part2
casemate cat m.gguf.sealed --range 1K:4K | cmp - <(bytes saved.gguf 1024 4096)
casemate cat m.gguf.sealed --tensor "$tensor" --range 1:9 | cmp - <(bytes part 1 9)
casemate cat m.gguf.sealed | cmp - saved.gguf
expect 4 'SEALED_NO_TENSOR' casemate cat m.gguf.sealed --tensor nothing
expect 2 'past the end' casemate cat m.gguf.sealed --range 5M:1
casemate cat m.gguf.sealed --tensor "$tensor" --json >/dev/null 2>events
json events 'e[-1]["segments_read"] <= 2'

# exec: the model is in memory and can't be changed; the program's exit code is casemate's
[ "$(casemate exec --model m.gguf.sealed -- sha256sum {} | cut -d' ' -f1)" = \
    "$(sha256sum saved.gguf | cut -d' ' -f1)" ] || die 'exec gave other bytes'
expect 7 '' casemate exec --model m.gguf.sealed -- sh -c 'test -s {} && exit 7'
expect 1 '' casemate exec --model m.gguf.sealed -- sh -c 'echo x >>{} 2>/dev/null; exit $?'
expect 127 'CLI_NO_COMMAND' casemate exec --model m.gguf.sealed -- no-such-program {}
expect 126 'CLI_EXEC' casemate exec --model m.gguf.sealed -- "$WORK/saved.gguf"
expect 2 'no single file' casemate exec --model folder.sealed -- true

# rewrap: in place, quick, and the signature stays
before=$(stat -c %s m.gguf.sealed)
ok casemate rewrap m.gguf.sealed --add carol.pub
[ "$(stat -c %s m.gguf.sealed)" = "$before" ] || die 'the container changed its size'
for who in bob carol; do
    ok casemate open m.gguf.sealed -i "$who.pem" -o out.gguf --force
done
expect 3 'ENVELOPE_NOT_FOR_US' casemate open m.gguf.sealed -i mallory.pem -o no.gguf
ok casemate rewrap m.gguf.sealed --remove bob.pub
expect 3 'ENVELOPE_NOT_FOR_US' casemate open m.gguf.sealed -i bob.pem -o no.gguf
expect 4 'CLI_NO_RECIPIENT' casemate rewrap m.gguf.sealed --remove bob.pub
id=$(casemate key show carol.pub | awk '$1 == "recipient" {print $2}')
ok casemate rewrap m.gguf.sealed --remove "${id:0:8}"
expect 3 'ENVELOPE_NOT_FOR_US' casemate open m.gguf.sealed -i carol.pem -o no.gguf
ok casemate rewrap m.gguf.sealed --only bob.pub
expect 3 'ENVELOPE_NOT_FOR_US' casemate open m.gguf.sealed -o no.gguf
ok casemate verify m.gguf.sealed -i bob.pem
absent no.gguf no.gguf.part

# more recipients than there is room for: the container is copied
ok casemate seal raw.bin -r "$me" -o crowded.sealed --room 1
many=()
for i in 1 2 3 4 5 6 7 8 9; do
    another "r$i"
    many+=(--add "r$i.pub")
done
expect 0 'in a copy with longer slots' casemate rewrap crowded.sealed "${many[@]}"
ok casemate open crowded.sealed -i r9.pem -o out.bin --force
same raw.bin out.bin

# passphrases
printf 'open sesame\n' >pass
printf 'wrong\n' >wrong
ok casemate seal raw.bin --passphrase-file pass -o pass.sealed
ok casemate open pass.sealed --passphrase-file pass -o out.bin --force
same raw.bin out.bin
ok bash -c 'casemate open pass.sealed --passphrase-fd 3 -o out.bin --force 3<pass'
expect 3 'wrong passphrase' casemate open pass.sealed --passphrase-file wrong -o no.bin
ok casemate rewrap pass.sealed --passphrase-file pass --add bob.pub
ok casemate rewrap pass.sealed -i bob.pem --only bob.pub --add-passphrase-file wrong
ok casemate open pass.sealed --passphrase-file wrong -o out.bin --force

# trust
ok casemate key new -t ML-DSA-65 --out other.pem --no-passphrase
ok casemate seal raw.bin -r "$me" --sign other.pem -o other.sealed
expect 3 'SEALED_UNTRUSTED' casemate open other.sealed -o no.bin
expect 0 'nobody you trust' casemate inspect other.sealed
ok casemate open other.sealed --from other.pub -o out.bin --force
ok casemate open other.sealed --any-publisher -o out.bin --force
ok casemate seal raw.bin -r "$me" --unsigned -o unsigned.sealed
expect 3 'SEALED_UNSIGNED' casemate open unsigned.sealed -o no.bin
ok casemate open unsigned.sealed --unsigned -o out.bin --force
ok casemate sign --detached other.sealed
ok casemate open other.sealed --signature other.sealed.sig -o out.bin --force
expect 6 'FILE_EXISTS' casemate sign other.sealed
ok casemate sign --detached unsigned.sealed -k other.pem -o vouch.sig
ok casemate open unsigned.sealed --signature vouch.sig --from other.pub -o out.bin --force
expect 3 '' casemate open m.safetensors.sealed --signature vouch.sig --from other.pub -o no.bin
absent no.bin no.bin.part

# verify without a key
ok casemate seal saved.gguf -r bob.pub --keyless-verify -o public.sealed
expect 0 'PASS  sealed bytes' casemate verify public.sealed
flip public.sealed 2000000
expect 3 'FAIL  sealed bytes' casemate verify public.sealed

# a salted digest differs every time, a plain one does not
ok casemate seal raw.bin -r "$me" --private-digest -o salted.sealed
expect 0 '(salted)' casemate inspect salted.sealed
! casemate inspect salted.sealed | grep "$(casemate digest raw.bin)" >/dev/null || die 'not salted'

# tiers
another strong ML-KEM-1024
ok casemate key new -t ML-DSA-87+Ed25519 --out strong-sign.pem --no-passphrase
expect 3 'ENVELOPE_LEVEL' casemate seal raw.bin -r "$me" --tier 3 --sign strong-sign.pem -o no.bin
expect 3 'SEALED_WEAK_SIGNATURE' casemate seal raw.bin -r strong.pub --tier 4 -o no.bin
expect 3 'ENVELOPE_PASSPHRASE' casemate seal raw.bin --passphrase-file pass --tier 3 \
    --sign strong-sign.pem -o no.bin
ok casemate seal raw.bin -r strong.pub --tier 4 --sign strong-sign.pem -o tier4.sealed
ok casemate open tier4.sealed -i strong.pem --from strong-sign.pub -o out.bin --force
CASEMATE_HOME=$WORK/strong ok casemate init --tier 3 --no-passphrase
CASEMATE_HOME=$WORK/strong ok casemate seal raw.bin -r strong/identity.pub --tier 3 -o t3.sealed
CASEMATE_HOME=$WORK/strong ok casemate open t3.sealed -o out.bin --force
absent no.bin no.bin.part

# upgrade: another content key, the same digest and words
ok casemate upgrade folder.sealed -r bob.pub -o new.sealed
ok casemate open new.sealed -i bob.pem -o third
diff -r folder third || die 'an upgraded folder came back changed'
expect 0 'Example Labs' casemate inspect new.sealed
expect 0 "$(casemate digest folder)" casemate inspect new.sealed
expect 2 'ENVELOPE_NO_RECIPIENT' casemate upgrade folder.sealed -o no.sealed
absent no.sealed no.sealed.part
