#!/bin/sh
# Copies the metrics of the runs in one or more directories to where a node_exporter reads them:
#
#   collect.sh TEXTFILE_DIRECTORY RUNS_DIRECTORY...
#
# For a node_exporter that may not read the runs itself: they are their user's alone. Run it once a
# minute as that user, with a textfile directory he may write to. What has ended is not copied, and what
# has not been written for an hour neither; copies of such runs are removed.
set -eu
if [ $# -lt 2 ]; then
    echo "usage: collect.sh TEXTFILE_DIRECTORY RUNS_DIRECTORY..." >&2
    exit 2
fi
textfiles=$1
shift
if [ ! -d "$textfiles" ] || [ ! -w "$textfiles" ]; then
    echo "collect.sh: $textfiles is no directory that can be written to" >&2
    exit 1
fi
umask 022
# A name of a run has no blanks: letters, digits and +-_. only.
copied=' '
for runs in "$@"; do
    for file in "$runs"/*/metrics.prom; do
        [ -f "$file" ] && [ ! -L "$file" ] || continue
        # It may be pruned at any moment.
        if grep -q '^leakshim_final{.*} 1$' "$file" 2>/dev/null ||
            [ -z "$(find "$file" -mmin -60 2>/dev/null)" ]; then
            continue
        fi
        run=$(basename "$(dirname "$file")")
        # A reader sees a whole file: only names that end in .prom are read.
        if cat "$file" >"$textfiles/.leakshim-$run.new" 2>/dev/null; then
            mv "$textfiles/.leakshim-$run.new" "$textfiles/leakshim-$run.prom"
            copied="$copied$run "
        else
            rm -f "$textfiles/.leakshim-$run.new"
        fi
    done
done
for file in "$textfiles"/leakshim-*.prom; do
    run=${file##*/leakshim-}
    run=${run%.prom}
    case $copied in
    *" $run "*) ;;
    *) rm -f "$file" ;;
    esac
done
