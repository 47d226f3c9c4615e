#!/bin/sh
# Prints the directory that holds prometheus, promtool and prometheus-node-exporter: where they are
# installed, or else Debian's packages unpacked into the directory named as argument.
#
# They are not installed: their packages start services, now and at each boot, and the machine may be
# somebody's own.
set -eu
place=$1
if command -v promtool >/dev/null && command -v prometheus >/dev/null &&
    command -v prometheus-node-exporter >/dev/null; then
    dirname "$(command -v promtool)"
    exit 0
fi
if [ ! -x "$place/usr/bin/promtool" ] || [ ! -x "$place/usr/bin/prometheus-node-exporter" ]; then
    mkdir -p "$place/packages"
    cd "$place/packages"
    apt-get download -q prometheus prometheus-node-exporter >&2 || {
        as_root=
        [ "$(id -u)" -eq 0 ] || as_root=sudo
        $as_root apt-get update -q >&2
        apt-get download -q prometheus prometheus-node-exporter >&2
    }
    for package in *.deb; do
        dpkg -x "$package" ..
    done
    cd ..
    rm -r packages
fi
printf '%s\n' "$place/usr/bin"
