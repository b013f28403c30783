#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# OSDs are killed and come back under load, one after the other: with two
# replicas no request fails, and every byte is what was written last.
source "${0%/*}/functions.sh"
source "${0%/*}/ledger.sh"
requires nbdsh --version
start_cluster 3
start_gateway
qbd create demo/disk 16M
start_nbdkit qbd volume=demo/disk nr_io_queues=2

start_ledger 0 4096
for osd in osd.0 osd.1; do
    ledger_goes_on
    cluster kill $osd
    cluster restart $osd
    cluster settle
done
end_ledger
