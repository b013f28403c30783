#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# nbdkit's filters over the plugin, each with what it is for.
source "${0%/*}/functions.sh"
requires nbdsh --version
requires nbdkit partitioning --dump-plugin
for filter in blocksize blocksize-policy cache cow delay error log partition \
              retry stats; do
    requires nbdkit --filter=$filter null --dump-plugin
done

start_volume 16M
make_filesystem "$tmp/in" 16M
start_nbdkit qbd demo/disk
nbdcopy "$tmp/in" "$uri"
stop_nbdkit

# What the volume holds, past any filter.
same_as ()
{
    start_nbdkit -r qbd demo/disk
    nbdcopy "$uri" "$tmp/out"
    stop_nbdkit
    cmp "$1" "$tmp/out"
}

: cow: writes are seen by the client and never reach the volume
start_nbdkit --filter=cow qbd demo/disk
nbdsh -u "$uri" -c 'h.pwrite (b"w" * 65536, 0)' \
      -c 'assert h.pread (65536, 0) == b"w" * 65536' -c 'h.flush ()'
stop_nbdkit
same_as "$tmp/in"

: cache: what is written back after a flush is in the volume
start_nbdkit --filter=cache qbd demo/disk cache=writeback
nbdsh -u "$uri" -c 'h.pwrite (b"c" * 65536, 65536)' -c 'h.flush ()'
stop_nbdkit
cp "$tmp/in" "$tmp/expected"
printf 'c%.0s' {1..65536} |
    dd of="$tmp/expected" bs=65536 seek=1 conv=notrunc status=none
same_as "$tmp/expected"

: retry: a server that is started again is attached again, inside a request.
# Without ctrl_loss_tmo=0 the plugin alone would wait for it.
start_nbdkit --filter=retry qbd demo/disk ctrl_loss_tmo=0 \
             retry-delay=1 retries=10
mkfifo "$tmp/go"
: >"$tmp/retry.log"
nbdsh -u "$uri" -c - >>"$tmp/retry.log" 2>&1 <<END &
assert h.pread (512, 65536) == b"c" * 512
print ("connected", flush=True)
open ("$tmp/go").read ()
assert h.pread (512, 65536) == b"c" * 512
h.pwrite (b"r" * 512, 65536)
h.flush ()
print ("retried", flush=True)
END
wait_for_line "$tmp/retry.log" '^connected$'
kill_server
start_server --pool "demo=$pool_url"
echo >"$tmp/go"
wait_for_line "$tmp/retry.log" '^retried$'
stop_nbdkit
printf 'r%.0s' {1..512} |
    dd of="$tmp/expected" bs=512 seek=128 conv=notrunc status=none
same_as "$tmp/expected"

: log: requests with offset and length
start_nbdkit --filter=log qbd demo/disk "logfile=$tmp/requests"
nbdsh -u "$uri" -c 'h.pread (4096, 8192)' -c 'h.flush ()'
stop_nbdkit
grep -q 'Read .*offset=0x2000 count=0x1000' "$tmp/requests"
grep -q 'Flush ' "$tmp/requests"

: error: its errors reach the client, and nothing else fails
start_nbdkit --filter=error qbd demo/disk error-pwrite=ENOSPC \
             error-pwrite-rate=100%
nbdsh -u "$uri" -c - <<END
try:
    h.pwrite (b"e" * 512, 0)
    assert False
except nbd.Error as e:
    assert e.errno == "ENOSPC", e
assert h.pread (512, 65536) == b"r" * 512
END
stop_nbdkit
same_as "$tmp/expected"

: delay: a read takes so long, and is right
start_nbdkit --filter=delay qbd demo/disk rdelay=300ms
nbdsh -u "$uri" -c - <<END
import time
t = time.monotonic ()
assert h.pread (512, 65536) == b"r" * 512
assert time.monotonic () - t >= 0.3
END
stop_nbdkit

: blocksize: requests of any size become whole blocks
start_nbdkit --filter=blocksize qbd demo/disk minblock=4K maxdata=8K
nbdsh -c - <<END
h.set_strict_mode (h.get_strict_mode () & ~nbd.STRICT_ALIGN)
h.connect_uri ("$uri")
assert h.get_block_size (nbd.SIZE_MINIMUM) == 1
h.pwrite (b"b" * 20001, 131073)
assert h.pread (20003, 131072)[1:-1] == b"b" * 20001
END
stop_nbdkit
printf 'b%.0s' {1..20001} |
    dd of="$tmp/expected" bs=1 seek=131073 conv=notrunc status=none
same_as "$tmp/expected"

: blocksize-policy: clients that break the limits get an error
start_nbdkit --filter=blocksize-policy qbd demo/disk \
             blocksize-error-policy=error
nbdsh -c - <<END
h.set_strict_mode (h.get_strict_mode () & ~nbd.STRICT_ALIGN)
h.connect_uri ("$uri")
assert h.get_block_size (nbd.SIZE_MINIMUM) == 512
h.pread (512, 512)
try:
    h.pread (512, 1)
    assert False
except nbd.Error as e:
    assert e.errno == "EINVAL", e
END
stop_nbdkit

: stats: it counts what passed
start_nbdkit --filter=stats qbd demo/disk "statsfile=$tmp/stats"
nbdsh -u "$uri" -c 'for i in range (5): h.pread (4096, i * 4096)'
stop_nbdkit
grep -q '^read: 5 ops' "$tmp/stats"

: partition: one partition is the export
truncate -s 2M "$tmp/part"
printf 'p%.0s' {1..512} | dd of="$tmp/part" conv=notrunc status=none
start_nbdkit partitioning "$tmp/part"
nbdcopy "$uri" "$tmp/disk"
stop_nbdkit
start_nbdkit qbd demo/disk
nbdcopy "$tmp/disk" "$uri"
stop_nbdkit
start_nbdkit --filter=partition qbd demo/disk partition=1
nbdsh -u "$uri" -c 'assert h.get_size () == 2 << 20' \
      -c 'assert h.pread (512, 0) == b"p" * 512'
stop_nbdkit

: export names pass through: each client has its volume
qbd create demo/other 1M
start_nbdkit --filter=log --filter=blocksize qbd "logfile=$tmp/requests"
for volume in disk other; do
    nbdsh -u "${uri%%\?*}demo/$volume?${uri##*\?}" \
          -c "h.pwrite (b'$volume' * 512, 512)" -c 'h.flush ()'
done
stop_nbdkit
for volume in disk other; do
    qbd export "demo/$volume" - | dd bs=512 skip=1 count=1 status=none |
        grep -q "^$volume"
done
grep -Eq 'Connect .*demo/other' "$tmp/requests"
