#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# nbdkit --swap, in the foreground and in the background: all memory is locked,
# I/O works.  Where the kernel allows it, all threads are I/O flushers
# (PR_SET_IO_FLUSHER) with real-time priority, and the process is not the OOM
# killer's; where not, it says so.
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
    # Sanitizers make mlockall do nothing, and the locks are what the plugin
    # knows --swap by.
    if ! not_sanitized; then
        return
    fi
    size=$(sed -n 's/^VmRSS:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$1/status")
    test "$(locked_kib "$1")" -ge "$size" || fail "memory is not locked"
    # CAP_SYS_RESOURCE is bit 24, CAP_SYS_NICE 23.
    mask=$(sed -n 's/^CapEff:[^0-9a-f]*//p' "/proc/$1/status")
    if test $((0x$mask >> 24 & 1)) = 1; then
        # The flags are the 9th field; PF_MEMALLOC_NOIO is 00080000h.
        for stat in "/proc/$1/task"/*/stat; do
            flags=$(sed 's/.*) //' "$stat" | cut -d' ' -f7)
            test $((flags >> 19 & 1)) = 1 || fail "$stat: no I/O flusher"
        done
        test "$(cat "/proc/$1/oom_score_adj")" = -1000
    else
        echo "without CAP_SYS_RESOURCE: threads are not I/O flushers"
    fi
    if test $((0x$mask >> 23 & 1)) = 1; then
        # The policy is the 41st field; 2 is SCHED_RR.
        for stat in "/proc/$1/task"/*/stat; do
            test "$(sed 's/.*) //' "$stat" | cut -d' ' -f39)" = 2 ||
                fail "$stat: no real-time priority"
        done
    else
        echo "without CAP_SYS_NICE: threads have no real-time priority"
    fi
}

start_volume 16M
start_nbdkit --swap qbd demo/disk control="$tmp/nbdkit.control"
make_filesystem "$tmp/in" 16M
nbdcopy "$tmp/in" "$uri"
nbdcopy "$uri" "$tmp/out"
cmp "$tmp/in" "$tmp/out"
check_process "$nbdkit_pid"
qbd inflight --control "$tmp/nbdkit.control"
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

: and nothing is locked, or preferred, where nobody asked for it
in_background
test "$(locked_kib "$pid")" = 0
test "$(sed 's/.*) //' "/proc/$pid/stat" | cut -d' ' -f39)" = 0
test "$(cat "/proc/$pid/oom_score_adj")" = "$(cat /proc/self/oom_score_adj)"

: who may not have it is told, and is served
if not_sanitized && test "$(id -u)" = 0 && setpriv --version >/dev/null 2>&1; then
    setpriv --bounding-set=-sys_nice,-sys_resource \
            --inh-caps=-sys_nice,-sys_resource \
        nbdkit -f --swap -U - qbd demo/disk --run 'nbdinfo --size "$uri"' \
        2>"$tmp/unprivileged.log"
    for what in 'I/O flusher (CAP_SYS_RESOURCE)' 'oom_score_adj' \
                'real-time priority (CAP_SYS_NICE)'; do
        grep -F "error: start: --swap: $what" "$tmp/unprivileged.log"
    done
fi
