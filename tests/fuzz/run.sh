#!/bin/sh
# Runs every fuzz target of a build from its corpus: 20 seconds each, ten minutes with --long.
set -eu
build=$(cd "$1" && pwd)
seconds=20
[ "${2-}" = --long ] && seconds=600
cd "$(dirname "$0")"
for corpus in corpus/*/; do
    name=$(basename "$corpus")
    found=$(mktemp -d)
    "$build/fuzz_$name" -max_total_time="$seconds" -print_final_stats=0 -verbosity=0 \
        "-artifact_prefix=$found/" "$found" "$corpus" || {
        echo "not ok fuzz_$name: see $found"
        exit 1
    }
    rm -rf "$found"
    echo "ok fuzz_$name: nothing found in $seconds s"
done
