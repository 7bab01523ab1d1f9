#!/usr/bin/env bash
# Shared by the e2e scripts: what a run must exit with and say, and a home with keys.
export CASEMATE_HOME=$WORK/home
export MAKE_MODEL=$CASEMATE_MAKE_MODEL

die() {
    printf 'FAILED: %s\n' "$*" >&2
    exit 1
}

# expect CODE TEXT COMMAND...: the exit code, and TEXT (a fixed string) in its output.
expect() {
    local code=$1 text=$2 out rc=0
    shift 2
    out=$("$@" 2>&1 </dev/null) || rc=$?
    [ "$rc" = "$code" ] || die "exit $rc, not $code: $*
$out"
    grep -qF -- "$text" <<<"$out" || die "no \"$text\" in what this said: $*
$out"
}

ok() { expect 0 '' "$@"; }

# ... | has [-F|-E] PATTERN: reads to the end, so that who writes is not killed by a full pipe, as
# it now and then is with grep -q.
has() {
    local text
    text=$(cat)
    grep -q "$@" <<<"$text"
}

# own_port NAME: the variable NAME is a port that nobody else has until this script ends.
own_port() {
    [ -n "${port_locks:-}" ] || exec {port_locks}<>"${TMPDIR:-/tmp}/casemate-ports.$(id -u)"
    own_ports+=("$(python3 "$CASEMATE_SOURCE/tests/e2e/own_port.py" "$port_locks" "${own_ports[@]}")")
    printf -v "$1" %s "${own_ports[-1]}"
}
own_ports=()

# same A B
same() { cmp -s "$1" "$2" || die "$1 and $2 differ"; }

absent() {
    local f
    for f in "$@"; do
        [ ! -e "$f" ] || die "$f should not exist"
    done
}

# json FILE EXPRESSION: a Python expression over the list of events e is true.
json() {
    python3 - "$1" "$2" <<'PY' || die "not so: $2 in $(cat "$1")"
import json, sys
e = [json.loads(line) for line in open(sys.argv[1])]
sys.exit(0 if eval(sys.argv[2]) else 1)
PY
}

# flip FILE OFFSET
flip() {
    python3 - "$1" "$2" <<'PY'
import sys
with open(sys.argv[1], "r+b") as f:
    f.seek(int(sys.argv[2]))
    b = f.read(1)
    f.seek(int(sys.argv[2]))
    f.write(bytes([b[0] ^ 1]))
PY
}

# bytes FILE OFFSET LENGTH
bytes() { dd if="$1" iflag=skip_bytes,count_bytes skip="$2" count="$3" status=none; }

with_keys() { ok casemate init --no-passphrase; }

# another NAME: a pair of keys of somebody else, NAME.pem and NAME.pub
another() { ok casemate key new --out "$1.pem" --type "${2:-x-wing}" --no-passphrase; }
