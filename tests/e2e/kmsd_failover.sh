#!/usr/bin/env bash
# shellcheck disable=SC2034,SC2154 # names shared with nodes_lib.sh
# PostgreSQL fails over under load: two nodes on a primary that replicates synchronously, over TLS
# that is verified; the primary crashes, its replica is promoted, and all that was acknowledged is
# there.
# shellcheck source=tests/e2e/lib.sh
. "$CASEMATE_SOURCE/tests/e2e/lib.sh"
# shellcheck source=tests/e2e/nodes_lib.sh
. "$CASEMATE_SOURCE/tests/e2e/nodes_lib.sh"
need_postgres
client() { python3 "$CASEMATE_SOURCE/tests/e2e/nodes_client.py" "$@"; }

# ---- a primary and its replica, which take TLS alone
dbs=$(mktemp -d "${TMPDIR:-/tmp}/casemate-pg.XXXXXX")
primary='' replica=''
end_databases() {
    kill -QUIT $primary $replica 2>/dev/null || true
    end_all
    rm -rf "$dbs"
}
trap end_databases EXIT
chmod 755 "$dbs"
[ "$(id -u)" != 0 ] || chown postgres "$dbs"

ec() { openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "$@" 2>/dev/null; }
ec -x509 -days 30 -subj /CN=databases -keyout ca.key -out db-ca.crt
ec -x509 -days 30 -subj /CN=others -keyout other.key -out other-ca.crt
ec -subj /CN=db -keyout db.key -out db.csr
printf 'subjectAltName=DNS:localhost\n' >san
openssl x509 -req -in db.csr -CA db-ca.crt -CAkey ca.key -days 30 -extfile san -out db.crt 2>/dev/null
install -m 644 db.crt "$dbs/db.crt"
install -m 600 db.key "$dbs/db.key"
[ "$(id -u)" != 0 ] || chown postgres "$dbs/db.key"

ask_db() { psql -h "$dbs" -p "$1" -U casemate -d "$2" -qAtX -c "$3"; }
# begin_db FOLDER PORT SETTING...: its process in $begun
begin_db() {
    local folder=$dbs/$1 port=$2 more=() s
    for s in "${@:3}"; do more+=(-c "$s"); done
    (cd "$dbs" && as_postgres "$pg_bin/postgres" -D "$folder" -k "$dbs" -p "$port" -c listen_addresses=localhost \
        -c ssl=on -c ssl_cert_file="$dbs/db.crt" -c ssl_key_file="$dbs/db.key" -c shared_buffers=16MB \
        -c max_connections=60 "${more[@]}") >>"$WORK/pg.log" 2>&1 &
    for _ in $(seq 3000); do
        ! ask_db "$port" postgres 'SELECT 1' >/dev/null 2>&1 || break
        sleep 0.1
    done
    begun=$(head -1 "$folder/postmaster.pid" 2>/dev/null) || die "no PostgreSQL: $(tail -3 "$WORK/pg.log")"
}

own_port one
own_port two
(cd "$dbs" && as_postgres "$pg_bin/initdb" -D "$dbs/one" -A trust -U casemate --no-sync --locale=C -E UTF8) \
    >initdb.log 2>&1 || die "initdb: $(tail -3 initdb.log)"
sed -i 's/^host /hostssl /' "$dbs/one/pg_hba.conf"
begin_db one "$one"
primary=$begun
(cd "$dbs" && as_postgres "$pg_bin/pg_basebackup" -h "$dbs" -p "$one" -U casemate -D "$dbs/two" -R --no-sync -c fast) \
    >backup.log 2>&1 || die "pg_basebackup: $(tail -3 backup.log)"
begin_db two "$two"
replica=$begun
ask_db "$one" postgres "ALTER SYSTEM SET synchronous_standby_names = '*'"
ask_db "$one" postgres 'SELECT pg_reload_conf()' >/dev/null
for _ in $(seq 3000); do
    [ "$(ask_db "$one" postgres 'SELECT sync_state FROM pg_stat_replication')" != sync ] || break
    sleep 0.1
done
[ "$(ask_db "$one" postgres 'SELECT sync_state FROM pg_stat_replication')" = sync ] || die 'it does not replicate'
ask_db "$one" postgres 'CREATE DATABASE kms'

# ---- nodes that verify whom they speak to
make_base
for n in a b x; do
    node_new $n "host=localhost,localhost port=$one,$two user=casemate dbname=kms sslrootcert=$WORK/$n/db-ca.crt"
    cp db-ca.crt "$n/"
done
cp other-ca.crt x/db-ca.crt
init() {
    "$kmsd" --config "$WORK/$1/kmsd.yaml" --init --admin-key base/admin.pem --admin-cert base/admin.crt \
        --shares 2/3 --shares-file "$1.shares"
}
expect 1 'STORE_UNREACHABLE' init x
ok init a
node_begin a
node_ready a
node_join b a
node_begin b
node_ready b
[ "$(ask_db "$one" kms "SELECT count(*) FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid)
    WHERE a.application_name = 'casemate' AND NOT s.ssl")" = 0 ] || die 'a connection without TLS'

# ---- the primary is gone in the middle of a load
ok at a key create box --type AES-256
ok at a principal create --principal app
at a principal api-key app --json >key.json
token=$(python3 -c 'import json; print(json.load(open("key.json"))["api_key"])')
ok at a policy put app --principals app --actions use --actions read --actions manage --actions audit
client load "$token" "${CASEMATE_LOAD_S:-8}" load.json a/api.sock b/api.sock &
load=$!
for n in 0 1; do
    for _ in $(seq 3000); do
        ! at a key info "load-$n-0" >/dev/null 2>&1 || break
        sleep 0.1
    done
done
sleep 1
kill -KILL "$primary"
sleep 0.5
(cd "$dbs" && as_postgres "$pg_bin/pg_ctl" -D "$dbs/two" promote) >>pg.log 2>&1 || die "promote: $(tail -3 pg.log)"
wait "$load" || die 'the load itself failed'
node_ready a
node_ready b
client check "$token" load.json "$WORK/a/api.sock" || die 'what was acknowledged is not there'
ok at b key create after --type AES-256
expect 0 'after' at a key list
client fetch "$token" exported "$WORK/b/api.sock" || die 'the log can not be fetched'
expect 0 'PASS' casemate audit verify --key a/log.vkeys exported
node_end a TERM
node_end b TERM
echo ok
