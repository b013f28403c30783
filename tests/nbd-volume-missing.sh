#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A volume that is not there is named.
source "${0%/*}/functions.sh"
start_volume 1M
expect_error 'demo/dsik' nbdkit -fU "$tmp/s" qbd volume=demo/dsik
test ! -S "$tmp/s"
