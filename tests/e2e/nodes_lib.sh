#!/usr/bin/env bash
# Nodes of one key server on a PostgreSQL of their own: for scripts that source it behind lib.sh.
# Each node is a folder $WORK/NAME; its API is on a Unix socket there, in cleartext, besides TLS.
declare -A pid=()
pg='' pg_pid='' pg_bin='' pg_netns='' pg_listen='' pg_connections=60 nodes_trap=''

skip() {
    echo "SKIP: $*"
    exit 77
}

need_postgres() {
    local found
    found=$(compgen -G '/usr/lib/postgresql/*/bin/initdb' | sort -V | tail -1) || true
    [ -n "$found" ] || skip "PostgreSQL's server is not installed (apt-get install postgresql)"
    id postgres >/dev/null 2>&1 || skip 'there is no user postgres'
    command -v curl >/dev/null || skip 'no curl'
    pg_bin=$(dirname "$found")
}

# The server will not run as root.
as_postgres() {
    if [ "$(id -u)" = 0 ]; then
        setpriv --reuid postgres --regid postgres --clear-groups -- "$@"
    else
        "$@"
    fi
}

end_all() {
    local n
    for n in "${!pid[@]}"; do kill -KILL "${pid[$n]}" 2>/dev/null || true; done
    [ -z "$pg_pid" ] || kill -QUIT "$pg_pid" 2>/dev/null || true
    wait 2>/dev/null || true
    [ -z "$nodes_trap" ] || $nodes_trap
    [ -z "$pg" ] || rm -rf "$pg"
}

pg_new() {
    pg=$(mktemp -d "${TMPDIR:-/tmp}/casemate-pg.XXXXXX")
    [ "$(id -u)" != 0 ] || chown postgres "$pg"
    (cd "$pg" && as_postgres "$pg_bin/initdb" -D "$pg/data" -A trust -U casemate --no-sync \
        --locale=C -E UTF8 >"$WORK/initdb.log" 2>&1) || die "initdb: $(tail -3 "$WORK/initdb.log")"
    [ -z "$pg_listen" ] || echo 'host all all 0.0.0.0/0 trust' >>"$pg/data/pg_hba.conf"
    pg_start
    pg_sql postgres 'CREATE DATABASE kms' >/dev/null
}

pg_start() {
    if [ -n "$pg_netns" ]; then
        (cd "$pg" && exec ip netns exec "$pg_netns" setpriv --reuid postgres --regid postgres \
            --clear-groups -- "$pg_bin/postgres" -D "$pg/data" -k "$pg" -c listen_addresses="$pg_listen" \
            -c shared_buffers=16MB -c max_connections="$pg_connections") >>"$WORK/pg.log" 2>&1 &
    else
        (cd "$pg" && as_postgres "$pg_bin/postgres" -D "$pg/data" -k "$pg" -c listen_addresses= \
            -c shared_buffers=16MB -c max_connections="$pg_connections") >>"$WORK/pg.log" 2>&1 &
    fi
    for _ in $(seq 3000); do
        ! pg_sql postgres 'SELECT 1' >/dev/null 2>&1 || break
        sleep 0.1
    done
    pg_pid=$(head -1 "$pg/data/postmaster.pid" 2>/dev/null) || die "no PostgreSQL: $(tail -3 "$WORK/pg.log")"
}

# pg_stop SIGNAL: INT is fast, QUIT is a crash
pg_stop() {
    kill "-$1" "$pg_pid"
    for _ in $(seq 3000); do
        kill -0 "$pg_pid" 2>/dev/null || break
        sleep 0.1
    done
    pg_pid=''
}

pg_sql() { psql -h "$pg" -U casemate -d "$1" -qAtX -c "$2"; }

# Keys and certificates that all nodes and the administrator have, in $WORK/base.
make_base() {
    ok casemate serve --dir "$WORK/base" --listen 127.0.0.1:1 --shares-file "$WORK/shares" --prepare
}

# node_new NAME [CONNECTION]
node_new() {
    local n=$1 d=$WORK/$1 port f
    own_port port
    mkdir -m 700 "$d"
    for f in server.crt server.pem server-p256.crt server-p256.pem ca.crt passphrase; do
        cp "$WORK/base/$f" "$d/"
    done
    cat >"$d/kmsd.yaml" <<EOF
data: .
node: $n
store:
  postgres: "${2:-host=$pg user=casemate dbname=kms}"
listeners:
  - address: "127.0.0.1:$port"
    certificates:
      - {certificate: server.crt, key: server.pem}
      - {certificate: server-p256.crt, key: server-p256.pem}
    client_ca: ca.crt
  - address: "unix:$d/api.sock"
    tls: off
unseal:
  method: passphrase-file
  file: passphrase
EOF
    sed "s#\"server\":\"[^\"]*\"#\"server\":\"https://127.0.0.1:$port\"#; s#\"\(ca.crt\|admin[^\"]*\)\"#\"$WORK/base/\1\"#g" \
        "$WORK/base/admin.json" >"$d/admin.json"
}

kmsd=$(dirname "$(dirname "$CASEMATE_CLI")")/casemate-kmsd/casemate-kmsd

# node_begin NAME [COMMAND...]: start it, behind a command; node_ready waits.
node_begin() {
    local n=$1
    shift
    "$@" "$kmsd" --config "$WORK/$n/kmsd.yaml" >>"$WORK/$n.log" 2>&1 &
    pid[$n]=$!
}

admin() { curl -s --max-time 60 --unix-socket "$WORK/$1/admin.sock" "http://localhost$2" || true; }

node_ready() {
    for _ in $(seq 3000); do
        [[ $(admin "$1" /readyz) != *'"ready":true'* ]] || return 0
        kill -0 "${pid[$1]}" 2>/dev/null || break
        sleep 0.1
    done
    die "$1 is not ready: $(tail -5 "$WORK/$1.log")"
}

# node_end NAME SIGNAL
node_end() {
    kill "-$2" "${pid[$1]}"
    wait "${pid[$1]}" 2>/dev/null || [ "$2" = KILL ] || die "$1 failed at its end: $(tail -3 "$WORK/$1.log")"
    unset "pid[$1]"
}

# What a second node gets of the first: the note of how far the log has come.
node_join() { cp "$WORK/$2/kms.anchor" "$WORK/$2/log.vkeys" "$WORK/$1/"; }

metric() { admin "$1" /metrics | awk -v m="$2" '$1 == m { print $2; found = 1 } END { if (!found) print 0 }'; }

# at NAME COMMAND...: casemate's verbs against that node
at() {
    local n=$1
    shift
    CASEMATE_SERVER=$WORK/$n/admin.json casemate "$@"
}
