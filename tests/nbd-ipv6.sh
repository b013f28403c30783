#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# NVMe/TCP over IPv6.
source "${0%/*}/functions.sh"
requires grep -q 00000000000000000000000000000001 /proc/net/if_inet6
mkdir "$tmp/pool"
start_server --pool "demo=$pool_url" --listen 'tcp://[::1]:0'
qbd create demo/disk 8M
address=$(tcp_address)
[[ $address == 'tcp://[::1]:'* ]]
head -c 8388608 /dev/urandom >"$tmp/in"
start_nbdkit qbd volume=demo/disk server="$address"
nbdcopy --flush "$tmp/in" "$uri"
nbdcopy "$uri" "$tmp/out"
cmp "$tmp/in" "$tmp/out"
