#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# retain=: a server that comes back without what was not flushed gets it once
# more, in order, and the client notices nothing; what does not fit is
# flushed before it is acknowledged.
source "${0%/*}/functions.sh"
requires nbdsh --version
requires curl --version
: >"$tmp/file"
requires python3 -c "import os; os.setxattr ('$tmp/file', 'user.x', b'1')"

start_volume 4M
start_nbdkit qbd volume=demo/disk retain=1M nr_io_queues=3

nbdsh -u "$uri" -c '
h.pwrite (b"old" + bytes (4093), 0)
h.pwrite (b"0" * 65536, 1 << 20)
h.flush ()'

flushes ()
{
    curl -s --unix-socket "$QBD_CONTROL" http://qbd/metrics |
        sed -n 's/^qbd_operations_total{.*"flush"} //p'
}

# All kinds of changes, and some over others; then it waits.
cat >"$tmp/client.py" <<'EOF2'
import sys
h.set_strict_mode (0)
h.pwrite (b"1" * 8192, 0)
h.pwrite (b"2" * 4096, 4096)
h.pwrite (b"3" * 100000, 2 << 20)
h.pwrite (b"4" * 700, (2 << 20) + 700)
h.zero (4096, (2 << 20) + 8192)
h.trim (4096, 1 << 20)
h.pwrite (b"5" * 512, 0, nbd.CMD_FLAG_FUA)
print ("written", flush=True)
def check ():
    want = bytearray (b"1" * 4096 + b"2" * 4096)
    want[:512] = b"5" * 512
    assert h.pread (8192, 0) == want
    want = bytearray (b"3" * 100000)
    want[700:1400] = b"4" * 700
    want[8192:12288] = bytes (4096)
    assert h.pread (100000, 2 << 20) == want
    assert h.pread (4096, 1 << 20) in (bytes (4096), b"0" * 4096)
for line in iter (sys.stdin.readline, "end\n"):
    check ()
    h.pwrite (b"6" * 512, 3 << 20)
    if line == "flush\n":
        h.flush ()
    check ()
    print ("good", line, end="", flush=True)
EOF2
mkfifo "$tmp/fifo"
# The server's machine is off, its cache is lost.
volume=$tmp/pool/volumes/disk.raw
cp "$volume" "$tmp/before"
nbdsh -u "$uri" -c "$(cat "$tmp/client.py")" <"$tmp/fifo" >"$tmp/client.log" &
client=$!
exec 5>"$tmp/fifo"
wait_for_line "$tmp/client.log" '^written$'
lose_cache ()
{
    kill_server
    cp "$tmp/before" "$volume"
    python3 -c 'import os, sys
os.setxattr (sys.argv[1], "user.qbd.lost", os.urandom (16))' "$volume"
    start_server --pool "demo=file:$tmp/pool"
}
# More than once, as nothing is flushed meanwhile.
for word in first second flush; do
    lose_cache
    echo $word >&5
    wait_for_line "$tmp/client.log" "^good $word"
done
echo end >&5
exec 5>&-
wait $client
stop_nbdkit

# What is more than retain= is flushed on the way, and not asked of the client.
start_nbdkit qbd volume=demo/disk retain=64K
cat >"$tmp/client.py" <<'EOF2'
h.pwrite (b"7" * 512000, 0)
for i in range (64):
    h.pwrite (bytes ([i]) * 4096, (1 << 20) + 4096 * i)
EOF2
before=$(flushes)
nbdsh -u "$uri" -c "$(cat "$tmp/client.py")"
test "$(flushes)" -ge $((before + 4)) || fail "nothing was flushed"
