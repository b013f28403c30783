#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Values that are out of range or malformed are refused by name.
source "${0%/*}/functions.sh"
start_volume 1M
for bad in nr_io_queues=0 nr_io_queues=65 nr_io_queues=many queue_size=1 \
           queue_size=1025 queue_size=-1 keep_alive_tmo=x connect_tmo=-1 \
           io_tmo=99999999999999999999 hdr_digest=perhaps data_digest=2x \
           server=http://localhost server=tcp:// server=tcp://h:99999 \
           server=unix://relative policy=numa volume= hostnqn=x hostnqn= \
           hostid= volume=demo/other; do
    expect_error "${bad%%=*}" nbdkit -fU "$tmp/s" qbd demo/disk "$bad"
done
expect_error 'volume: demo/other: there is one already' \
    nbdkit -fU "$tmp/s" qbd demo/disk demo/other
expect_error 'nsid: only together with nqn' nbdkit -fU "$tmp/s" qbd nsid=1
