#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A write that was under way when its connection was given up, and that reaches
# the server after a new client of the same nbdkit has written there, does
# nothing.
source "${0%/*}/functions.sh"
requires nbdsh --version

# A path to the server, in the place of the one that was there.
start_path ()
{
    : >"$tmp/$1.log"
    exec {path_in}> >(exec "$srcdir/tests/path.py" "$tmp/path" \
                           "$tmp/server.sock" >>"$tmp/$1.log")
    path=$!
    cleanup_fn kill -s KILL $path
    wait_for_line "$tmp/$1.log" listening
}

start_volume 4M
start_path old
old=$path old_in=$path_in
start_nbdkit qbd volume=demo/disk server="unix://$tmp/path" \
             keep_alive_tmo=60 io_tmo=1 ctrl_loss_tmo=1
export old
nbdsh -u "$uri" -c '
import os, signal
h.pwrite (b"1" * 65536, 0)
h.flush ()
os.kill (int (os.environ["old"]), signal.SIGSTOP)
try:
    h.pwrite (b"2" * 4096, 0)             # travels with its command
    raise SystemExit ("written over a path that stands still")
except nbd.Error as e:
    assert e.errno == "EIO", e
'
start_path new
qemu_io "$uri" 'write -P 0x33 0 64k' flush
wait_for_line "$server_log" 'its host reset it'
kill -s CONT $old
echo >&"$old_in"
wait_for_line "$tmp/old.log" carried
qemu_io "$uri" 'read -P 0x33 0 64k'
stop_nbdkit
