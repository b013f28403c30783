#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What was flushed is there after the server got SIGKILL.
source "${0%/*}/functions.sh"
make_filesystem "$tmp/in" 32M
start_volume 32M
start_nbdkit qbd volume=demo/disk
nbdcopy --flush "$tmp/in" "$uri"
kill_server
stop_nbdkit
start_server --pool "demo=$pool_url"
start_nbdkit qbd volume=demo/disk
nbdcopy "$uri" "$tmp/out"
cmp "$tmp/in" "$tmp/out"
