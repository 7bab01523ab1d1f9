#!/usr/bin/env bash
# Collateral replaced under a running server: tests/e2e/kms_collateral.py.
python=/usr/bin/python3 # packages of the distribution belong to this one
[ -x "$python" ] || python=python3
exec "$python" "$CASEMATE_SOURCE/tests/e2e/kms_collateral.py"
