#!/bin/sh
# A leak test for a CI job: starts a service under leakshim, loads it, and ends as `leakshim check`
# does: 0 nothing leaks, 1 something does, 2 it could not be judged.
#
#     FIXED=1 sh examples/ci/leak-test.sh RUNS [OPTION OF CHECK]...
#
# RUNS is a folder that does not exist yet; it keeps the summaries, for the job's artifacts. The program is
# $LEAKSHIM, else the one of build/release. To use it for a service of your own, change what stands
# between the two lines of dashes.
set -eu

[ "$#" -ge 1 ] || { echo "usage: leak-test.sh RUNS [OPTION OF CHECK]..." >&2; exit 2; }
runs=$1
shift
[ ! -e "$runs" ] || { echo "leak-test: $runs is there already" >&2; exit 2; }
root=$(cd "$(dirname "$0")/../.." && pwd)
leakshim=${LEAKSHIM:-$root/build/release/leakshim}
log=$runs.log
service=

stop() {
    [ -z "$service" ] || kill "$service" 2>/dev/null || true
    [ -z "$service" ] || wait "$service" 2>/dev/null || true
    service=
}
trap stop EXIT
trap 'exit 2' INT TERM HUP

# ------------------------------------------------------------------------------------------------
seconds=20
rate=200

"$leakshim" run --interval=1s --only=node --dir="$runs" -- \
    node --max-old-space-size=512 "$root/examples/listeners/server.js" >"$log" 2>&1 &
service=$!

tries=0
until port=$(sed -n 's/^listening on //p' "$log") && [ -n "$port" ]; do
    tries=$((tries + 1))
    if [ "$tries" -gt 100 ] || ! kill -0 "$service" 2>/dev/null; then
        cat "$log" >&2
        exit 2
    fi
    sleep 0.1
done

# A service that dies under the load is no pass.
node "$root/examples/listeners/load.js" "$port" "$rate" "$seconds" >>"$log" 2>&1 &&
    kill -0 "$service" 2>/dev/null || {
    cat "$log" >&2
    exit 2
}
# ------------------------------------------------------------------------------------------------

stop
code=0
"$leakshim" check --fail-on=leaking,learning "$@" "$runs" || code=$?
exit "$code"
