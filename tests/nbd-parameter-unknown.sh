#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# An unknown parameter is refused, and the nearest known one is named.
source "${0%/*}/functions.sh"
start_volume 1M
expect_error 'volum.*volume' nbdkit -fU "$tmp/s" qbd volum=demo/disk
expect_error 'queue_sise.*queue_size' \
    nbdkit -fU "$tmp/s" qbd volume=demo/disk queue_sise=4
expect_error 'sever.*server' nbdkit -fU "$tmp/s" qbd volume=demo/disk sever=x
