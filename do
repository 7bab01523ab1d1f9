#!/usr/bin/env bash
# One entry to everything; `./do` alone prints the verbs. Each installs what it needs first.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
ROOT=$PWD
OPENSSL=$ROOT/.deps/openssl
LOGS=$ROOT/build/logs
RESULTS=$ROOT/build/results
JOBS=$(nproc 2>/dev/null || echo 2)
export LC_ALL=C.UTF-8

# ---- what each verb needs: packages, `a|b` for the first that exists, `?` in front if optional
# shellcheck disable=SC2034
{
    PKG_build='gcc libc6-dev make meson ninja-build pkg-config libsecp256k1-dev libsqlite3-dev libpq-dev libnghttp2-dev libyaml-dev libseccomp-dev ?libtss2-dev'
    PKG_up="$PKG_build ?swtpm ?tpm2-tools"
    PKG_docs="$PKG_build"
    PKG_test="$PKG_build libcmocka-dev zlib1g-dev python3 ?python3-cbor2 ?python3-cryptography ?python3-argon2 ?g++ ?softhsm2 ?opencryptoki ?libnss3-tools ?openssl-provider-fips ?libzstd-dev ?postgresql ?iproute2 ?curl ?nghttp2-client ?protobuf-compiler ?python3-protobuf ?python3-grpcio ?opensc ?opensc-pkcs11 ?pcscd ?vsmartcard-vpcd ?openssh-client ?openssh-server ?libengine-pkcs11-openssl ?swtpm ?swtpm-tools ?tpm2-tools ?ovmf ?libfuse3-dev ?fuse3"
    command -v npm >/dev/null || PKG_test+=' ?nodejs ?npm'
    PKG_bench="$PKG_build python3 ?age ?gpg ?softhsm2"
    PKG_lint="$PKG_build libcmocka-dev zlib1g-dev python3 git ?clang-format-14 ?pmccabe ?shellcheck"
    PKG_fuzz="$PKG_build clang llvm libclang-rt-dev python3"
    PKG_ci="$PKG_test $PKG_lint $PKG_fuzz g++ valgrind"
}

usage() {
    cat <<END
./do up            build, then a tour: a small model sealed and reopened, a key server used
./do test          build and run every test (unit, known answers, faults, interop, end to end)
./do ci            all that CI runs: lint, both compilers, sanitizers, constant time, fuzzers
./do lint          layers, format, complexity, spec tags and the other rules of the house
./do bench         the figures of docs/, measured on this machine
./do bench kms     the key server's: docs/bench-kms.md, below five minutes
./do bench market  receipts: docs/bench-market.md, below four minutes
./do bench attest  evidence verified: docs/bench-attest.md, below a minute
./do bench hsm     keys in a token: docs/bench-hsm.md, below four minutes
./do bench fuzz [SECS [NAME...]]  parsers of evidence: docs/fuzz.md, 600 seconds each
./do fuzz [SECS]   every fuzzer for SECS seconds each (default 30), formats of evidence a fourth
./do docs          man pages and shell completions, from the program's own tables
./do clean [all]   remove build/; with all, the private OpenSSL below .deps/ too
END
}

say() { printf '%s\n' "$*"; }
die() {
    printf 'do: %s\n' "$*" >&2
    exit 1
}

# quiet NAME COMMAND...: run with the output in a log; on failure show the end of it.
quiet() {
    local name=$1 log=$LOGS/$1.log
    shift
    mkdir -p "$LOGS"
    "$@" >"$log" 2>&1 || {
        tail -n 60 "$log" >&2
        say "do: $name failed; all of its output: ${log#"$ROOT"/}" >&2
        return 1
    }
}

# ---- packages

installed() { [ "$(dpkg-query -W -f '${db:Status-Abbrev}' "$1" 2>/dev/null)" = 'ii ' ]; }
available() { [ "$(apt-cache policy "$1" 2>/dev/null | sed -n 's/^  Candidate: //p')" != '(none)' ] &&
    apt-cache show "$1" >/dev/null 2>&1; }

any_installed() {
    local p
    for p in ${1//|/ }; do
        ! installed "$p" || return 0
    done
    return 1
}

# The system's OpenSSL is better than a private one where its candidate is new enough.
want_system_openssl() {
    local v
    [ ! -e "$OPENSSL/stamp" ] || return 1
    v=$(apt-cache policy libssl-dev 2>/dev/null | sed -n 's/^  Candidate: //p')
    [ -n "$v" ] && dpkg --compare-versions "$v" ge 3.5 && ! installed libssl-dev
}

root_run() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        sudo -n "$@"
    fi
}

can_install() { [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; }

apt_install() {
    root_run env DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o Dpkg::Use-Pty=0 \
        install --no-install-recommends "$@"
}

# missing_packages LIST [required]: what is not installed, each once; of the optional ones only
# what can be had.
missing_packages() {
    local want p
    for want in $1; do
        any_installed "${want#\?}" && continue
        [ "${want:0:1}" != '?' ] || [ -z "${2:-}" ] || continue
        for p in $(tr '|' ' ' <<<"${want#\?}"); do
            if available "$p"; then
                say "$p"
                continue 2
            fi
        done
        [ "${want:0:1}" = '?' ] || say "$p"
    done | awk '!seen[$0]++' | tr '\n' ' '
}

need() {
    local verb=$1 list="PKG_$1" stamp missing
    list=${!list}
    stamp="$verb $list $(stat -c %Y /var/lib/dpkg/status 2>/dev/null || echo none)"
    if ! grep -qxF "$stamp" .deps/packages 2>/dev/null; then
        command -v dpkg-query >/dev/null ||
            die "this machine has no dpkg; install by hand what these Debian packages hold: $list"
        missing=$(missing_packages "$list")
        if [ -n "$missing" ]; then
            # shellcheck disable=SC2086
            install_missing "$verb" "$list" $missing
        fi
        ! want_system_openssl || ! can_install || quiet apt apt_install libssl-dev openssl
        mkdir -p .deps
        stamp="$verb $list $(stat -c %Y /var/lib/dpkg/status)"
        printf '%s\n' "$stamp" >>.deps/packages
    fi
    quiet openssl tools/get-openssl.sh "$OPENSSL" auto
}

install_missing() {
    local verb=$1 list=$2
    shift 2
    if ! can_install; then
        [ -n "$(missing_packages "$list" required)" ] || {
            say "do: going on without $*: what needs them is skipped"
            return 0
        }
        die "these packages are missing: $*
    install them as root, then run ./do $verb again:
        apt-get install --no-install-recommends $*"
    fi
    say "installing for ./do $verb: $*"
    quiet apt-update root_run apt-get -qq update || say 'do: going on with the package lists at hand'
    # The lists may have been empty until now.
    # shellcheck disable=SC2046
    quiet apt apt_install $(missing_packages "$list")
}

# ---- builds

linked() { grep -v '^want=' "$1" 2>/dev/null; }

# configure DIR [meson options]: a build folder, made anew when the OpenSSL below it changed.
configure() {
    local dir=build/$1
    shift
    if [ "$(linked "$OPENSSL/stamp")" != "$(linked "$dir/openssl-stamp")" ]; then
        rm -rf "$dir"
    fi
    if [ ! -e "$dir/build.ninja" ]; then
        meson setup "$dir" -Dpkg_config_path="$OPENSSL/lib/pkgconfig" "$@" || return 1
    elif [ .deps/packages -nt "$dir/openssl-stamp" ]; then
        # What was not there may be now: the tests need more packages than the program.
        meson setup --reconfigure "$dir" || return 1
    fi
    cp "$OPENSSL/stamp" "$dir/openssl-stamp"
}

# build NAME [meson options]
build() {
    local name=$1
    quiet "$name-setup" configure "$@" || return 1
    quiet "$name-build" ninja -C "build/$name" -j "$JOBS"
}

run_suites() { meson test -C "build/$1" --no-rebuild --num-processes "$JOBS" "${@:2}"; }

CLI=$ROOT/build/main/cmd/casemate/casemate

# ---- results: a line "pass|fail|skip NAME" each

result() { printf '%s %s\n' "$1" "$2" >>"$RESULTS"; }

# check NAME COMMAND...: one counted check.
check() {
    local name=$1 start=$SECONDS
    shift
    if quiet "$name" "$@"; then
        result pass "$name"
        say "ok      $name ($((SECONDS - start)) s)"
    else
        result fail "$name"
        say "FAIL    $name ($((SECONDS - start)) s)"
    fi
}

# suites NAME TIMES [meson test options]: the tests of build/NAME, each counted.
suites() {
    local name=$1 times=$2 start=$SECONDS log=$ROOT/build/$1/meson-logs/testlog.json
    shift 2
    rm -f "$log"
    mkdir -p "$LOGS"
    run_suites "$name" -t "$times" "$@" >"$LOGS/$name-tests.log" 2>&1 || true
    python3 tools/tally.py "$name" "$RESULTS" "$log"
    say "        $name: $((SECONDS - start)) s"
}

totals() {
    local passed failed skipped
    passed=$(grep -c '^pass ' "$RESULTS" || true)
    failed=$(grep -c '^fail ' "$RESULTS" || true)
    skipped=$(sed -n 's/^skip //p' "$RESULTS" | sort -u)
    [ -z "$skipped" ] || printf 'skipped:\n%s\n' "$(sed 's/^/  /' <<<"$skipped")"
    [ "$failed" = 0 ] || printf 'failed:\n%s\n' "$(sed -n 's/^fail /  /p' "$RESULTS")"
    say "$passed passed, $failed failed"
    [ "$failed" = 0 ] && [ "$passed" -gt 0 ]
}

fresh_results() {
    mkdir -p build
    : >"$RESULTS"
}

# ---- verbs

do_up() {
    need up
    build main
    ln -sfn main/cmd/casemate/casemate build/casemate
    say "built build/casemate ($("$OPENSSL/bin/openssl" version | cut -d' ' -f1,2))"
    [ ! -x tools/tour.sh ] || PATH=$(dirname "$CLI"):$PATH tools/tour.sh
}

# Clients, tokens and an EVM that no one here wrote; the tests that want them say so when they are
# not to be had.
need_clients() {
    quiet clients tools/get-clients.sh .deps/clients || true
    quiet tokens tools/get-tokens.sh .deps/tokens || true
    quiet contracts tools/get-contracts.sh .deps/npm || true
}

do_test() {
    need test
    need_clients
    build main
    fresh_results
    suites main 1
    totals
}

do_lint() {
    need lint
    build main
    fresh_results
    lint_checks
    totals
}

lint_checks() {
    python3 tools/lint/lint.py --build build/main --results "$RESULTS"
    check lint-selftest python3 tools/lint/selftest.py
}

do_docs() {
    need docs
    build main || return 1
    "$CLI" help --man docs/man --completions docs/completions --markdown docs/cli.md || return 1
    "$CLI" config reference --out docs/config.md --force || return 1
    "$CLI" config schema --out docs/config.schema.json --force || return 1
    build/main/kms-docs docs || return 1
    say 'docs/man, docs/completions, docs/cli.md and the references of the server are up to date'
}

do_bench() {
    if [ "${1-}" = fuzz ]; then
        need fuzz
        build_fuzzers || return 1
        exec python3 bench/fuzz.py build/fuzz docs "${@:2}"
    fi
    need bench
    build main
    PATH=$(dirname "$CLI"):$PATH
    export PATH
    if [ "${1-}" = kms ]; then
        need_clients
        ninja -C build/main bench/bench_{commit,fill,idle,shake,unwrap} >/dev/null || return 1
        exec python3 bench/kms.py build/main "${CASEMATE_CLIENTS:-.deps/clients/bin}" docs
    fi
    if [ "${1-}" = market ]; then
        need_clients
        command -v softhsm2-util >/dev/null || die 'bench market needs SoftHSM2 (package softhsm2)'
        ninja -C build/main bench/bench_{market,token} >/dev/null || return 1
        exec python3 bench/market.py build/main "${CASEMATE_CLIENTS:-.deps/clients/bin}" docs
    fi
    if [ "${1-}" = attest ]; then
        ninja -C build/main bench/bench_attest cmd/casemate/casemate tests/testlib/enclave-payload-static \
            tests/testlib/enclave-payload-dynamic >/dev/null || return 1
        exec python3 bench/attest.py build/main docs
    fi
    if [ "${1-}" = hsm ]; then
        command -v softhsm2-util >/dev/null || die 'bench hsm needs SoftHSM2 (package softhsm2)'
        ninja -C build/main bench/bench_{failover,held,load,token} >/dev/null || return 1
        exec python3 bench/hsm.py build/main "${CASEMATE_CLIENTS:-.deps/clients/bin}" docs
    fi
    exec bench/run.sh "$@"
}

FUZZ_OPTIONS=(-Dfuzzers=true '-Db_sanitize=address,undefined' -Db_lundef=false)

build_fuzzers() { CC=clang build fuzz "${FUZZ_OPTIONS[@]}"; }

FUZZ_KEPT=${CASEMATE_FUZZ_CORPUS:-$ROOT/.deps/fuzz} # by ./do bench fuzz

# one_fuzzer PROGRAM SECONDS [FORMAT]: new finds go to build/, so that the committed corpus stays
# small.
one_fuzzer() {
    local name=${1##*/fuzz_}${3:+/$3} work corpora kept
    work=$ROOT/build/fuzz/found/$name
    corpora=("$work" "tests/fuzz/corpus/$name")
    kept=$FUZZ_KEPT/${3:-fuzz_$name}
    [ ! -d "$kept" ] || corpora+=("$kept")
    mkdir -p "$work" "tests/fuzz/corpus/$name"
    CASEMATE_FUZZ_FORMAT=${3:-} UBSAN_OPTIONS=halt_on_error=1 "$1" -max_total_time="$2" \
        -timeout=20 -rss_limit_mb=1024 -max_len=65536 -artifact_prefix="$work/crash-" \
        -print_final_stats=1 "${corpora[@]}"
}

# evidence_fuzzers PROGRAM SECONDS: each format, as many at once as there are processors.
evidence_fuzzers() {
    export ROOT FUZZ_KEPT
    export -f one_fuzzer
    # shellcheck disable=SC2016
    find tests/fuzz/corpus/evidence -mindepth 1 -maxdepth 1 -type d -printf '%f\n' |
        xargs -P "$JOBS" -n 1 bash -c 'one_fuzzer "$0" "$1" "$2"' "$1" "$2"
}

fuzz_each() {
    local f
    for f in build/fuzz/tests/fuzz/fuzz_*; do
        if [ "${f##*/}" = fuzz_evidence ]; then
            check fuzz-evidence evidence_fuzzers "$f" "$((($1 + 2) / 4 + ($1 < 2)))"
        elif [ -f "$f" ] && [ -x "$f" ]; then
            check "fuzz-${f##*/fuzz_}" one_fuzzer "$f" "$1"
        fi
    done
}

do_fuzz() {
    need fuzz
    build_fuzzers
    fresh_results
    fuzz_each "${1:-30}"
    totals
}

regenerated() {
    local folder
    do_docs || return 1
    for folder in docs/man docs/completions docs/cli.md docs/config.md docs/config.schema.json \
        docs/openapi.json docs/kms.proto docs/kms-api.md; do
        git diff --exit-code -- "$folder" || return 1
        [ -z "$(git ls-files --others --exclude-standard -- "$folder")" ] ||
            { say "not committed: $folder"; return 1; }
    done
}

# ci_compiler NAME COMPILER TIMES "SUITES" [meson options]: a warning fails the build, and a build
# that failed has no tests to count. No suites named: all.
ci_compiler() {
    local name=$1 cc=$2 times=$3 only=() s
    for s in $4; do
        only+=(--suite "$s")
    done
    shift 4
    CC=$cc check "$name-werror" build "$name" -Dwerror=true "$@"
    [ ! -e "build/$name/build.ninja" ] || suites "$name" "$times" "${only[@]}"
}

do_ci() {
    need ci
    need_clients
    fresh_results
    check build build main
    lint_checks
    check headers tools/lint/headers.sh
    check symbols tools/lint/symbols.sh build/main
    check install tools/check-install.sh build/main
    check regenerate regenerated
    ci_compiler gcc gcc 1 ''
    ci_compiler clang clang 1 'unit kat fault interop fuzz' # end to end: with the sanitizers
    ci_compiler sanitize clang 4 '' '-Db_sanitize=address,undefined' -Db_lundef=false
    ci_compiler threads clang 10 'unit fault' -Db_sanitize=thread -Db_lundef=false
    ci_compiler ct-gcc gcc 1 '' -Dct_check=true -Dct_only=true
    ci_compiler ct-clang clang 1 '' -Dct_check=true -Dct_only=true
    python3 tools/mutants.py "$RESULTS" || say 'do: a fault put in on purpose went unnoticed'
    check fuzz-build build_fuzzers
    fuzz_each "${CASEMATE_FUZZ_SECONDS:-5}"
    totals
}

do_clean() {
    rm -rf build
    [ "${1:-}" != all ] || rm -rf .deps
}

case ${1:-} in
up | test | ci | lint | bench | fuzz | docs | clean)
    verb=$1
    shift
    "do_$verb" "$@"
    ;;
'' | -h | --help | help) usage ;;
*)
    usage >&2
    exit 2
    ;;
esac
