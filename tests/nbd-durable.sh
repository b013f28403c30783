#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# An NBD client's flush, and each FUA flag, reaches the disk: the server's
# system calls are watched from outside, so that no part of the way can
# forget it.  (A killed server keeps its page cache: that proves nothing.)
source "${0%/*}/functions.sh"
# LeakSanitizer cannot look at a process that is traced.
export ASAN_OPTIONS="$ASAN_OPTIONS:detect_leaks=0"
requires strace -o "$tmp/probe" -e trace=fdatasync true
requires nbdsh --version

mkdir "$tmp/pool"
mkfifo "$tmp/attached"

# Starts a server whose file I/O is system calls, which io_uring's is not,
# and writes them down.
watch_server ()
{
    QBD_NO_IO_URING=1 start_server --pool "demo=file:$tmp/pool$1"
    strace -f -p "$server_pid" -o "$tmp/trace" \
        -e trace=fdatasync,fsync,pwritev2 2>"$tmp/attached" &
    strace_pid=$!
    exec 8<"$tmp/attached"
    timeout "$patience" grep -q attached <&8 || fail "strace did not attach"
    cat <&8 >/dev/null &
    exec 8<&-
}

# How often something was made durable so far.  An answer comes after the
# call, and strace writes a call down before it lets the thread go on.
durable ()
{
    grep -cE 'f(data)?sync\(|RWF_DSYNC|RWF_SYNC' "$tmp/trace" || :
}

expect ()
{
    local before after
    before=$(durable)
    nbdsh -u "$uri" -c "$3"
    after=$(durable)
    test $((after - before)) "$1" "$2" || {
        cat "$tmp/trace"
        fail "$3: made durable $((after - before)) times, expected $1 $2"
    }
}

for cache in buffered direct; do
    # Where the file system cannot do direct I/O there is nothing to see.
    if test $cache = direct && ! dd if=/dev/zero of="$tmp/probe" bs=4096 \
            count=1 oflag=direct 2>/dev/null; then
        continue
    fi
    watch_server "?cache=$cache"
    test $cache = direct || qbd create demo/disk 8M
    start_nbdkit qbd volume=demo/disk
    expect -eq 0 'h.pwrite(b"x" * 4096, 0)'
    expect -ge 1 'h.pwrite(b"x" * 4096, 4096, nbd.CMD_FLAG_FUA)'
    expect -ge 1 'h.pwrite(b"x" * 65536, 65536, nbd.CMD_FLAG_FUA)'
    expect -ge 1 'h.zero(4096, 4096, nbd.CMD_FLAG_FUA)'
    expect -ge 1 'h.zero(4096, 4096, nbd.CMD_FLAG_FUA | nbd.CMD_FLAG_NO_HOLE)'
    expect -ge 1 'h.set_strict_mode(0)
h.pwrite(b"y" * 100, 700, nbd.CMD_FLAG_FUA)'
    expect -eq 0 'h.pwrite(b"z" * 4096, 0)'
    expect -ge 1 'h.flush()'
    stop_nbdkit
    stop_server
    wait "$strace_pid"
done
