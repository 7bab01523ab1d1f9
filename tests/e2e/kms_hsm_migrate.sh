#!/usr/bin/env bash
# The root moves from one token to another while the server runs: allowed by two people, with the
# old token's key never leaving it, over a kill at every step; weights change at once; and back.
# shellcheck source=tests/e2e/lib.sh
. "$CASEMATE_SOURCE/tests/e2e/lib.sh"
# shellcheck source=tests/e2e/tokens.sh
. "$CASEMATE_SOURCE/tests/e2e/tokens.sh"
: "${module:?}" "${dir:?}" "${server?}"

# as NAME COMMAND...: as a principal of the system with a key of its own
as() { CASEMATE_SERVER=$dir/$1.json casemate "${@:2}"; }
migrate() { as admin hsm migrate --from "$1" --to "$2" "${@:3}"; }
step() { as admin hsm migration --json; }

# The clock of the server and of who asks it is that many hours ahead.
hours_ahead() {
    clock=(env "LD_PRELOAD=$CASEMATE_CLOCK_SHIFT" CASEMATE_SHIFT_S=$(($1 * 3600))
        "ASAN_OPTIONS=${ASAN_OPTIONS:-}:verify_asan_link_order=0")
}
casemate() { "${clock[@]}" "$WORK/bin/casemate" "$@"; }

# until_weight NAME WEIGHT
until_weight() {
    for _ in $(seq 3000); do
        if admin /admin/devices | has "\"name\":\"$1\"[^}]*\"weight\":$2,"; then
            return
        fi
        sleep 0.1
    done
    die "$1 never had the weight $2: $(admin /admin/devices)"
}

# until_step TEXT
until_step() {
    for _ in $(seq 3000); do
        if step | has "\"step\": *\"$1\""; then
            return
        fi
        sleep 0.1
    done
    die "the migration never reached $1: $(step); $(admin /admin/devices); $(tail -20 "$WORK/log")"
}

token one
new_token two # it has no key: the migration makes it
launch_on one
ready
make_things
finish
configure hsm one 100 two 0
launch
ready

# ---- weights: at once, over restarts, and not of devices that are none
until_said /admin/devices '"token":"two"'
expect 0 '"weight"' casemate hsm set-weight two 25 --json
until_weight two 25
expect 4 'SVC_NO_ROW' casemate hsm set-weight three 10
expect 2 '' casemate hsm set-weight two 1001

finish
launch
ready
until_weight two 25

# ---- two people have to agree, and the one who asks is none of them
person() {
    ok "$CASEMATE_OPENSSL" genpkey -algorithm ML-DSA-65 -out "$dir/$1.pem"
    ok "$CASEMATE_OPENSSL" pkey -in "$dir/$1.pem" -pubout -outform DER -out "$WORK/$1.der"
    tail -c 1952 "$WORK/$1.der" >"$WORK/$1.pk"
    sed "s/\"sign_key\": *\"[^\"]*\"/\"sign_key\": \"$1.pem\"/; s/\"keyid\": *\"[^\"]*\"/\"keyid\": \"$(sha256sum "$WORK/$1.pk" | cut -d' ' -f1)\"/" \
        "$dir/admin.json" >"$dir/$1.json"
    ok casemate principal create --tenant system --principal "$1" \
        --credentials "{\"kind\":\"ml_dsa\",\"public_key\":\"$(base64 -w0 "$WORK/$1.pk")\"}"
}
person ann
person eve
expect 3 'SVC_DENIED' migrate one two
ok casemate policy put migrate --tenant system --principals admin --actions MigrateDevice \
    --conditions '{"approvals":2,"approvers":["ann","eve"]}'
expect 3 'SVC_DENIED' migrate one two
agreed() { # FROM TO: prints the id of an approval that both gave
    local id
    id=$(as admin approval request --tenant system --action MigrateDevice --keyspace "$1" --key "$2" --json |
        sed -n 's/.*"id": *"\([0-9a-f]*\)".*/\1/p')
    ok as ann approval approve --tenant system "$id"
    expect 3 'SVC_DENIED' migrate "$1" "$2" --approval "$id"
    expect 3 'SVC_DENIED' as admin approval approve --tenant system "$id"
    ok as eve approval approve --tenant system "$id"
    echo "$id"
}
yes=$(agreed one two)
expect 3 'SVC_APPROVAL' migrate two one --approval "$yes"

# ---- H-63: on, over a kill at each step; the next one is due when the clock is an hour on
ok migrate one two --approval "$yes" --pause-seconds 3600
expect 6 'SVC_EXISTS' migrate one two --approval "$yes"
hours=0
for s in both half all; do
    until_step $s
    kill -9 "$server"
    wait "$server" 2>/dev/null || true
    hours=$((hours + 2))
    hours_ahead $hours
    launch
    ready
    usable
done
until_step none
until_said /admin/devices '"name":"one","region":"","state":"retired"'
expect 6 'SVC_EXISTS' migrate one two --approval "$(agreed one two)"
usable
finish

# ---- the old token opens nothing any more, the new one all
take one
launch
ready
usable
finish
give one
take two
launch
until_said /readyz '"keyd":"sealed"'
sleep 1
admin /readyz | has '"ready":false' || die 'the old token still opens it'
finish
give two

# ---- and back, by the same way
launch
ready
ok migrate two one --approval "$(agreed two one)"
until_step none
until_said /admin/devices '"name":"two","region":"","state":"retired"'
usable
finish
take two
launch
ready
usable

# ---- all of it is in the log
casemate audit tail --tenant system -n 300 >"$WORK/tail"
for op in SetDeviceWeight MigrateDevice MigrateDeviceBoth MigrateDeviceHalf MigrateDeviceAll MigrateDeviceDone; do
    grep -qw "$op" "$WORK/tail" || die "no $op in the log: $(cat "$WORK/tail")"
done
finish
echo 'ok'
