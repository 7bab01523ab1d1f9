#!/usr/bin/env bash
# run.sh [options of seal.py]: every measurement, then docs/bench.md, its plots and the raw figures.
# Run by ./do bench. Takes about ten minutes and 35 GiB of disk; --quick: one minute, 4 GiB, and the
# results stay below build/.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
BUILD=${CASEMATE_BENCH_BUILD:-$PWD/build/main}
WORK=$PWD/build/bench
DOCS=docs
ROUNDS=201 MIB=1024 BODY=3
for option in "$@"; do
    [ "$option" != --quick ] || { DOCS=build/bench-docs ROUNDS=21 MIB=256 BODY=2; }
done
rm -rf "$WORK"
mkdir -p "$WORK" "$DOCS"
trap 'rm -rf "$WORK"' EXIT

tools/get-peers.sh .deps/peers || echo 'going on with the age there is'
ninja -C "$BUILD" bench/bench_{body,hash,limits,primitives,tensor} >/dev/null
uptime >"$WORK/uptime"
python3 bench/seal.py --build "$BUILD" --work "$WORK" --out "$WORK/seal.json" "$@"
"$BUILD/bench/bench_body" "$WORK/model.safetensors" "$WORK" "$BODY" >"$WORK/body.json"
"$BUILD/bench/bench_tensor" "$WORK/model.safetensors" "$WORK" 1 10 100 1000 >"$WORK/tensor.json"
"$BUILD/bench/bench_limits" "$WORK" "$MIB" >"$WORK/limits.json"
"$BUILD/bench/bench_primitives" --json --rounds "$ROUNDS" >"$WORK/primitives.json"
"$BUILD/bench/bench_hash" --json --rounds 11 >"$WORK/hash.json"
python3 bench/report.py "$WORK" "$DOCS"
echo "written: $DOCS/bench.md"
