#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Two servers with different volumes of one name are no paths of either.
source "${0%/*}/functions.sh"
start_volume 1M
first=$QBD_SERVER
mkdir "$tmp/pool2"
start_server --listen "unix://$tmp/other.sock" --pool "demo=file:$tmp/pool2" \
             --control "$tmp/other"
qbd --control "$tmp/other" create demo/disk 1M
for order in "server=$first server=unix://$tmp/other.sock" \
             "server=unix://$tmp/other.sock server=$first"; do
    expect_error 'no such subsystem' nbdkit -fU "$tmp/s" qbd demo/disk $order
done
expect_error 'given twice' nbdkit -fU "$tmp/s" qbd demo/disk \
             "server=$first" "server=$first"
