#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A path where nobody answers at the start is connected later; one will do.
source "${0%/*}/functions.sh"
source "${0%/*}/paths.sh"
requires nbdsh --version

start_volume 64M
start_path b
start_nbdkit -t 8 qbd demo/disk "server=unix://$tmp/a" "server=unix://$tmp/b"
start_load
carries b
start_path a
carries a
cut_path b
load_goes_on
stop_load
stop_nbdkit
# Nor does a name that is not found stop the others, in any place.
for order in "server=tcp://no-such-host.invalid server=unix://$tmp/a" \
             "server=unix://$tmp/a server=tcp://no-such-host.invalid"; do
    start_nbdkit qbd demo/disk $order
    nbdsh -u "$uri" -c '
h.pwrite (b"x" * 512, 0)
h.flush ()
assert h.pread (512, 0) == b"x" * 512'
    wait_for_line "$nbdkit_log" 'no-such-host.*: this path is left out until'
    cut_path a
    coproc nbdsh -u "$uri" -c 'h.pwrite (b"y" * 512, 0)'
    client=$COPROC_PID
    wait_for_line "$nbdkit_log" 'disk: requests wait: '
    start_path a
    wait $client
    stop_nbdkit
done
expect_error 'connect: unix://.*/b: ' nbdkit -fU "$tmp/s" qbd demo/disk \
    "server=unix://$tmp/b" "server=unix://$tmp/c"
