#!/usr/bin/env bash
# kill -9 of the server's processes under load: tests/e2e/kmsd_kills.py.
exec python3 "$CASEMATE_SOURCE/tests/e2e/kmsd_kills.py"
