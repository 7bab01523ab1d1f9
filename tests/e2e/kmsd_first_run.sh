#!/usr/bin/env bash
# A first run killed at any moment: the next one goes on, or begins anew, and comes to an end.
# shellcheck source=tests/e2e/lib.sh
. "$CASEMATE_SOURCE/tests/e2e/lib.sh"

kmsd=${CASEMATE_CLI%/casemate/casemate}/casemate-kmsd/casemate-kmsd
dir=$WORK/kms
args=(--dir "$dir" --shares-file "$WORK/shares")
run=''
# The run and all that it started: a server's keyd outlives it for a moment otherwise.
reap() { [ -z "$run" ] || kill -9 -- "-$run" 2>/dev/null || true; }
trap reap EXIT

# killed_after SECONDS: true when it was killed on its way.
killed_after() {
    rm -f "$WORK/shares"
    setsid casemate serve --prepare "${args[@]}" >"$WORK/log" 2>&1 &
    run=$!
    sleep "$1"
    reap
    wait "$run" 2>/dev/null && return 1
    # What it had started may take a moment longer to die.
    [ ! -e "$dir/kms.db.lock" ] || flock -w 600 "$dir/kms.db.lock" true
    [ ! -e "$dir/kmsd.yaml" ]
}

begun=$EPOCHREALTIME
ok casemate serve --prepare --dir "$WORK/whole" --shares-file "$WORK/whole.shares"
took=$(((${EPOCHREALTIME/./} - ${begun/./}) / 1000))

kills=0
for i in $(seq "${CASEMATE_KILLS:-4}"); do
    rm -rf "$dir"
    for j in 1 2; do
        ms=$((took * (i * 2 + j) / (${CASEMATE_KILLS:-4} * 2 + 4)))
        killed_after "$((ms / 1000)).$(printf %03d $((ms % 1000)))" || { took=$((took / 2 + 1)); break; } # the first was slower
        kills=$((kills + 1))
    done
    rm -f "$WORK/shares"
    ok casemate serve --prepare "${args[@]}"
    [ -s "$dir/kmsd.yaml" ] || die "no configuration after kill $kills: $(cat "$WORK/log")"
    expect 3 'holds a root key already' "$kmsd" --config "$dir/kmsd.yaml" --init \
        --admin-key "$dir/admin.pem"
done
[ "$kills" -gt 0 ] || die 'nothing was killed'
echo "$kills kills in the first run"
