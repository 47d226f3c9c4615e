#!/bin/sh
# leakshim's main job in one command, on a bare Debian 12:
#
#     sh examples/quickstart.sh
#
# Installs what is missing with apt-get (as root or with sudo), builds the library, runs a Node
# server that leaks under it for half a minute, and prints the summary that names the leak. Then the
# repaired server, under the same load for as long. Ends with 0 when the leak was named and the
# repaired server stayed clean; else with 1.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
rate=200
seconds=15
work=$(mktemp -d "${TMPDIR:-/tmp}/leakshim-quickstart.XXXXXX")
# LD_PRELOAD takes a blank or a colon for the end of a path: the checkout may lie anywhere.
library=$work/libleakshim.so
server=

clean_up() {
    if [ -n "$server" ]; then
        kill "$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
    fi
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 1' INT TERM HUP

say() {
    printf '\n== %s\n' "$*"
}

fail() {
    printf 'quickstart: %s\n' "$*" >&2
    exit 1
}

# Prints the Debian packages that are missing for the build and for the example.
missing_packages() {
    command -v cc >/dev/null 2>&1 || printf ' gcc libc6-dev'
    command -v cmake >/dev/null 2>&1 || printf ' cmake'
    command -v ninja >/dev/null 2>&1 || printf ' ninja-build'
    [ -e /usr/include/libunwind.h ] || ls /usr/include/*/libunwind.h >/dev/null 2>&1 ||
        printf ' libunwind-dev'
    command -v pkg-config >/dev/null 2>&1 || printf ' pkg-config'
    pkg-config --exists jansson 2>/dev/null || printf ' libjansson-dev'
    pkg-config --exists libprotobuf-c 2>/dev/null || printf ' libprotobuf-c-dev'
    pkg-config --exists zlib 2>/dev/null || printf ' zlib1g-dev'
    pkg-config --exists libdw libelf 2>/dev/null || printf ' libdw-dev'
    pkg-config --exists ncursesw 2>/dev/null || printf ' libncurses-dev'
    command -v protoc-c >/dev/null 2>&1 || printf ' protobuf-c-compiler'
    ls /usr/lib/*/libjemalloc_pic.a >/dev/null 2>&1 || printf ' libjemalloc-dev'
    command -v objcopy >/dev/null 2>&1 || printf ' binutils'
    command -v node >/dev/null 2>&1 || printf ' nodejs'
}

install_missing() {
    packages=$(missing_packages)
    [ -n "$packages" ] || return 0
    if ! command -v apt-get >/dev/null 2>&1; then
        fail "missing, and there is no apt-get to install them with:$packages"
    elif [ "$(id -u)" -eq 0 ]; then
        privileged=
    elif command -v sudo >/dev/null 2>&1; then
        privileged=sudo
    else
        fail "needs root or sudo to run: apt-get install$packages"
    fi
    say "Installing$packages"
    # The list of packages is meant to be split.
    # shellcheck disable=SC2086
    { $privileged apt-get update -qq && $privileged env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends $packages; } >"$work/apt.log" 2>&1 || {
        tail -n 20 "$work/apt.log" >&2
        fail "apt-get could not install:$packages"
    }
}

build() {
    say "Building build/release/libleakshim.so"
    (cd "$root" && cmake --preset release && cmake --build --preset release) >"$work/build.log" 2>&1 || {
        tail -n 40 "$work/build.log" >&2
        fail "the build failed"
    }
    ln -s "$root/build/release/libleakshim.so" "$library"
}

# serve NAME FIXED: the server under leakshim and its load; the run is left in $work/NAME.
serve() {
    FIXED=$2 LD_PRELOAD="$library" \
        LEAKSHIM_OPTIONS="interval=1s,dir=$work/$1" \
        node --max-old-space-size=512 "$root/examples/listeners/server.js" >"$work/$1.log" 2>&1 &
    server=$!
    tries=0
    until grep -q '^listening on' "$work/$1.log"; do
        tries=$((tries + 1))
        if [ "$tries" -gt 100 ] || ! kill -0 "$server" 2>/dev/null; then
            cat "$work/$1.log" >&2
            fail "the server did not start"
        fi
        sleep 0.1
    done
    port=$(sed -n 's/^listening on //p' "$work/$1.log")
    node "$root/examples/listeners/load.js" "$port" "$rate" "$seconds" ||
        fail "the load could not reach the server"
    cp "$work/$1"/*/summary.txt "$work/$1.txt" || {
        cat "$work/$1.log" >&2
        fail "leakshim wrote no summary"
    }
    kill "$server"
    wait "$server" || true
    server=
}

install_missing
build

say "A server that leaks: $rate requests a second for $seconds s (node $(node --version))"
serve leaking 0
cat "$work/leaking.txt"

say "The same server, repaired, under the same load"
serve fixed 1
cat "$work/fixed.txt"

first=$(head -n 1 "$work/leaking.txt")
case $first in
leaking:*) ;;
*) fail "the leak was not found: $first" ;;
esac
sed -n '/^Rising/,/^$/p' "$work/leaking.txt" | grep -q 'getData.*cache\.js' ||
    fail "the leak was not named"
if grep -hq '"verdict":"\(rising\|leaking\)"' "$work"/fixed/*/history.jsonl; then
    fail "something was said to rise in the repaired server"
fi
say "leakshim named getData in cache.js; the repaired server stayed clean"
