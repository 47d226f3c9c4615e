#!/bin/sh
# Installs the Debian packages named as arguments that are not there yet. Needs root only if one is
# missing; uses sudo when it is not root.
#
# COMMAND:PACKAGE is satisfied by a command of that name wherever it comes from: a machine may have
# its Node from elsewhere, which Debian's package would be in conflict with.
set -eu
missing=
for wanted in "$@"; do
    package=${wanted#*:}
    if [ "$package" != "$wanted" ] && command -v "${wanted%%:*}" >/dev/null 2>&1; then
        continue
    fi
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' ||
        missing="$missing $package"
done
[ -n "$missing" ] || exit 0
echo "installing:$missing"
as_root=
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || {
        echo "these packages are missing and this is neither root nor is there sudo:$missing" >&2
        exit 1
    }
    as_root=sudo
fi
export DEBIAN_FRONTEND=noninteractive
$as_root apt-get update -q
# shellcheck disable=SC2086
$as_root apt-get install -q -y --no-install-recommends $missing
