#!/bin/sh
# Builds the agent three ways, each as a leak and repaired, and the service:
#
#   sh examples/agent/build.sh DIRECTORY [NODE]
#
# The add-on needs Node's headers, which lie beside an official NODE (include/node); without them it is
# left out.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
node=$(command -v "${2:-node}" || true)
[ -z "$node" ] || node=$(readlink -f "$node")
mkdir -p "$1"
cd "$1"
flags="-std=gnu11 -O2 -g -Wall -Wextra -fPIC -I$here"
cc $flags -D_GNU_SOURCE -o service "$here/service.c" -ldl
for which in agent agent-fixed; do
    cc $flags -shared -o "$which.so" "$here/$which.c" -pthread
    cc $flags -D_GNU_SOURCE -shared -o "$which-preload.so" "$here/$which.c" "$here/preload.c" -ldl -pthread
done
headers=$(dirname "$(dirname "$node")")/include/node
[ -f "$headers/node_api.h" ] || {
    echo "no add-on: there is no $headers/node_api.h"
    exit 0
}
for which in agent agent-fixed; do
    cc $flags -DNODE_GYP_MODULE_NAME=agent "-I$headers" -shared -o "$which.node" "$here/$which.c" \
        "$here/addon.c" -pthread
done
