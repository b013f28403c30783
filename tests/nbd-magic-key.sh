#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# "volume=" may be left out.
source "${0%/*}/functions.sh"
start_volume 1M
start_nbdkit qbd demo/disk
test "$(nbdinfo --size "$uri")" = 1048576
