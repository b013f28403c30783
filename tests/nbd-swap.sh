#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# nbdkit --swap: all memory is locked, I/O works.  Where the kernel allows it,
# all threads are I/O flushers (PR_SET_IO_FLUSHER).
source "${0%/*}/functions.sh"
requires nbdkit --swap null --run true

start_volume 16M
start_nbdkit --swap qbd demo/disk
make_filesystem "$tmp/in" 16M
nbdcopy "$tmp/in" "$uri"
nbdcopy "$uri" "$tmp/out"
cmp "$tmp/in" "$tmp/out"
# Sanitizers make mlockall do nothing.
if not_sanitized; then
    test "$(sed -n 's/^VmLck:[^0-9]*\([0-9]*\) kB/\1/p' \
            "/proc/$nbdkit_pid/status")" -gt 0
fi

# CAP_SYS_RESOURCE is bit 24.
mask=$(sed -n 's/^CapEff:[^0-9a-f]*//p' "/proc/$nbdkit_pid/status")
if test $((0x$mask >> 24 & 1)) = 1; then
    # The flags are the 9th field; PF_MEMALLOC_NOIO is 00080000h.
    for stat in "/proc/$nbdkit_pid/task"/*/stat; do
        flags=$(sed 's/.*) //' "$stat" | cut -d' ' -f7)
        test $((flags >> 19 & 1)) = 1 || fail "$stat: no I/O flusher"
    done
else
    echo "without CAP_SYS_RESOURCE: threads are not I/O flushers"
fi
stop_nbdkit
