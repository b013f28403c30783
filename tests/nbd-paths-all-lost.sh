#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# All paths are lost: requests wait for the first that is back, or fail when
# fast_io_fail_tmo is over, and succeed again afterwards.
source "${0%/*}/functions.sh"
source "${0%/*}/paths.sh"
requires nbdsh --version

start_volume 64M
start_path a
start_path b
start_nbdkit -t 8 qbd demo/disk "server=unix://$tmp/a" \
             "server=unix://$tmp/b" fast_io_fail_tmo=5
start_load
cut_path a
cut_path b
start_path b
load_goes_on
cut_path b
start_path a
load_goes_on
stop_load 5000
cut_path a
nbdsh -u "$uri" -c '
import errno
for request in (lambda: h.pwrite (b"x" * 512, 0), lambda: h.pread (512, 0),
                h.flush):
    try:
        request ()
        assert False
    except nbd.Error as e:
        assert e.errno == "EIO", e
'
wait_for_line "$nbdkit_log" 'disk: requests fail after [0-9]*\.[0-9] s'
start_path b
nbdsh -u "$uri" -c '
while True:                     # until the plugin has connected again
    try:
        h.pwrite (b"x" * 512, 0)
        break
    except nbd.Error as e:
        assert e.errno == "EIO", e
'
start_load
stop_load 60000
stop_nbdkit
