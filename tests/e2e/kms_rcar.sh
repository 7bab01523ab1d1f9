#!/usr/bin/env bash
# The key broker protocol over HTTPS, by a client written from its document: tests/e2e/kms_rcar.py.
python=/usr/bin/python3 # packages of the distribution belong to this one
[ -x "$python" ] || python=python3
exec "$python" "$CASEMATE_SOURCE/tests/e2e/kms_rcar.py"
