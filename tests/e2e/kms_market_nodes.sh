#!/usr/bin/env bash
# shellcheck disable=SC2034,SC2154 # names shared with nodes_lib.sh
# Three nodes on one PostgreSQL: a hundred claims of one job at once have one winner; receipts are
# signed and each settled once while nodes are killed and come back; an independent reader verifies a
# sample. CASEMATE_RECEIPTS: how many, CASEMATE_SETTLERS: by how many connections (8),
# CASEMATE_CLAIMANTS and CASEMATE_RACES for the race, and CASEMATE_NODES (3).
# shellcheck source=tests/e2e/lib.sh
. "$CASEMATE_SOURCE/tests/e2e/lib.sh"
# shellcheck source=tests/e2e/nodes_lib.sh
. "$CASEMATE_SOURCE/tests/e2e/nodes_lib.sh"
need_postgres
trap end_all EXIT
market() { python3 "$CASEMATE_SOURCE/tests/e2e/kms_market.py" "$@"; }

nodes=(a b c)
for n in $(seq 4 "${CASEMATE_NODES:-3}"); do nodes+=("n$n"); done
pg_connections=$((60 + 4 * ${#nodes[@]}))
pg_new
make_base
for n in "${nodes[@]}"; do node_new "$n"; done
ok "$kmsd" --config a/kmsd.yaml --init --admin-key base/admin.pem --admin-cert base/admin.crt \
    --shares 2/3 --shares-file a.shares
node_begin a
node_ready a
for n in "${nodes[@]:1}"; do
    node_join "$n" a
    node_begin "$n"
    node_ready "$n"
done
ok at a key create eth --type secp256k1
ok at a principal create --principal node
at a principal api-key node --json >key.json
token=$(python3 -c 'import json; print(json.load(open("key.json"))["api_key"])')
ok at a policy put node --principals node --actions use --actions read

market race "$token" "${CASEMATE_RACES:-1}" "${CASEMATE_CLAIMANTS:-102}" "${nodes[@]/%//api.sock}" ||
    die "more than one winner, or none: $(tail -2 a.log b.log c.log)"

# ---- killed one after the other, for as long as it takes; two are always there
market run "$token" "${CASEMATE_RECEIPTS:-600}" lines "${nodes[@]/%//api.sock}" >run.log 2>&1 &
load=$!
kills=0
while kill -0 "$load" 2>/dev/null; do
    for n in a b c; do
        [ "$kills" = 0 ] || sleep "${CASEMATE_KILL_EVERY_S:-0.5}" # the first at once: the load may be short
        kill -0 "$load" 2>/dev/null || break
        node_end "$n" KILL
        kills=$((kills + 1))
        node_begin "$n"
        node_ready "$n"
    done
done
wait "$load" || die "$(tail -3 run.log)"
tail -1 run.log
[ "$kills" -gt 0 ] || die 'nobody was killed'
echo "$kills kills"
python3 "$CASEMATE_SOURCE/tests/interop/market_outside.py" --file lines || die 'another reader refuses what the server made'
for n in "${nodes[@]}"; do node_end "$n" TERM; done
! grep -hE 'chores_failed.*(INTERNAL|AUDIT_DAMAGED|ROLLBACK)' ./*.log || die 'the scheduler fails'
echo ok
