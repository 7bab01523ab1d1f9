#!/usr/bin/env bash
# run.sh TEST: runs one script in a fresh folder with $CASEMATE_CLI on PATH as casemate.
set -euo pipefail
WORK=$(mktemp -d "${TMPDIR:-/tmp}/casemate-e2e.XXXXXX")
trap 'rm -rf "$WORK"' EXIT
mkdir "$WORK/bin"
ln -s "$CASEMATE_CLI" "$WORK/bin/casemate"
export WORK PATH="$WORK/bin:$PATH" HOME="$WORK"
cd "$WORK"
bash -euo pipefail "$1"
