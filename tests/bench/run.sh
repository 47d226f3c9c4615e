#!/bin/sh
# Measures what leakshim costs; installs and builds what that needs on a bare Debian 12 machine.
#
#   sh tests/bench/run.sh [--quick] [--only NAME,...] [--tools NAME,...] ...
#
# --help lists every argument.
set -eu
here=$(dirname "$0")
root=$here/../..

# redis-tools holds the server's program too; the package redis-server would start a daemon.
sh "$root/tests/install-packages.sh" gcc libc6-dev cmake ninja-build binutils libunwind-dev \
    pkg-config libjansson-dev libprotobuf-c-dev protobuf-c-compiler zlib1g-dev libdw-dev libncurses-dev \
    libjemalloc-dev python3 libjemalloc2 heaptrack wrk redis-tools sqlite3 node:nodejs

build=yes
for argument in "$@"; do
    case $argument in
    --library | --library=* | --from | --from=* | --list | --help | -h) build= ;;
    esac
done
if [ -n "$build" ]; then
    mkdir -p "$root/build"
    (cd "$root" && cmake --preset release && cmake --build --preset release) \
        >"$root/build/bench-release.log" 2>&1 || {
        tail -n 40 "$root/build/bench-release.log"
        exit 1
    }
fi
# -B: no compiled modules among the sources.
exec python3 -B "$here/run.py" "$@"
