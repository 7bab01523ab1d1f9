#!/usr/bin/env bash
# shellcheck disable=SC2034,SC2154 # names shared with nodes_lib.sh
# Two nodes on one PostgreSQL: challenges of either serve once at whichever, sessions of the key
# broker protocol hold at both, also when the node that gave them is killed or its clock differs;
# one log has it all. Evidence is minted: tests/e2e/kms_attest_nodes.py is the machines.
# CASEMATE_RACES: how many challenges are used at both at once, in each protocol.
# shellcheck source=tests/e2e/lib.sh
. "$CASEMATE_SOURCE/tests/e2e/lib.sh"
# shellcheck source=tests/e2e/nodes_lib.sh
. "$CASEMATE_SOURCE/tests/e2e/nodes_lib.sh"
need_postgres
trap end_all EXIT
kmsd=$CASEMATE_KMSD_TESTROOTS
python=/usr/bin/python3 # packages of the distribution belong to this one
[ -x "$python" ] || python=python3
machines() {
    PYTHONPATH=$CASEMATE_SOURCE/tests/e2e:$CASEMATE_SOURCE/tests/interop \
        "$python" "$CASEMATE_SOURCE/tests/e2e/kms_attest_nodes.py" "$@"
}

code=0
machines collateral || code=$?
[ "$code" = 0 ] || exit "$code"
pg_new
make_base
for n in a b; do
    node_new "$n"
    cat >>"$n/kmsd.yaml" <<EOF
attest:
  collateral: $WORK/collateral
  address_rate: 1000000
limits:
  address_calls: 10000000
  address_rate: 1000000
  address_burst: 1000000
keyd:
  program: $CASEMATE_KEYD
EOF
done
ok "$kmsd" --config a/kmsd.yaml --init --admin-key base/admin.pem --admin-cert base/admin.crt \
    --shares 2/3 --shares-file a.shares
node_begin a
node_ready a
node_join b a
node_begin b
node_ready b

# ---- a policy, a key for it, two who may ask: a machine with an API key, and whoever shows evidence
for who in alice bob; do
    another $who ML-DSA-65
    sed -i "s/FP-$who/$(casemate key fingerprint $who.pub)/" fleet.yaml
done
for who in alice bob; do ok casemate attest policy sign fleet.yaml -k $who.pem -o $who.sig; done
ok at a attest put-policy fleet --file @fleet.yaml --signatures @alice.sig --signatures @bob.sig \
    --keys @alice.pub --keys @bob.pub
ok at b key import weights --type AES-256 --secret @secret --release-policy fleet
ok at a principal create --principal rcar
ok at a principal create --principal machine
ok at b policy put broker --principals rcar --principals machine --actions ReleaseKey
at a principal api-key machine --json >key.json

machines once
machines race "${CASEMATE_RACES:-20}"

# ---- the node that gave challenges and a session is killed before they are used
machines ask
node_end a KILL
machines others
node_begin a
node_ready a
machines back

# ---- clocks: half a minute apart is nothing; five minutes later a challenge is over
ahead() { # SECONDS: node b again
    later=(env "LD_PRELOAD=$CASEMATE_CLOCK_SHIFT" CASEMATE_SHIFT_S="$1" "ASAN_OPTIONS=${ASAN_OPTIONS:-}:verify_asan_link_order=0")
    node_end b TERM
    node_begin b "${later[@]}"
    node_ready b
}
ahead 30
machines near
machines ask
ahead 301
machines over

# ---- one log, asked of either by a client with the clock of that node
look() { # NODE COMMAND...
    ok "${@:2}" env "CASEMATE_SERVER=$WORK/$1/admin.json" casemate audit export "log.$1"
    expect 0 'PASS' casemate audit verify --key "$1/log.vkeys" "log.$1"
    local t from
    for t in default system; do
        for from in $(seq 0 1000 "$(sed -n 2p "log.$1/checkpoint")"); do
            "${@:2}" env "CASEMATE_SERVER=$WORK/$1/admin.json" casemate audit list --tenant $t --from "$from" \
                --count 1000 --json >>"entries.$1.$t"
        done
    done
}
look a
look b "${later[@]}"
machines log
for n in a b; do node_end "$n" TERM; done
echo ok
