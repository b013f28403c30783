#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The plugin allocates nothing for requests, of whole blocks or parts of them
# (see plugin-no-alloc.c).
source "${0%/*}/functions.sh"
requires not_sanitized          # it has the allocators
start_volume 1M --block-size 4096
timeout "$patience" "$QBD_BUILDDIR/tests/plugin-no-alloc" \
    "$QBD_BUILDDIR/.libs/nbdkit-qbd-plugin.so" \
    volume=demo/disk server="$QBD_SERVER" nr_io_queues=2
