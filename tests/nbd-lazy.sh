#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# connect=lazy: nbdkit starts before its server does.
source "${0%/*}/functions.sh"
start_nbdkit qbd volume=demo/disk connect=lazy server="$server_uri"
expect_error . nbdinfo "$uri"
start_volume 1M
test "$(nbdinfo --size "$uri")" = 1048576
