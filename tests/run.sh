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

sh tests/install-packages.sh gcc g++ libc6-dev clang clang-format clang-tidy libclang-rt-14-dev \
    cmake ninja-build binutils libunwind-dev libjemalloc-dev libcmocka-dev python3 nodejs npm gdb \
    libjemalloc2 libtcmalloc-minimal4 libcap2-bin valgrind file

results=$(mktemp)
trap 'rm -f "$results"' EXIT
failed=0

# Runs one group of tests; each prints its own result lines. The last lines are kept for the end.
group() {
    name=$1
    shift
    printf '\n=== %s\n' "$name"
    if "$@"; then
        echo "passed  $name" >>"$results"
    else
        echo "FAILED  $name" >>"$results"
        failed=$((failed + 1))
    fi
}

build() {
    cmake --preset "$1" -DCMAKE_EXPORT_COMPILE_COMMANDS=ON >"build/$1.log" 2>&1 &&
        cmake --build --preset "$1" >>"build/$1.log" 2>&1 || {
        tail -n 40 "build/$1.log"
        return 1
    }
}

mkdir -p build
group "build release" build release
group "build dev" build dev
group "source rules" python3 tests/source/check.py
group "format" sh tests/source/format.sh
group "static analysis" sh tests/source/tidy.sh build/dev
group "unit tests" ctest --test-dir build/dev --output-on-failure -j2
group "build asan" build asan
group "unit tests, AddressSanitizer" ctest --test-dir build/asan --output-on-failure -j2
group "build ubsan" build ubsan
group "unit tests, UndefinedBehaviorSanitizer" ctest --test-dir build/ubsan --output-on-failure -j2
group "build tsan" build tsan
group "unit and stress tests, ThreadSanitizer" ctest --test-dir build/tsan --output-on-failure -j2
group "build fuzz" build fuzz
group "fuzz" sh tests/fuzz/run.sh build/fuzz $long
group "command line" sh tests/cli/test_cli.sh build/dev
group "installed tree" sh tests/install/run.sh build/release
group "victims" python3 tests/preload/run.py --build build/dev
group "node" python3 tests/node/run.py --library build/dev/libleakshim.so --nodes 20,22,24 $long

printf '\n'
cat "$results"
passed=$(grep -c '^passed' "$results" || true)
printf '%s passed, %s failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
