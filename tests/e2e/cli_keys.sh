#!/usr/bin/env bash
# init, key and cert; openssl reads what they write.
# shellcheck source=tests/e2e/lib.sh
. "$CASEMATE_SOURCE/tests/e2e/lib.sh"
printf 'first passphrase\nnot this line\n' >pass
printf 'second\n' >pass2

# the home
ok casemate init --passphrase-file pass
[ "$(stat -c %a home home/trusted | sort -u)" = 700 ] || die 'the home is open'
[ "$(stat -c %a home/*.pem | sort -u)" = 600 ] || die 'a private key is open'
same home/publisher.pub home/trusted/publisher.pub
grep -q 'CASEMATE ENCRYPTED PRIVATE KEY' home/identity.pem || die 'not protected'
expect 6 'exists already' casemate init --passphrase-file pass
echo data >m
ok casemate seal m -r home/identity.pub --key-passphrase-file pass
ok casemate open m.sealed -o m2 --key-passphrase-file pass
same m m2
ok bash -c 'casemate open m.sealed -o m3 --key-passphrase-fd 3 3<pass'
expect 3 'KEY_PASSPHRASE' casemate open m.sealed -o no --key-passphrase-file pass2
expect 2 'Give it with --key-passphrase-file' setsid casemate open m.sealed -o no
expect 0 'SKIP: your identity is under a passphrase' setsid casemate inspect m.sealed
absent no no.part

# every type: made, shown, its fingerprint the same for both halves
for type in $(grep -o "compgen -W '[^']*X-Wing[^']*'" \
    "$CASEMATE_SOURCE/docs/completions/casemate.bash" | cut -d"'" -f2); do
    ok casemate key new -t "$type" --out "k-$type.pem" --no-passphrase
    [ "$(stat -c %a "k-$type.pem")" = 600 ] || die "k-$type.pem is open"
    expect 0 "$type" casemate key show "k-$type.pub"
    expect 0 'unprotected' casemate key show "k-$type.pem"
    a=$(casemate key fingerprint "k-$type.pem")
    b=$(casemate key fingerprint "k-$type.pub")
    [ "${#a}" = 64 ] && [ "$a" = "$b" ] || die "fingerprints of $type: $a, $b"
    casemate key public "k-$type.pem" | cmp - "k-$type.pub"
done
expect 0 'classical' casemate key show k-Ed25519.pub
expect 6 'FILE_EXISTS' casemate key public k-Ed25519.pem -o k-Ed25519.pub
ok casemate key public k-Ed25519.pem -o k-Ed25519.pub --force

# passwd: protect, change, take away; the key stays the same
id=$(casemate key fingerprint k-ML-DSA-65.pem)
ok casemate key passwd k-ML-DSA-65.pem --passphrase-file pass
expect 0 'Argon2id' casemate key show k-ML-DSA-65.pem
ok casemate key passwd k-ML-DSA-65.pem --key-passphrase-file pass --passphrase-file pass2 --pbes2
expect 0 'PBES2' casemate key show k-ML-DSA-65.pem
[ "$("$CASEMATE_OPENSSL" pkey -in k-ML-DSA-65.pem -passin file:pass2 -pubout)" = \
    "$(cat k-ML-DSA-65.pub)" ] || die 'openssl sees another key'
expect 3 'KEY_PASSPHRASE' casemate key passwd k-ML-DSA-65.pem --key-passphrase-file pass \
    --no-passphrase
ok casemate key passwd k-ML-DSA-65.pem --key-passphrase-file pass2 --no-passphrase
[ "$(casemate key fingerprint k-ML-DSA-65.pem)" = "$id" ] || die 'the key changed'
: >empty
expect 2 'Choose another, or say --no-passphrase' casemate key new --out e.pem \
    --passphrase-file empty
expect 2 'KEY_NOT_PRIVATE' casemate key passwd k-ML-DSA-65.pub --no-passphrase

# a chain, checked by us and by openssl
ok casemate cert root -k k-SLH-DSA-SHA2-128s.pem --name 'Test Root' -o root.crt
ok casemate cert intermediate -k k-ML-DSA-87.pub --ca root.crt --ca-key k-SLH-DSA-SHA2-128s.pem \
    --name 'Test CA' -o ca.crt
ok casemate cert server -k k-ML-DSA-65.pub --ca ca.crt --ca-key k-ML-DSA-87.pem --name web \
    --dns example.org --ip 127.0.0.1 --days 30 -o web.crt
ok casemate cert client -k k-ML-DSA-44.pub --ca ca.crt --ca-key k-ML-DSA-87.pem --name alice \
    -o alice.crt
expect 0 'leads to a trusted root' casemate cert verify web.crt --root root.crt --chain ca.crt \
    --use server --host example.org
expect 3 'CERT_NAME' casemate cert verify web.crt --root root.crt --chain ca.crt --host evil.org
expect 3 'CERT_PURPOSE' casemate cert verify alice.crt --root root.crt --chain ca.crt --use server
expect 3 'CERT_UNTRUSTED' casemate cert verify web.crt --root root.crt
expect 0 'verify OK' bash -c \
    '"$CASEMATE_OPENSSL" verify -x509_strict -CAfile root.crt -untrusted ca.crt web.crt && echo \
    "verify OK"'
expect 0 'CN=web' casemate cert show web.crt
expect 2 'CERT_REQUEST' casemate cert server -k k-ML-DSA-65.pub --ca ca.crt \
    --ca-key k-ML-DSA-87.pem --name web -o no.crt
expect 2 'CERT_ISSUER' casemate cert server -k k-ML-DSA-65.pub --ca web.crt \
    --ca-key k-ML-DSA-65.pem --name web --dns a.org -o no.crt
expect 2 '--ca is missing' casemate cert client -k k-ML-DSA-65.pub --name web
ok casemate cert request -k k-ML-DSA-65.pem --name web --dns example.org -o web.csr
ok casemate cert sign web.csr --ca ca.crt --ca-key k-ML-DSA-87.pem -o web2.crt
ok casemate cert verify web2.crt --root root.crt --chain ca.crt --host example.org
ok casemate cert root -k k-P-256.pem --name old --days 3 -o old.crt
sleep 1.1
# A leaf asked for the same days, or for none, ends with its issuer; more is refused.
ok casemate cert client -k k-P-256.pub --ca old.crt --ca-key k-P-256.pem --name a --days 3 -o a.crt
ok casemate cert client -k k-P-256.pub --ca old.crt --ca-key k-P-256.pem --name b -o b.crt
expect 2 'CERT_OUTLIVES_ISSUER' casemate cert client -k k-P-256.pub --ca old.crt --ca-key k-P-256.pem \
    --name c --days 5 -o c.crt
expect 3 'CERT_CLASSICAL' casemate cert verify old.crt --root old.crt
ok casemate cert verify old.crt --root old.crt --allow-classical
absent no.crt

# the same, for programs
casemate key show home/identity.pub --json >events
json events 'e[0]["event"] == "key" and e[0]["algorithm"] == "X-Wing" and e[0]["post_quantum"]'
casemate cert show web.crt --json >events
json events 'e[0]["algorithm"] == "ML-DSA-87" and not e[0]["ca"]'
casemate version --deps --json >events
json events 'e[0]["openssl"].startswith("OpenSSL 3.") and e[0]["kernels"]'
