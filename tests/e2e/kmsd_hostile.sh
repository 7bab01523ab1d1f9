#!/usr/bin/env bash
# Malformed requests, floods and slow peers against the running server: tests/e2e/kmsd_hostile.py.
exec python3 "$CASEMATE_SOURCE/tests/e2e/kmsd_hostile.py"
