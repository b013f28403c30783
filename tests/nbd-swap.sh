#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# nbdkit --swap, in the foreground and in the background: all memory is locked,
# I/O works.  Where the kernel allows it, all threads are I/O flushers
# (PR_SET_IO_FLUSHER).
source "${0%/*}/functions.sh"
requires nbdkit --swap null --run true

locked_kib ()
{
    sed -n 's/^VmLck:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$1/status"
}

# All of it is: what VmSize counts beyond that is no memory (vvar, guards).
check_process ()
{
    local size mask stat flags
    # Sanitizers make mlockall do nothing.
    if not_sanitized; then
        size=$(sed -n 's/^VmRSS:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$1/status")
        test "$(locked_kib "$1")" -ge "$size" || fail "memory is not locked"
    fi
    # CAP_SYS_RESOURCE is bit 24.
    mask=$(sed -n 's/^CapEff:[^0-9a-f]*//p' "/proc/$1/status")
    if test $((0x$mask >> 24 & 1)) = 1; then
        # The flags are the 9th field; PF_MEMALLOC_NOIO is 00080000h.
        for stat in "/proc/$1/task"/*/stat; do
            flags=$(sed 's/.*) //' "$stat" | cut -d' ' -f7)
            test $((flags >> 19 & 1)) = 1 || fail "$stat: no I/O flusher"
        done
    else
        echo "without CAP_SYS_RESOURCE: threads are not I/O flushers"
    fi
}

start_volume 16M
start_nbdkit --swap qbd demo/disk
make_filesystem "$tmp/in" 16M
nbdcopy "$tmp/in" "$uri"
nbdcopy "$uri" "$tmp/out"
cmp "$tmp/in" "$tmp/out"
check_process "$nbdkit_pid"
stop_nbdkit

: in the background, where nbdkit forks
# in_background ARG...: sets $pid.  Its file is there when a client was served.
in_background ()
{
    socket="$tmp/socket$((++_count))"
    nbdkit -U "$socket" -P "$socket.pid" "$@" qbd demo/disk
    uri="nbd+unix:///?socket=$socket"
    nbdinfo --size "$uri"
    pid=$(<"$socket.pid")
    cleanup_fn kill "$pid"
}

in_background --swap
nbdcopy "$uri" "$tmp/out"
cmp "$tmp/in" "$tmp/out"
check_process "$pid"

: and nothing is locked where nobody asked for it
in_background
test "$(locked_kib "$pid")" = 0
