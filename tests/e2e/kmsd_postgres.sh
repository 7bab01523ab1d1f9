#!/usr/bin/env bash
# shellcheck disable=SC2034,SC2154 # names shared with nodes_lib.sh
# The key server on PostgreSQL: two nodes with one root and one log, the database restarted and
# crashed under load, the node that does the chores killed, a backup brought back on SQLite.
# shellcheck source=tests/e2e/lib.sh
. "$CASEMATE_SOURCE/tests/e2e/lib.sh"
# shellcheck source=tests/e2e/nodes_lib.sh
. "$CASEMATE_SOURCE/tests/e2e/nodes_lib.sh"
need_postgres
trap end_all EXIT
client() { python3 "$CASEMATE_SOURCE/tests/e2e/nodes_client.py" "$@"; }

pg_new
make_base
# Its password is read again for each connection: from the sandbox, out of the data folder.
pg_sql postgres "CREATE ROLE keeper LOGIN SUPERUSER PASSWORD 'pass word'"
sed -i '1i local all keeper scram-sha-256' "$pg/data/pg_hba.conf"
pg_sql postgres 'SELECT pg_reload_conf()' >/dev/null
(umask 077 && echo '*:*:*:keeper:pass word' >pgpass)
database="host=$pg user=keeper dbname=kms passfile=$WORK/pgpass"
node_new a "$database"
node_new b "$database"

# ---- a first run makes tables, root and tenant; a second one is refused; so is a node without note
init() {
    "$kmsd" --config "$WORK/$1/kmsd.yaml" --init --admin-key base/admin.pem --admin-cert base/admin.crt \
        --shares 2/3 --shares-file "$1.shares"
}
expect 1 'NO_FILE' "$kmsd" --config "$WORK/a/kmsd.yaml"
ok init a
expect 3 'KMSD_ROOT_EXISTS' init b
node_begin a
node_ready a
node_begin b
for _ in $(seq 3000); do grep -qs STORE_ANCHOR b.log && break; sleep 0.1; done
grep -q STORE_ANCHOR b.log || die "a node without the note was let in: $(tail -3 b.log)"
node_end b TERM
node_join b a
node_begin b
node_ready b

# ---- what one does, the other sees
ok at a key create box --type AES-256
printf 'secret text' >plain
ok at b key encrypt box --plaintext @plain -o ct
ok at a key rotate box
expect 0 'version              2' at b key info box
ok at b key decrypt box --ciphertext @ct -o back
same plain back
ok at b key create signer --type ML-DSA-65
ok at a key sign signer --data hello -o sig
expect 0 'valid                yes' at b key verify signer --data hello --signature @sig
at a key sign signer --data hello --json >answer
python3 -c 'import base64, json; open("receipt", "wb").write(base64.b64decode(json.load(open("answer"))["receipt"]))'
expect 0 'PASS' casemate audit verify --key b/log.vkeys receipt
ok at a principal create --principal app
at a principal api-key app --json >key.json
token=$(python3 -c 'import json; print(json.load(open("key.json"))["api_key"])')
ok at a policy put app --principals app --actions use --actions read --actions manage --actions audit
ok at a key create due --type AES-256 --rotation-days 1

# ---- two days later: the key is rotated once, by one of them
node_end a TERM
node_end b TERM
later=(env "LD_PRELOAD=$CASEMATE_CLOCK_SHIFT" CASEMATE_SHIFT_S=180000 "ASAN_OPTIONS=${ASAN_OPTIONS:-}:verify_asan_link_order=0")
node_begin a "${later[@]}"
node_begin b "${later[@]}"
node_ready a
node_ready b
ask() { curl -s --max-time 60 --unix-socket "$WORK/$1/api.sock" -H "authorization: Bearer $token" "http://localhost$2" "${@:3}" || true; }
keys=/v1/tenants/default/keys
wait_for() { # SECONDS TEXT COMMAND...
    local n=$(($1 * 10)) text=$2
    shift 2
    for _ in $(seq "$n"); do
        [[ $("$@") != *"$text"* ]] || return 0
        sleep 0.1
    done
    die "not after $((n / 10)) s: $text in $("$@")"
}
wait_for 300 '"version":2' ask b $keys/due
leader() { echo "$(metric a casemate_leader)$(metric b casemate_leader)"; }
for _ in $(seq 3000); do # it says so at the end of its round
    [[ $(leader) = 00 ]] || break
    sleep 0.1
done
case $(leader) in
10) old=a new=b ;;
01) old=b new=a ;;
*) die "one of the two leads, not: $(leader)" ;;
esac

# ---- it is killed; under load the database goes away, comes back, and crashes
ask "$new" $keys/later -d "{\"type\":\"AES-256\",\"activate_at_ms\":$((($(date +%s) + 180000 + 20) * 1000))}" >later
grep -q '"state":"pre_active"' later || die "not pre-active: $(cat later)"
client load "$token" "${CASEMATE_LOAD_S:-8}" load.json a/api.sock b/api.sock &
load=$!
sleep 1
node_end "$old" KILL
sleep 0.5
pg_stop INT
for _ in $(seq 100); do
    ask "$new" $keys/due -D head -o body
    ! grep -q '^HTTP/1.1 503' head || break
    sleep 0.1
done
grep -q '^HTTP/1.1 503' head || die "without a database: $(cat head body)"
grep -qi '^retry-after: 1' head || die "no Retry-After: $(cat head)"
grep -q '"reason":"\(AUDIT_CLOSED\|STORE_UNREACHABLE\)"' body || die "which reason: $(cat body)"
printf '\0\0\0\0\016\n\007default\022\003due' >request
ask "$new" /casemate.kms.v1.Kms/GetKey --http2-prior-knowledge -H 'content-type: application/grpc' -H 'te: trailers' \
    --data-binary @request -D head -o body
if grep -q '^HTTP/2' head; then
    grep -qi '^grpc-status: 14' head || die "gRPC is not UNAVAILABLE: $(cat head)"
    grep -qi '^retry-after: 1' head || die "gRPC has no retry-after: $(cat head)"
fi
wait_for 300 '"ready":false' admin "$new" /readyz
pg_start
node_ready "$new"
sleep 1
crashed=
for _ in $(seq 3000); do
    backend=$(pg_sql kms "SELECT pid FROM pg_stat_activity WHERE application_name = 'casemate' LIMIT 1") || true
    if [ -n "$backend" ] && kill -9 "$backend" 2>/dev/null; then
        crashed=yes
        break
    fi
    sleep 0.1
done
[ -n "$crashed" ] || die 'no node asks the database'
wait "$load" || die 'the load itself failed'
node_ready "$new"
client check "$token" load.json "$WORK/$new/api.sock" || die 'what was acknowledged is not there'

# ---- the other one leads by now, or will: a term after the last sign of the first
wait_for 300 1 metric "$new" casemate_leader
for _ in $(seq 600); do # what fell due is done in one of its rounds
    rm -rf exported
    client fetch "$token" exported "$WORK/$new/api.sock" || die 'the log can not be fetched'
    ! grep -rqa ActivateDue exported/tile/entries || break
    sleep 0.5
done
expect 0 'PASS' casemate audit verify --key a/log.vkeys exported
python3 - exported <<'EOF' || die 'what fell due was not done once'
import glob, sys
log = b"".join(open(f, "rb").read() for f in sorted(glob.glob(sys.argv[1] + "/tile/entries/**/*", recursive=True)
                                                     ) if not __import__("os").path.isdir(f))
sys.exit(0 if (log.count(b"RotateDue"), log.count(b"ActivateDue")) == (1, 1) else str((log.count(b"RotateDue"), log.count(b"ActivateDue"))))
EOF

# ---- a backup, brought back on SQLite
echo "$database" >pg.conf
ok casemate store backup --postgres pg.conf -o kms.backup
node_end "$new" TERM
node_new c
sed -i 's/^  postgres: .*/  sqlite: kms.db/' c/kmsd.yaml
ok casemate store restore --store c/kms.db kms.backup
node_join c a
node_begin c "${later[@]}"
for _ in $(seq 3000); do grep -qs STORE_ROLLBACK c.log && break; sleep 0.1; done
grep -q STORE_ROLLBACK c.log || die 'a restored store was taken without a word'
node_end c TERM
"${later[@]}" "$kmsd" --config c/kmsd.yaml --accept-rollback >>c.log 2>&1 &
pid[c]=$!
node_ready c
ask c $keys/box:decrypt -d "{\"ciphertext\":\"$(base64 -w0 ct)\"}" >back.json
grep -q "$(base64 -w0 plain)" back.json || die "the backup does not decrypt: $(cat back.json)"
node_end c TERM
! grep -hE 'chores_failed.*(INTERNAL|AUDIT_DAMAGED|ROLLBACK)' ./*.log || die 'the scheduler fails'
echo ok
