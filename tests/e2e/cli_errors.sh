#!/usr/bin/env bash
# What is refused, how it is said, and what the program exits with.
# shellcheck source=tests/e2e/lib.sh
. "$CASEMATE_SOURCE/tests/e2e/lib.sh"
me=$CASEMATE_HOME/identity.pub

# 2: the command line
expect 2 'did you mean seal?' casemate saele
expect 2 'did you mean --from?' casemate open x.sealed --frm y
expect 2 'unknown option --zzzzzzzz' casemate open x.sealed --zzzzzzzz
expect 2 'did you mean new?' casemate key nwe
expect 2 'unknown option -z' casemate open x.sealed -z
expect 2 'MODEL is missing. See casemate help seal. [CLI_USAGE]' casemate seal
expect 2 'y is one argument too many' casemate inspect x y
expect 2 '--to needs its argument PUB' casemate seal x --to
expect 2 '--force takes no argument' casemate seal x --force=yes
expect 2 '--output is given twice' casemate open x -o a -o b
expect 2 '--tier takes one of: 0 1 2 3 4' casemate seal x --tier 5
expect 2 'not a whole number from 1 to 256' casemate seal x --threads 0
expect 2 'not a whole number' casemate seal x --threads 99999999999999999999
expect 2 'not a power of two' casemate seal x --segment-size 100000
expect 2 'not KEY=VALUE' casemate seal x --provenance nothing
expect 2 'put it behind --' casemate exec --model x
expect 2 '--model is missing' casemate exec -- true
expect 2 'there is no such algorithm' casemate key new -t rsa --out k.pem
expect 2 'exclude each other' casemate seal x --sign a --unsigned
expect 2 'there is no terminal' setsid casemate key new --out k.pem
expect 2 'Give it with --passphrase-file or --passphrase-fd' setsid casemate key new --out k.pem
absent k.pem k.pub

with_keys
head -c 100000 /dev/urandom >raw.bin
ok casemate seal raw.bin -r "$me"
another bob
ok casemate key new -t Ed25519 --out classic.pem --no-passphrase
ok casemate key new -t X25519 --out old.pem --no-passphrase
expect 2 'Name at least one public key (--to PUB)' casemate seal raw.bin -o x
expect 2 'nothing to do' casemate rewrap raw.bin.sealed
expect 2 'does not end in .sealed' casemate open raw.bin
expect 2 'neither a file nor 6 digits or more of an id' casemate rewrap raw.bin.sealed --remove abc
expect 4 'no recipient has this id' casemate rewrap raw.bin.sealed --remove 000000000000000000

# what comes from outside can't play with the terminal
expect 2 'unknown command a?[31m' casemate $'a\e[31m'
expect 4 'b?[31m' casemate inspect $'b\e[31m'

# the whole sentence: verb, object, what, remedy, name
expect 4 'casemate: seal: none.gguf: no such file. Check the path. [NO_FILE]' \
    casemate seal none.gguf --to "$me"

# 4: not found
expect 4 'NO_FILE' casemate open none.sealed
expect 4 'NO_FILE' casemate seal raw.bin --to none.pub -o x
expect 4 'none.pub' casemate seal raw.bin --to none.pub -o x

expect 4 'nowhere/x: no such file. Make its folder first. [NO_FILE]' \
    casemate seal raw.bin --to "$me" -o nowhere/x
expect 4 'nowhere/x: no such file. Make its folder' casemate open raw.bin.sealed -o nowhere/x

# 5: not what it should be
expect 5 'SEALED_NOT' casemate inspect raw.bin
expect 5 'SEALED_NOT' casemate open raw.bin -o x
head -c 50000 raw.bin.sealed >short.sealed
expect 5 'SEALED_' casemate open short.sealed -o x
cp raw.bin.sealed long.sealed
echo >>long.sealed
expect 5 'SEALED_FOOTER' casemate open long.sealed -o x
expect 5 'KEY_ALGORITHM' casemate seal raw.bin --to classic.pub -o x
expect 5 'This key signs; to open models takes an X-Wing or ML-KEM key' \
    casemate seal raw.bin --to classic.pub -o x
expect 5 'KEY_MALFORMED' casemate seal raw.bin --to raw.bin -o x

# 3: not authentic, not allowed
expect 3 'ENVELOPE_CLASSICAL' casemate seal raw.bin --to old.pub -o x
expect 3 'ENVELOPE_MIXED' casemate seal raw.bin --to old.pub --to "$me" --allow-classical -o x
chmod 644 bob.pem
expect 3 'KEY_MODE' casemate open raw.bin.sealed -i bob.pem -o x
chmod 600 bob.pem
expect 3 'ENVELOPE_NOT_FOR_US' casemate open raw.bin.sealed -i bob.pem -o x
size=$(stat -c %s raw.bin.sealed)
for at in 100 20480 $((size / 2)) $((size - 1000)) $((size - 10)); do
    cp raw.bin.sealed bad.sealed
    flip bad.sealed "$at"
    rc=0
    casemate open bad.sealed -o x >/dev/null 2>said || rc=$?
    case $rc in
    3 | 5) ;;
    0) # a byte of the spare slot or of padding: nothing that was signed
        same raw.bin x
        rm x ;;
    *) die "a flipped byte at $at: exit $rc: $(cat said)" ;;
    esac
    absent x
done
cp raw.bin.sealed bad.sealed
flip bad.sealed $((size / 2))
expect 3 'FAIL' casemate verify bad.sealed

# 6: conflicts
expect 6 'raw.bin.sealed: the output exists already' casemate seal raw.bin -r "$me"
expect 6 'or --force to replace it' casemate seal raw.bin -r "$me"
ok casemate seal raw.bin -r "$me" --force
expect 6 'open: raw.bin: the output exists already' casemate open raw.bin.sealed
expect 6 'keys are never replaced' casemate key new --out bob.pem --no-passphrase
expect 6 'exists already' casemate init --no-passphrase

# 1: the disk; 141: the pipe
expect 1 'SPACE' bash -c 'casemate open raw.bin.sealed -o - >/dev/full'
rc=0
casemate open raw.bin.sealed -o - 2>said | true || rc=${PIPESTATUS[0]}
[ ! -s said ] || die "a closed pipe is no news: $(cat said)"
"$MAKE_MODEL" gguf big.gguf 8M
ok casemate seal big.gguf -r "$me"
set +e
casemate open big.gguf.sealed -o - 2>said | head -c 10 >/dev/null
rc=${PIPESTATUS[0]}
set -e
[ "$rc" = 141 ] && [ ! -s said ] || die "closed pipe: exit $rc, said $(cat said)"

# a folder that is not fit to be sealed
mkdir links
ln -s /etc/passwd links/model.bin
expect 2 'DIR_LINK' casemate seal links -r "$me" -o x
expect 2 'SEALED_KIND' casemate seal /dev/null -r "$me" -o x
absent x x.part

# --json says the same to programs; with data on stdout, on stderr
set +e
casemate open none.sealed --json >events 2>said
[ $? = 4 ] || die 'exit code with --json'
set -e
[ ! -s said ] || die 'words beside JSON'
json events 'e[0]["event"] == "error" and e[0]["class"] == "NOTFOUND"'
json events 'e[0]["reason"] == "NO_FILE" and e[0]["path"] == "none.sealed" and e[0]["fix"]'
set +e
casemate open none.sealed -o - --json >out 2>events
set -e
[ ! -s out ] || die 'events among the data'
json events 'e[0]["reason"] == "NO_FILE"'
casemate seal --json 2>/dev/null >events || true
json events 'e[0]["reason"] == "CLI_USAGE" and "MODEL" in e[0]["what"]'
