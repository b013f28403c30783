#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# SIGTERM ends the server within 5 s, with a client that writes all the time;
# what the client was told is written is there afterwards.
source "${0%/*}/functions.sh"
requires nbdsh --version
start_volume 16M
start_nbdkit qbd volume=demo/disk ctrl_loss_tmo=1
nbdsh -u "$uri" -c - >"$tmp/client.log" <<END &
import sys
n = 0
try:
    while True:
        h.pwrite (n.to_bytes (8, "little") * 512, n % 4096 * 4096)
        n += 1
        if n == 100:
            print ("writing", flush=True)
except nbd.Error:
    print (n - 1)
END
client=$!
wait_for_line "$tmp/client.log" writing
patience=5 stop_server
wait $client
stop_nbdkit
start_server --pool "demo=$pool_url"
start_nbdkit qbd volume=demo/disk
last=$(tail -n 1 "$tmp/client.log")
nbdsh -u "$uri" -c "
n = $last
assert h.pread (4096, n % 4096 * 4096) == n.to_bytes (8, 'little') * 512"
