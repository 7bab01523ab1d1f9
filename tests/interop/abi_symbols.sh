#!/usr/bin/env bash
# abi_symbols.sh LIBRARY LIST: exports what the list beside this has, no more and no less (docs/abi.md).
set -euo pipefail
list=$(dirname "$0")/$2
command -v nm >/dev/null || { echo 'SKIP: no nm'; exit 77; }
diff -u --label "$2" --label exported <(grep -v '^#' "$list") \
    <(nm -D --defined-only "$1" | awk '$2 ~ /[TDBRVW]/ { print $3 }' | LC_ALL=C sort) || {
    echo 'the exported symbols changed: read docs/abi.md, then mend the list'
    exit 1
}
