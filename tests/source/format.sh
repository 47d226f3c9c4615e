#!/bin/sh
# Every source is as clang-format writes it.
set -eu
cd "$(dirname "$0")/../.."
git ls-files '*.c' '*.h' '*.cpp' | xargs clang-format --dry-run -Werror
echo "ok formatted as .clang-format says"
