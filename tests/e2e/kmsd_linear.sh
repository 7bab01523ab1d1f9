#!/usr/bin/env bash
# shellcheck disable=SC2034,SC2154 # names shared with nodes_lib.sh
# Three nodes in network namespaces of their own, PostgreSQL in a fourth; one node after another is
# cut off from it while clients of all of them read, write and rotate keys. What they saw has to be
# the history of one server (linear.py). CASEMATE_LINEAR_S: seconds, CASEMATE_LINEAR_OUT: keep it.
# shellcheck source=tests/e2e/lib.sh
. "$CASEMATE_SOURCE/tests/e2e/lib.sh"
# shellcheck source=tests/e2e/nodes_lib.sh
. "$CASEMATE_SOURCE/tests/e2e/nodes_lib.sh"
linear() { PYTHONPATH=$CASEMATE_SOURCE/tests/e2e python3 "$CASEMATE_SOURCE/tests/e2e/linear.py" "$@"; }
linear test || die 'the checker is wrong'

need_postgres
[ "$(id -u)" = 0 ] || skip 'network namespaces need root'
command -v ip >/dev/null || skip 'no ip (apt-get install iproute2)'
net=cm$$
nodes='a b c'
drop_nets() {
    local n
    for n in pg $nodes; do ip netns del "$net$n" 2>/dev/null || true; done
}
ip netns add "${net}pg" 2>/dev/null || skip 'network namespaces are not permitted here'
nodes_trap=drop_nets
trap end_all EXIT
ip netns exec "${net}pg" true 2>/dev/null || skip 'network namespaces can not be entered here'

# Node number i is 10.77.i.2 and reaches PostgreSQL at 10.77.i.1.
i=0
for n in $nodes; do
    i=$((i + 1))
    ip netns add "$net$n"
    ip -n "${net}pg" link add "to$n" type veth peer name pg netns "$net$n" 2>/dev/null ||
        skip 'no virtual Ethernet (veth) here'
    ip -n "${net}pg" addr add "10.77.$i.1/24" dev "to$n"
    ip -n "$net$n" addr add "10.77.$i.2/24" dev pg
    ip -n "${net}pg" link set "to$n" up
    ip -n "$net$n" link set pg up
    ip -n "$net$n" link set lo up
done
ip -n "${net}pg" link set lo up

pg_netns=${net}pg pg_listen='*'
pg_new
make_base
i=0
for n in $nodes; do
    i=$((i + 1))
    node_new "$n" "host=10.77.$i.1 sslmode=disable user=casemate dbname=kms"
done
ok ip netns exec "${net}a" "$kmsd" --config a/kmsd.yaml --init --admin-key base/admin.pem \
    --admin-cert base/admin.crt --shares 2/3 --shares-file a.shares
node_join b a
node_join c a
for n in $nodes; do node_begin "$n" ip netns exec "$net$n"; done
for n in $nodes; do node_ready "$n"; done
in_a() { CASEMATE_SERVER=$WORK/a/admin.json ip netns exec "${net}a" casemate "$@"; }
ok in_a principal create --principal app
in_a principal api-key app --json >key.json
token=$(python3 -c 'import json; print(json.load(open("key.json"))["api_key"])')
ok in_a policy put app --principals app --actions read --actions manage

# ---- the history
seconds=${CASEMATE_LINEAR_S:-10} up=2 down=4
linear record "$token" "$seconds" history.json a/api.sock b/api.sock c/api.sock &
recording=$!
begun=$SECONDS
while [ $((SECONDS - begun + up + down)) -lt "$seconds" ]; do
    for n in c a b; do
        [ $((SECONDS - begun + up + down)) -lt "$seconds" ] || break
        sleep "$up"
        ip -n "${net}pg" link set "to$n" down
        sleep "$down"
        ip -n "${net}pg" link set "to$n" up
    done
done
wait "$recording" || die 'the clients failed'
for n in $nodes; do node_ready "$n"; done
[ -z "${CASEMATE_LINEAR_OUT:-}" ] || cp history.json "$CASEMATE_LINEAR_OUT"
linear check history.json || die "not one server's history"

# ---- the check would have seen a stale read
linear plant history.json planted.json
! linear check planted.json || die 'a stale read was not noticed'
for n in $nodes; do node_end "$n" TERM; done
echo ok
