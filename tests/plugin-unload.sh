#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# nbdkit that gets a signal closes no handle, and unloads the plugin all the
# same: no thread and no memory of it are left (see plugin-unload.c).
source "${0%/*}/functions.sh"
start_volume 1M
"$QBD_BUILDDIR/tests/plugin-unload" \
    "$QBD_BUILDDIR/.libs/nbdkit-qbd-plugin.so" \
    volume=demo/disk server="$QBD_SERVER"
