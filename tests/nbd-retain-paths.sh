#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# retain= over two paths that share the writes: a server that comes back without
# its cache gets them once more, in order, over whichever path is there; and the
# loss of one path of a server that has its cache sends nothing again.
source "${0%/*}/functions.sh"
source "${0%/*}/paths.sh"
requires nbdsh --version
requires curl --version
requires has_xattrs

start_volume 4M
start_path a
start_path b
start_nbdkit qbd volume=demo/disk "server=unix://$tmp/a" \
             "server=unix://$tmp/b" policy=round-robin retain=8M reconnect_delay=1

# The same bytes again and again, so that each is the other path's to undo.
cat >"$tmp/client.py" <<'EOF2'
import sys
h.set_strict_mode (0)
h.pwrite (b"old" + bytes (4093), 0)
h.flush ()
k = 0
def write ():
    global k
    for i in range (20):
        k += 1
        h.pwrite (bytes ([k % 251]) * 4096, 512 * (k % 5))
    h.pwrite (bytes ([k % 251]) * 300000, 1 << 20)
    h.zero (4096, (1 << 20) + 8192)
def check ():
    want = bytearray (8 * 512)
    for j in range (k - 19, k + 1):
        at = 512 * (j % 5)
        want[at:at + 4096] = bytes ([j % 251]) * 4096
    assert h.pread (len (want), 0) == want
    want = bytearray (bytes ([k % 251]) * 300000)
    want[8192:12288] = bytes (4096)
    assert h.pread (300000, 1 << 20) == want
write ()
print ("written", flush=True)
for line in iter (sys.stdin.readline, "end\n"):
    check ()
    if line == "flush\n":
        h.flush ()
    if line == "write\n":
        write ()
    check ()
    print ("good", line, end="", flush=True)
EOF2

volume=$tmp/pool/volumes/disk.raw
cp "$volume" "$tmp/before"
# The server's machine is off, its cache is lost.
lose_cache ()
{
    kill_server
    cp "$tmp/before" "$volume"
    mark_lost "$volume"
    start_server --pool "demo=file:$tmp/pool"
}
tell ()
{
    echo "$1" >&5
    wait_for_line "$tmp/client.log" "^good $1"
    : >"$tmp/client.log"
}
changes ()
{
    curl -s --unix-socket "$QBD_CONTROL" http://qbd/metrics |
        sed -n 's/^qbd_operations_total{.*"write"} //p'
}

mkfifo "$tmp/fifo"
cleanup_fn cat "$tmp/client.err"
nbdsh -u "$uri" -c "$(cat "$tmp/client.py")" <"$tmp/fifo" \
    >>"$tmp/client.log" 2>"$tmp/client.err" &
client=$!
exec 5>"$tmp/fifo"
wait_for_line "$tmp/client.log" '^written$'

# With one of the paths, which is back later.
cut_path b
lose_cache
tell second
start_path b
tell write
cut_path a
lose_cache
tell third
start_path a

# What is flushed is the server's; what is lost with a path only, is not lost.
tell flush
cp "$volume" "$tmp/before"
tell write
before=$(changes)
cut_path a
tell fourth
test "$(changes)" = "$before" || fail "the server had what was sent again"
start_path a
cut_path b
tell fifth
test "$(changes)" = "$before" || fail "the server had what was sent again"
start_path b
lose_cache
tell flush
echo end >&5
exec 5>&-
wait $client
