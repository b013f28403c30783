#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# retain=: a server that comes back without what was not flushed gets it once
# more, in order, and the client notices nothing; what does not fit is
# flushed before it is acknowledged.
source "${0%/*}/functions.sh"
requires nbdsh --version
requires curl --version
requires jq --version
requires has_xattrs

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
print ("written", flush=True)
def check ():
    assert h.pread (8192, 0) == b"1" * 4096 + b"2" * 4096
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
    mark_lost "$volume"
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
stop_nbdkit

# What is written with FUA is stable, and no older write that is sent again
# undoes it: those that it meets are flushed first.
start_nbdkit qbd volume=demo/disk retain=1M
cat >"$tmp/client.py" <<'EOF2'
h.pwrite (b"8" * 4096, 0)
h.pwrite (b"9" * 512, 65536, nbd.CMD_FLAG_FUA)
EOF2
before=$(flushes)
nbdsh -u "$uri" -c "$(cat "$tmp/client.py")"
test "$(flushes)" = "$before" || fail "flushed, although nothing meets"
cat >>"$tmp/client.py" <<'EOF2'
h.pwrite (b"9" * 512, 512, nbd.CMD_FLAG_FUA)
EOF2
nbdsh -u "$uri" -c "$(cat "$tmp/client.py")"
test "$(flushes)" = $((before + 1)) || fail "not flushed before FUA"

# A client that never flushed has gone: nothing is written again for it, perhaps
# over another host's writes.
nbdsh -u "$uri" -c 'h.pwrite (b"7" * 512, 3 << 20)'
until qbd info demo/disk --json | grep -q '"attached": *0'; do
    :
done
lose_cache
qemu_io "$uri" 'read -P 0 3M 512'
stop_nbdkit

# One volume by two names is one: a flush covers both.
start_nbdkit qbd retain=1M
nqn=$(qbd info demo/disk --json | jq -r .nqn)
cat >"$tmp/client.py" <<'EOF2'
import os
h.pwrite (b"a" * 512, 3 << 20)
other = nbd.NBD ()
other.set_export_name (os.environ["nqn"])
other.connect_unix (os.environ["socket"])
other.pwrite (b"b" * 512, 3 << 20)
other.flush ()
print ("written", flush=True)
sys.stdin.readline ()
assert h.pread (512, 3 << 20) == b"b" * 512
h.flush ()
EOF2
sed -i '1i import sys' "$tmp/client.py"
rm "$tmp/fifo" "$tmp/client.log"
mkfifo "$tmp/fifo"
socket=${uri#*socket=}
export nqn socket
nbdsh -u "nbd+unix:///demo%2Fdisk?socket=$socket" \
    -c "$(cat "$tmp/client.py")" <"$tmp/fifo" >"$tmp/client.log" &
client=$!
exec 5>"$tmp/fifo"
wait_for_line "$tmp/client.log" '^written$'
test "$(qbd info demo/disk --json | jq .attached)" = 1
kill_server
mark_lost "$volume"
start_server --pool "demo=file:$tmp/pool"
echo >&5
exec 5>&-
wait $client
