#!/usr/bin/env bash
# Terminals, signals and programs: progress, passphrases, interruption.
# shellcheck source=tests/e2e/lib.sh
. "$CASEMATE_SOURCE/tests/e2e/lib.sh"
with_keys
"$MAKE_MODEL" --sparse gguf big.gguf 768M
"$MAKE_MODEL" gguf small.gguf 2M
python3 "$CASEMATE_SOURCE/tests/e2e/terminal.py"
