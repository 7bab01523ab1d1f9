#!/usr/bin/env bash
# The server under a clock that jumps both ways: tests/e2e/kmsd_clock.py.
exec python3 "$CASEMATE_SOURCE/tests/e2e/kmsd_clock.py"
