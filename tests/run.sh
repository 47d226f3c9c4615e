#!/bin/sh
# Builds everything and runs every test; installs what is missing on a bare Debian 12 machine.
#
#   sh tests/run.sh [--long]
#
# --long adds the runs that take longer than a CI job should.
set -eu
cd "$(dirname "$0")/.."
long=
[ "${1-}" = --long ] && long=--long

# npm keeps its settings and its cache at home; a service manager may start us without one.
if [ -z "${HOME-}" ]; then
    HOME=$(getent passwd "$(id -u)" | cut -d: -f6)
fi
if [ ! -d "${HOME:-/nonexistent}" ] || [ ! -w "$HOME" ]; then
    HOME=$PWD/build/home
    mkdir -p "$HOME"
fi
export HOME

# The last line is what Debian's own Node needs; it is tested also where /usr/bin/node is another.
sh tests/install-packages.sh ca-certificates git gcc g++ libc6-dev clang clang-format clang-tidy \
    libclang-rt-14-dev cmake ninja-build binutils libunwind-dev libjemalloc-dev libcmocka-dev \
    pkg-config libjansson-dev libprotobuf-c-dev protobuf-c-compiler zlib1g-dev libdw-dev libncurses-dev \
    libxml2-utils python3-jsonschema go:golang-go man-db zsh chromium debuginfod tmux \
    python3 node:nodejs npm:npm gdb libjemalloc2 libtcmalloc-minimal4 libcap2-bin valgrind \
    redis-tools sqlite3 libevent-2.1-7 libpcre2-8-0 libsasl2-2 \
    libc-ares2 libicu72 libnghttp2-14 libbrotli1 libuv1 node-acorn node-cjs-module-lexer node-undici || {
    printf 'FAILED  packages\n0 passed, 1 failed\n'
    exit 1
}

results=$(mktemp)
trap 'rm -f "$results"' EXIT
failed=0
began=$(date +%s)

# Runs one group of tests; each prints its own result lines. The last lines are kept for the end.
group() {
    name=$1
    shift
    printf '\n=== %s\n' "$name"
    start=$(date +%s)
    outcome=passed
    "$@" || {
        outcome=FAILED
        failed=$((failed + 1))
    }
    printf '%s  %4d s  %s\n' "$outcome" $(($(date +%s) - start)) "$name" | tee -a "$results"
}

build() {
    cmake --preset "$1" -DCMAKE_EXPORT_COMPILE_COMMANDS=ON >"build/$1.log" 2>&1 &&
        cmake --build --preset "$1" >>"build/$1.log" 2>&1 || {
        tail -n 40 "build/$1.log"
        return 1
    }
}

# The unit and stress tests of a build. The victims are a group of their own.
unit_tests() {
    ctest --test-dir "$1" --output-on-failure -j2 -LE preload
}

mkdir -p build
group "build release" build release
group "build dev" build dev
group "source rules" python3 tests/source/check.py
group "format" sh tests/source/format.sh
group "static analysis" sh tests/source/tidy.sh build/dev
group "unit and stress tests" unit_tests build/dev
group "build asan" build asan
group "unit and stress tests, AddressSanitizer" unit_tests build/asan
group "build ubsan" build ubsan
group "unit and stress tests, UndefinedBehaviorSanitizer" unit_tests build/ubsan
group "build tsan" build tsan
group "unit and stress tests, ThreadSanitizer" unit_tests build/tsan
group "build fuzz" build fuzz
group "fuzz" sh tests/fuzz/run.sh build/fuzz $long
group "instruction counts" python3 tests/instructions/run.py --library build/release/libleakshim.so
group "the benchmark's programs" \
    sh tests/bench/run.sh --smoke --library build/release/libleakshim.so
group "command line" sh tests/cli/test_cli.sh build/dev
group "run, between a command and its terminal" python3 tests/cli/test_run.py build/dev
group "check" python3 tests/cli/test_check.py build/dev
group "report and diff" python3 tests/cli/test_report.py build/dev
group "prometheus" python3 tests/prometheus/run.py --library build/dev/libleakshim.so
group "report in a browser" python3 tests/html/run.py build/dev
group "files and lines of native code" python3 tests/cli/test_symbolize.py build/dev
group "top" python3 tests/cli/test_top.py build/dev
group "manual and completions" python3 tests/cli/test_manual.py build/dev
group "installed tree" env CMAKE_GENERATOR=Ninja sh tests/install/run.sh build/release
group "quickstart" sh examples/quickstart.sh
group "leak test in CI" sh examples/ci/demo.sh
group "the victims' runner" python3 tests/preload/run.py --build build/dev --check-runner
group "victims" python3 tests/preload/run.py --build build/dev
group "the verdicts' runner" python3 tests/verdict/test_run.py
group "forecasts" python3 tests/verdict/limits.py --build build/dev $long
group "verdicts" python3 tests/verdict/run.py --build build/dev $long
[ -z "$long" ] || group "rates of false alarms" build/dev/tests/unit/test_trend_rates 400
group "node" python3 tests/node/run.py --library build/dev/libleakshim.so --nodes 20,22,24,25 \
    --short 18,debian $long
group "node, every block from jemalloc" \
    python3 tests/node/run.py --library build/dev/libleakshim.so --nodes 24 --allocator jemalloc

printf '\n'
cat "$results"
passed=$(grep -c '^passed' "$results" || true)
printf 'in %s s\n' $(($(date +%s) - began))
printf '%s passed, %s failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
