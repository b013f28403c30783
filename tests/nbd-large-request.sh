#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The largest requests of NBD clients are split and joined again.
source "${0%/*}/functions.sh"
start_volume 128M
start_nbdkit qbd volume=demo/disk
head -c 33554432 /dev/urandom >"$tmp/in"
nbdcopy --request-size=33554432 "$tmp/in" "$uri"
nbdcopy --request-size=33554432 "$uri" "$tmp/out"
cmp -n 33554432 "$tmp/in" "$tmp/out"
