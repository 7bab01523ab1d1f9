#!/usr/bin/env bash
# A key server of a test's own: started, waited for, ended; sourced after lib.sh.
command -v curl >/dev/null || {
    echo 'SKIP: no curl'
    exit 77
}

dir=$WORK/kms
port=
own_port port
clock=(env) # what the server runs behind
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; wait 2>/dev/null || true' EXIT

# admin PATH [option of curl]...
admin() { curl -s --max-time 60 --unix-socket "$dir/admin.sock" "http://localhost$1" "${@:2}" || true; }

# launch [option of casemate serve]...
launch() {
    "${clock[@]}" casemate serve --dir "$dir" --listen "127.0.0.1:$port" --shares-file "$WORK/shares" "$@" \
        >>"$WORK/log" 2>&1 &
    server=$!
}

ready() {
    for _ in $(seq 3000); do
        if admin /readyz | has '"ready":true'; then
            return
        fi
        kill -0 "$server" 2>/dev/null || break
        sleep 0.1
    done
    die "not ready: $(tail -20 "$WORK/log")"
}

finish() {
    kill -TERM "$server"
    wait "$server" || die "the server failed at the end: $(tail -3 "$WORK/log")"
    server=
}
