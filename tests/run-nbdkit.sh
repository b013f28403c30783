#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# "./run nbdkit" replaces the plugin's name, and no argument called so.
source "${0%/*}/functions.sh"
requires nbdkit --version
cd "$tmp"
plugin=$QBD_BUILDDIR/.libs/nbdkit-qbd-plugin.so

# A nbdkit that shows its arguments comes next in PATH.
mkdir bin
printf '#!/bin/sh\nprintf "<%%s>" "$@"\n' >bin/nbdkit
chmod +x bin/nbdkit
PATH=$QBD_BUILDDIR/dev/path:$tmp/bin:$PATH

check ()
{
    local expected=$1
    shift
    test "$(nbdkit "$@")" = "$expected" || fail "wrong: $(nbdkit "$@")"
}

check "<$plugin><volume=qbd>" qbd volume=qbd
check "<-f><-U><qbd><$plugin><qbd>" -f -U qbd qbd qbd
check "<-rf><-p><1><--filter><qbd><$plugin>" -rf -p 1 --filter qbd qbd
check "<--filter=qbd><$plugin>" --filter=qbd qbd
check "<memory><qbd>" memory qbd
check "<-e><qbd><memory><qbd>" -e qbd memory qbd
