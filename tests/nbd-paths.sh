#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Two paths: one is cut under load and comes back, then the other.  The client
# sees a short pause; requests go over the first path whenever it is there.
source "${0%/*}/functions.sh"
source "${0%/*}/paths.sh"
requires nbdsh --version

start_volume 64M
start_path a
start_path b
start_nbdkit -t 8 qbd volume=demo/disk server="unix://$tmp/a" \
             server="unix://$tmp/b" nr_io_queues=2
start_load
test "$(carried a)" -gt $((4 * $(carried b)))
cut_path a
load_goes_on
start_path a
carries a
cut_path b
load_goes_on
start_path b
load_goes_on
cut_path a
carries b
stop_load
stop_nbdkit
