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
expect_error 'connect: unix://.*/b: ' nbdkit -fU "$tmp/s" qbd demo/disk \
    "server=unix://$tmp/b" "server=unix://$tmp/c"
