#!/bin/sh
# Every source is as clang-format writes it.
set -eu
cd "$(dirname "$0")/../.."
list=$(mktemp)
trap 'rm -f "$list"' EXIT
git -c safe.directory='*' ls-files '*.c' '*.h' '*.cpp' >"$list"
[ -s "$list" ] || { echo "not ok git lists no sources"; exit 1; }
xargs clang-format --dry-run -Werror <"$list"
echo "ok $(wc -l <"$list") files are formatted as .clang-format says"
