#!/usr/bin/env bash
# attest collateral: a store that never goes back, sources that fail in every way, and evidence
# verified with what the store holds.
# shellcheck source=tests/e2e/lib.sh
. "$CASEMATE_SOURCE/tests/e2e/lib.sh"
C=(casemate attest collateral)
D=(--store store)

# statement FMSPC ISSUED NEXT
statement() {
    printf '{"tcbInfo":{"id":"TDX","fmspc":"%s","issueDate":"%sT00:00:00Z",' "$1" "$2"
    printf '"nextUpdate":"%sT00:00:00Z"},"signature":"00"}' "$3"
}
statement 0a 2026-01-01 2100-01-01 >old.json
statement 0a 2026-02-01 2100-01-01 >new.json
statement 0b 2026-01-01 2026-02-01 >over.json

expect 0 'valid' "${C[@]}" import old.json "${D[@]}"
expect 0 'of 2026-02-01' "${C[@]}" import new.json "${D[@]}"
expect 6 'COLLATERAL_OLD' "${C[@]}" import old.json "${D[@]}"
expect 0 'of 2026-02-01' "${C[@]}" list "${D[@]}"
expect 0 '1 in store' "${C[@]}" list "${D[@]}"
expect 5 'COLLATERAL_KIND' "${C[@]}" import "$CASEMATE_SOURCE/README.md" "${D[@]}"
expect 0 'EXPIRED' "${C[@]}" import over.json "${D[@]}"
"${C[@]}" list "${D[@]}" --json >seen
json seen 'sorted(x["state"] for x in e) == ["EXPIRED", "valid"]'
"${C[@]}" list "${D[@]}" --at 2026-01-15 --json >seen
json seen 'sorted(x["state"] for x in e) == ["not yet", "valid"]'

# As one file, to another store, which has a newer one of its own.
ok "${C[@]}" export "${D[@]}" -o all.bundle
expect 0 '2 in other' sh -c 'casemate attest collateral import all.bundle --store other &&
    casemate attest collateral list --store other'
statement 0a 2026-03-01 2100-01-01 >newest.json
ok "${C[@]}" import newest.json --store other
expect 0 'the store holds a newer one' "${C[@]}" import all.bundle --store other
expect 0 'of 2026-03-01' "${C[@]}" list --store other
head -c 100 all.bundle >cut.bundle
expect 5 'COLLATERAL_KIND' "${C[@]}" import cut.bundle --store other
expect 0 '1 removed' "${C[@]}" prune "${D[@]}"
expect 0 '1 in store' "${C[@]}" list "${D[@]}"

# A fetcher of ours (AT-152, AT-153): the address says what goes wrong.
cat >fetcher <<'SH'
#!/bin/sh
[ "$1" = -q ] || exit 9
echo "$2" >>asked
case $2 in
    *fail*) exit 1 ;;
    *slow*) sleep 300 ;;
    *garbage*) head -c 5000 /dev/urandom ;;
    *huge*) head -c 200000000 /dev/zero ;;
    *empty*) ;;
    *over*) cat over.json ;;
    *old*) cat old.json ;;
    *shell*) printf '%s' "$2" >literal ; exit 1 ;;
    *) cat newest.json ;;
esac
SH
chmod +x fetcher
F=(--fetch ./fetcher --fetch-arg -q --spacing 0 --timeout 60)
expect 2 'takes --fetch' "${C[@]}" refresh "${D[@]}"
expect 4 '.sources' "${C[@]}" refresh "${D[@]}" "${F[@]}"
held() { expect 0 "of $1" "${C[@]}" list "${D[@]}"; }
for wrong in fail garbage huge empty over old; do
    rm -f store/.sources store/.state
    ok "${C[@]}" source "proto://host/$wrong" "${D[@]}"
    expect 1 'COLLATERAL_FETCH' "${C[@]}" refresh "${D[@]}" "${F[@]}"
    held 2026-02-01
done
rm -f store/.sources store/.state
ok "${C[@]}" source 'proto://host/slow' "${D[@]}"
expect 1 'COLLATERAL_FETCH' "${C[@]}" refresh "${D[@]}" --fetch ./fetcher --fetch-arg -q --timeout 1
held 2026-02-01

# Nothing of an address means anything to a shell.
# shellcheck disable=SC2016
odd='proto://host/shell;touch$IFS$1pwned`id`'
rm -f store/.sources store/.state
ok "${C[@]}" source "$odd" "${D[@]}"
expect 1 'COLLATERAL_FETCH' "${C[@]}" refresh "${D[@]}" "${F[@]}"
[ "$(cat literal)" = "$odd" ] || die 'the address was changed'
absent pwned

# Failures wait longer each time; what came is not asked for again before it is due.
rm -f store/.sources store/.state asked
ok "${C[@]}" source proto://host/fail proto://other/good "${D[@]}"
"${C[@]}" refresh "${D[@]}" "${F[@]}" --json >seen && die 'a failure is told'
json seen '[x["outcome"] for x in e if x["event"] == "source"] == ["failed", "kept"]'
json seen 'e[0]["next"] < e[1]["next"]'
held 2026-03-01
[ "$(wc -l <asked)" = 2 ] || die 'asked otherwise than twice'
expect 0 'waits' "${C[@]}" refresh "${D[@]}" "${F[@]}"
[ "$(wc -l <asked)" = 2 ] || die 'asked before it was due'
for i in 1 2 3 4; do
    "${C[@]}" refresh "${D[@]}" "${F[@]}" --force --json >seen && die 'a failure is told'
    now=$(date +%s)
    json seen "e[0]['next'] - $now >= 30 * 2 ** $i - 60 and e[0]['next'] - $now <= 60 * 2 ** $i"
done
echo 'not a state' >store/.state
"${C[@]}" refresh "${D[@]}" "${F[@]}" --json >seen && die 'a failure is told'
json seen 'len([x for x in e if x.get("outcome") == "failed"]) == 1'

# From a folder; two of one host keep their distance.
rm -f store/.sources store/.state
mkdir offline
statement 0c 2026-04-01 2100-01-01 >offline/c.json
ok "${C[@]}" source proto://host/x/c.json "${D[@]}"
expect 0 'kept' "${C[@]}" refresh "${D[@]}" --from offline
expect 0 'of 2026-04-01' "${C[@]}" list "${D[@]}"
ok "${C[@]}" source proto://host/good1 proto://host/good2 "${D[@]}"
begun=$(date +%s)
ok "${C[@]}" refresh "${D[@]}" --fetch ./fetcher --fetch-arg -q --spacing 2 --force
[ $(($(date +%s) - begun)) -ge 3 ] || die 'three of one host within three seconds'

# AT-48: statements for enclaves and for TDs in one folder, or in one store, whichever comes first.
mkdir both
for kind in tdx-v5-td15 sgx-v3; do
    ok "$CASEMATE_MINT" "$kind" --out "$kind" --at 1800000000
    mkdir "alone-$kind"
    cp "$kind/evidence.bin" "alone-$kind"
    cp "$kind"/tcb_signer.der "$kind"/*_crl.der both
done
mixed() { # OPTION PATH
    for kind in tdx-v5-td15 sgx-v3; do
        "$CASEMATE_CLI_TESTROOTS" attest verify "alone-$kind/evidence.bin" --at 1800000000 \
            --may-skip all "$@" >said || die "$kind with $*: $(cat said)"
        for check in quoting collateral tcb; do
            has "PASS  $check" <said || die "$kind with $*: $(cat said)"
        done
    done
}
for order in 'a b' 'b a'; do
    read -r td enclave <<<"$order"
    rm -f both/*.json
    for file in tcb_info qe_identity; do
        cp "tdx-v5-td15/$file.json" "both/$td-$file.json"
        cp "sgx-v3/$file.json" "both/$enclave-$file.json"
    done
    mixed --collateral both --store none
done
ok "${C[@]}" import both/* --store mixed
mixed --store mixed

# Evidence alone in a folder, verified with what the store holds: of two platforms' statements the
# one that is its own.
TEE=${CASEMATE_VECTORS:-$CASEMATE_SOURCE/../shared/vectors}/tee
[ -d "$TEE/tdx/v4-uptodate" ] || { echo "no recorded evidence at $TEE"; exit 0; }
# answer KIND DIR: the vendor's form of a statement, from object and signature
answer() {
    local object=tcbInfo file=tcb_info
    [ "$1" = tcb ] || { object=enclaveIdentity; file=qe_identity; }
    printf '{"%s":%s,"signature":"%s"}' $object "$(cat "$2/$file.json")" \
        "$(od -An -tx1 -v "$2/$file.sig" | tr -d ' \n')"
}
T=$TEE/tdx/v4-uptodate/collateral
answer tcb "$T" >tcb.json
answer qe "$T" >qe.json
answer tcb "$TEE/sgx/v3-sgx/collateral" >aaa.json
mkdir alone
cp "$TEE/tdx/v4-uptodate/quote.bin" alone/quote.bin
V=(casemate attest verify alone/quote.bin --at 2025-07-01)
S=(--may-skip measurement --may-skip config --may-skip chip --may-skip fresh --may-skip events)
S+=(--may-skip platform --may-skip guest-policy --may-skip privilege)
expect 3 'SKIP  collateral' "${V[@]}" "${S[@]}" --store full
ok "${C[@]}" import aaa.json tcb.json qe.json "$T"/*.crl "$T"/*_chain.pem --store full
expect 0 'PASS  collateral' "${V[@]}" "${S[@]}" --store full
expect 0 'PASS  revocation' "${V[@]}" "${S[@]}" --store full
expect 0 'TCB status: up to date' "${V[@]}" "${S[@]}" --store full
mkdir -p "$CASEMATE_HOME"
cp -r full "$CASEMATE_HOME/collateral"
expect 0 'TCB status: up to date' "${V[@]}" "${S[@]}"
expect 3 'expired at 2025-07-19' casemate attest verify alone/quote.bin --at 2025-12-01 --store full
