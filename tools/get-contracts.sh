#!/usr/bin/env bash
# get-contracts.sh DIR: the compiler and the EVM of contracts/package-lock.json, into DIR, once.
# Without node, npm or their registry nothing is made, and the test that wants them says so.
set -euo pipefail
cd "$(dirname "$0")/.."
to=$1
want=$(cat contracts/package.json contracts/package-lock.json | sha256sum)
[ "$want" != "$(cat "$to/stamp" 2>/dev/null)" ] || exit 0
for program in node npm; do
    command -v "$program" >/dev/null || { echo "no $program"; exit 0; }
done
[ "$(node -p 'process.versions.node.split(".")[0]')" -ge 18 ] || { echo 'node is older than 18'; exit 0; }
rm -rf "$to"
mkdir -p "$to"
cp contracts/package.json contracts/package-lock.json contracts/.npmrc "$to"
timeout 90 npm ci --prefix "$to" --ignore-scripts --no-audit --no-fund --fetch-retries=1 --fetch-timeout=20000
printf '%s\n' "$want" >"$to/stamp"
