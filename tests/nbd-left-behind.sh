#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A write that was under way when its connection was given up, and that reaches
# the server after a new client of the same nbdkit has written there, does
# nothing.
source "${0%/*}/functions.sh"
source "${0%/*}/paths.sh"
requires nbdsh --version
requires python3 --version

start_volume 4M
start_path old
mv "$tmp/old" "$tmp/path"
start_nbdkit qbd volume=demo/disk server="unix://$tmp/path" \
             keep_alive_tmo=60 io_tmo=1 ctrl_loss_tmo=1
export old=${_path_pid[old]}
nbdsh -u "$uri" -c '
import os, signal
h.pwrite (b"1" * 65536, 0)
h.flush ()
def state (task):
    with open (task + "/stat") as f:
        return f.read ().rpartition (")")[2].split ()[0]
# One thread takes the signal, and stops the others: nobody is told when.
old = int (os.environ["old"])
os.kill (old, signal.SIGSTOP)
while any (state (t.path) != "T" for t in os.scandir (f"/proc/{old}/task")):
    pass
try:
    h.pwrite (b"2" * 4096, 0)             # travels with its command
    raise SystemExit ("written over a path that stands still")
except nbd.Error as e:
    assert e.errno == "EIO", e
'
start_path new
mv "$tmp/new" "$tmp/path"       # in the place of the old one
qemu_io "$uri" 'write -P 0x33 0 64k' flush
wait_for_line "$server_log" 'its host reset it'
kill -s CONT "$old"
carried old
qemu_io "$uri" 'read -P 0x33 0 64k'
stop_nbdkit
