#!/usr/bin/env bash
# abi_symbols.sh LIBRARY: exports what abi_symbols.txt lists, no more and no less (docs/abi.md).
set -euo pipefail
list=$(dirname "$0")/abi_symbols.txt
command -v nm >/dev/null || { echo 'SKIP: no nm'; exit 77; }
diff -u --label abi_symbols.txt --label exported <(grep -v '^#' "$list") \
    <(nm -D --defined-only "$1" | awk '$2 ~ /[TDBRVW]/ { print $3 }' | LC_ALL=C sort) || {
    echo 'the exported symbols changed: read docs/abi.md, then mend abi_symbols.txt'
    exit 1
}
