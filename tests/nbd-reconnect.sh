#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A server that is killed and started again: requests wait and are carried out,
# and the NBD client notices nothing.
source "${0%/*}/functions.sh"
requires fio --version
requires nbdsh --version

start_volume 64M
start_nbdkit -t 8 qbd volume=demo/disk nr_io_queues=2
nbdsh -u "$uri" -c - >"$tmp/client.log" <<END &
import threading

def work (i):
    n = nbd.NBD ()
    n.connect_uri ("$uri")
    M = 1 << 20
    for k in range (400):
        data = bytes ([i, k & 255, k >> 8]) * 4096
        data = data[:8192]
        at = (8 * i + k % 8) * M + k * 512 % M
        n.pwrite (data, at)
        assert n.pread (8192, at) == data, (i, k)
        if i == 0 and k % 100 == 0:
            n.flush ()
        if i == 0:
            print (k, flush=True)
    n.shutdown ()

failed = []
def guarded (i):
    try:
        work (i)
    except BaseException as e:
        failed.append (e)

threads = [threading.Thread (target=guarded, args=(i,)) for i in range (8)]
for t in threads: t.start ()
for t in threads: t.join ()
assert not failed, failed
print ("over")
END
client=$!
for at in 20 120 220; do
    wait_for_line "$tmp/client.log" "^$at\$"
    kill_server
    start_server --pool "demo=file:$tmp/pool"
done
wait $client
grep -qx over "$tmp/client.log"
stop_nbdkit
