#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A pool whose server was killed while it wrote never changes after its
# successor has the lock, whether it was opened at start or later.
source "${0%/*}/functions.sh"
rounds=${QBD_KILL9_ROUNDS:-1}
helper=$QBD_BUILDDIR/tests/pool-kill9
pool=$tmp/pool
mkdir "$pool"

# A slow disk: writes stay long in the kernel.  That takes root and a control
# group (version 1); without, the disk is as fast as it is.
group=/sys/fs/cgroup/blkio/qbd-kill9.$$
slow_disk ()
{
    local disk
    disk=$(lsblk -nso MAJ:MIN,TYPE "$(df --output=source "$pool" | tail -n 1)" |
               awk '$2 == "disk" { print $1; exit }')
    mkdir "$group" && cleanup_fn leave_group &&
        echo "$disk $((24 << 20))" >"$group/blkio.throttle.write_bps_device"
}

leave_group ()
{
    local i
    # The group is busy until its last process is gone for good.
    for ((i = 0; i < 100; i++)); do
        if rmdir "$group" 2>/dev/null; then return; fi
        sleep 0.05
    done
}

# kill_and_watch "WRITER'S OPTION" "WATCHER'S OPTION": kill a writer in full
# swing; set $changed to how many chunks changed under the lock, and $backend.
kill_and_watch ()
{
    local fifo="$tmp/line$((++_count))"
    mkfifo "$fifo"
    ( if test -d "$group"; then echo "$BASHPID" >"$group/cgroup.procs"; fi
      exec "$helper" write "$pool" $1 ) >"$fifo" &
    writer=$!
    _pids+=("$writer pool-kill9")
    if ! read -r -t "$patience" backend <"$fifo"; then
        local status=0
        wait "$writer" || status=$?
        test $status -ne 77 || exit 77          # it said what is lacking
        fail "no writer"
    fi
    changed=$(timeout "$patience" "$helper" watch "$pool" $writer $2)
    _end $writer KILL
}

slow_disk 2>/dev/null || :

# The experiment can fail: when no ring holds it, a lock is not enough.
kill_and_watch --no-hold --plain
echo "$backend, not held: $changed chunks changed"
if test "$backend" = io_uring && test -d "$group"; then
    test "$changed" -gt 0 || fail "the experiment shows nothing"
else
    echo "whether the experiment can fail was not shown: it takes io_uring" \
         "and a disk that can be made slow"
fi

# Threads that write keep their process's descriptors, and so any lock.
export QBD_NO_IO_URING=1
kill_and_watch --no-hold --plain
echo "$backend, not held: $changed chunks changed"
test "$backend" = threads
test "$changed" = 0 || fail "threads: the pool changed under its new owner"
unset QBD_NO_IO_URING

for ((round = 1; round <= rounds; round++)); do
    for writer_is in "" --late; do
        for watcher_is in "" --plain; do
            kill_and_watch "$writer_is" "$watcher_is"
            echo "round $round $writer_is $watcher_is: $changed chunks changed"
            test "$changed" = 0 ||
                fail "the pool changed under its new owner"
        done
    done
done
