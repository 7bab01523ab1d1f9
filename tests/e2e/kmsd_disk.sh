#!/usr/bin/env bash
# The server over a disk that is slow, full or fails: tests/e2e/kmsd_disk.py.
exec python3 "$CASEMATE_SOURCE/tests/e2e/kmsd_disk.py"
