#!/bin/sh
# Installs a build into a folder of its own and builds programs against what stands there: in C and
# C++, through pkg-config, through the CMake package, and with each public header alone.
set -eu
build=$(cd "$1" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0 passed=0

check() {
    name=$1
    shift
    if "$@" >"$work/log" 2>&1; then
        passed=$((passed + 1))
        echo "ok $name"
    else
        failed=$((failed + 1))
        echo "not ok $name"
        cat "$work/log"
    fi
}

cmake --install "$build" --prefix "$work/tree" >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
library=$(dirname "$(find "$work/tree" -name libleakshim.so)")

for header in "$work"/tree/include/leakshim/*.h; do
    check "$(basename "$header") compiles alone as C11" \
        cc -std=c11 -pedantic-errors -Wall -Wextra -Werror -fsyntax-only "$header"
    check "$(basename "$header") compiles alone as C++17" \
        c++ -x c++ -std=c++17 -pedantic-errors -Wall -Wextra -Werror -fsyntax-only "$header"
done

export PKG_CONFIG_PATH="$library/pkgconfig"
flags=$(sed -n 's/^Cflags: //p; s/^Libs: //p' "$library/pkgconfig/leakshim.pc" |
    sed "s|\${libdir}|$library|; s|\${includedir}|$work/tree/include|" | tr '\n' ' ')
# shellcheck disable=SC2086
check "a C program links with the flags of leakshim.pc" \
    cc -o "$work/consumer" "$here/consumer.c" $flags "-Wl,-rpath,$library"
check "and runs" env LEAKSHIM_OPTIONS="dir=$work/runs" "$work/consumer"
# shellcheck disable=SC2086
check "a C++ program too" c++ -std=c++17 -o "$work/listeners" "$here/consumer.cpp" $flags \
    "-Wl,-rpath,$library"
check "and counts resources of its own" env LEAKSHIM_OPTIONS="dir=$work/runs" "$work/listeners"
example=$here/../../examples/c-service
# shellcheck disable=SC2086
check "the example's growth test builds" cc -O2 -o "$work/growth_test" "$example/growth_test.c" \
    "$example/session.c" $flags "-Wl,-rpath,$library"
check "it passes the repaired sessions" \
    env LEAKSHIM_OPTIONS="mode=exact,dir=$work/runs" "$work/growth_test" --fixed
check "and fails the leaking ones, by what each leaves" sh -c "
    LEAKSHIM_OPTIONS=mode=exact,dir=$work/runs '$work/growth_test' >'$work/said'; [ \$? -eq 1 ] &&
    grep -qx '200 sessions leave [0-9]* bytes in 180 blocks, 0 sockets, 180 sessions' '$work/said'"
check "a CMake project finds leakshim::leakshim" \
    cmake -S "$here/cmake" -B "$work/cmake" "-DCMAKE_PREFIX_PATH=$work/tree"
check "and builds" cmake --build "$work/cmake"
check "and runs" env LEAKSHIM_OPTIONS="dir=$work/runs" "$work/cmake/consumer"
# shellcheck disable=SC2086
check "the example's service builds" cc -O2 -g -o "$work/epoll_service" "$example/epoll_service.c" \
    "$example/jobs.c" $flags "-Wl,-rpath,$library"
check "and does what it says" \
    python3 "$here/service.py" "$work/epoll_service" "$library/libleakshim.so"
check "a CMake project of it finds the package" \
    cmake -S "$example" -B "$work/service" "-DCMAKE_PREFIX_PATH=$work/tree"
check "and builds it" cmake --build "$work/service"
check "which knows its options" sh -c "'$work/service/epoll_service' --no-such-option; [ \$? -eq 2 ]"
check "the installed program finds the installed library" \
    sh -c "LEAKSHIM_OPTIONS=dir=$work/runs '$work/tree/bin/leakshim' run -- /bin/true"

for file in share/man/man1/leakshim.1 share/man/man3/leakshim.3 share/man/man7/libleakshim.so.7 \
    share/bash-completion/completions/leakshim share/zsh/site-functions/_leakshim; do
    check "$file is installed" test -s "$work/tree/$file"
done

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
