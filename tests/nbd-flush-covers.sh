#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A flush on one connection covers what every other has completed: as the
# server's system calls show, the volume's file is synced after the last of
# the writes and before the flush is answered.
source "${0%/*}/functions.sh"
# LeakSanitizer cannot look at a process that is traced.
export ASAN_OPTIONS="$ASAN_OPTIONS:detect_leaks=0"
requires nbdsh --version
requires strace -f -e trace=fdatasync -o /dev/null true
# Threads do what strace could not see io_uring do.
export QBD_NO_IO_URING=1
start_volume 16M
start_nbdkit qbd volume=demo/disk nr_io_queues=4
strace -f -y -e trace=pwritev,pwritev2,pwrite64,fdatasync,fsync \
    -o "$tmp/trace" -p "$server_pid" 2>"$tmp/strace.err" &
strace_pid=$!
end_strace () { test -z "$strace_pid" || kill "$strace_pid"; }
cleanup_fn end_strace
wait_for_line "$tmp/strace.err" attached

nbdsh -c - <<END
import nbd
hs = [nbd.NBD () for _ in range (6)]
for h in hs:
    h.connect_uri ("$uri")
for round in range (20):
    for i, h in enumerate (hs):
        h.pwrite (bytes ([round + 1]) * 4096, (round * 6 + i) * 4096)
    hs[round % 6].flush ()
END
stop_nbdkit
stop_server
wait "$strace_pid" || :
strace_pid=

# A letter for each call in order: W when a write begins, S when a sync has
# succeeded.
sequence=$(sed -En -e '/pwrite[v264]*\([0-9]+<[^>]*disk\.raw/s/.*/W/p' \
               -e '/f(data)?sync\(.*disk\.raw.* = 0$/s/.*/S/p' \
               -e '/f(data)?sync resumed.* = 0$/s/.*/S/p' "$tmp/trace" |
           tr -d '\n')
[[ $sequence =~ ^(WWWWWWS+){20}$ ]] || fail "out of order: $sequence"
