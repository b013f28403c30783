#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Several I/O queues, and the smallest queue.
source "${0%/*}/functions.sh"
start_volume 16M
head -c 16777216 /dev/urandom >"$tmp/in"
for queues in 'nr_io_queues=4' 'nr_io_queues=2 queue_size=2'; do
    start_nbdkit qbd volume=demo/disk $queues
    nbdcopy --connections=4 --flush "$tmp/in" "$uri"
    nbdcopy --connections=4 "$uri" "$tmp/out"
    cmp "$tmp/in" "$tmp/out"
    stop_nbdkit
done
