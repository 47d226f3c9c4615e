#!/bin/sh
# The leak test of this folder on a build that leaks and on the repaired one: the first has to fail, the
# second to pass. Takes less than a minute; needs node and a build in build/release, or $LEAKSHIM.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/leakshim-ci.XXXXXX")
trap 'rm -rf "$work"' EXIT

# expect CODE NAME FIXED: the test of one build has to end with CODE.
expect() {
    printf '\n== %s\n' "$2"
    code=0
    FIXED=$3 sh "$here/leak-test.sh" "$work/$2" || code=$?
    if [ "$code" -ne "$1" ]; then
        echo "the test of the $2 build ended with $code, expected $1" >&2
        exit 1
    fi
}

expect 1 leaking 0
# The same runs once more, as annotations of GitHub Actions.
cd "$here/../.."
"${LEAKSHIM:-build/release/leakshim}" check --format=github "$work/leaking" | tee "$work/annotations" || true
grep -q '^::error file=examples/listeners/cache.js,line=[0-9]*,.*getData' "$work/annotations" || {
    echo "no annotation points at the leak" >&2
    exit 1
}
expect 0 repaired 1
printf '\nthe leaking build failed and the repaired one passed\n'
