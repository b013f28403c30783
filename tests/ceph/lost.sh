#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# An image that is lost under a host, and a whole Ceph pool: requests end in
# errors, those that were waiting too, and the server serves the rest and can be
# stopped.
source "${0%/*}/functions.sh"
requires nbdsh --version
# librbd keeps the memory of an image that it never closes.
requires not_sanitized
start_cluster
start_gateway
qbd create demo/disk 8M
qbd create demo/other 8M
start_nbdkit qbd volume=demo/disk
disk=$uri
start_nbdkit qbd volume=demo/other
nbdsh -u "$disk" -c 'h.pwrite (b"1" * (1 << 20), 0)'
nbdsh -u "$uri" -c 'h.pwrite (b"2" * (1 << 20), 0)'

failing='
try:
    h.pwrite (b"x" * 4096, 0)
    raise SystemExit ("it was written")
except nbd.Error as e:
    assert e.errno in ("EIO", "EPERM"), e
try:
    h.flush ()
    raise SystemExit ("it was flushed")
except nbd.Error as e:
    assert e.errno in ("EIO", "EPERM"), e'

# Sixteen writes at a time until one fails; the others are to end as well.
nbdsh -u "$disk" -c - >"$tmp/load.log" 2>&1 <<'END' &
waiting, failed = list (range (16)), []
def start (i):
    def over (error):
        (failed if error.value else waiting).append (i)
        return 1
    h.aio_pwrite (nbd.Buffer.from_bytearray (bytearray (b"4" * 65536)),
                  i * 65536, over)
print ("started", flush=True)
while not failed:
    while waiting:
        start (waiting.pop ())
    h.poll (-1)
while h.aio_in_flight () > 0:
    h.poll (-1)
print ("failed:", len (failed), flush=True)
END
load=$!
wait_for_line "$tmp/load.log" '^started'
id=$(rbd info rbd/disk --format json | jq -r .id)
timeout "$patience" rados -p rbd rm "rbd_header.$id"
wait_for_line "$server_log" 'demo/disk: the image is gone: requests fail'
wait $load
grep '^failed: ' "$tmp/load.log"
nbdsh -u "$disk" -c "$failing"
nbdsh -u "$uri" -c 'assert h.pread (1 << 20, 0) == b"2" * (1 << 20)'
nbdsh -u "$uri" -c 'h.pwrite (b"3" * (1 << 20), 0)' -c 'h.flush ()'

cluster ask 'osd pool rm' pool=rbd pool2=rbd yes_i_really_really_mean_it=
wait_for_line "$server_log" 'demo/other: the image is gone: requests fail'
nbdsh -u "$uri" -c "$failing"
stop_nbdkit
start=$SECONDS
stop_server || :                # what librbd never ends is left behind
test $((SECONDS - start)) -lt 10
