#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# NVMe/TCP over IPv4, by URI, by bare host, and by $QBD_SERVER.
source "${0%/*}/functions.sh"
mkdir "$tmp/pool"
start_server --pool "demo=$pool_url" --listen tcp://127.0.0.1:0
qbd create demo/disk 8M
address=$(tcp_address)
head -c 8388608 /dev/urandom >"$tmp/in"
start_nbdkit qbd volume=demo/disk server="$address"
nbdcopy --flush "$tmp/in" "$uri"
start_nbdkit qbd volume=demo/disk server="${address#tcp://}"
nbdcopy "$uri" "$tmp/out"
cmp "$tmp/in" "$tmp/out"
export QBD_SERVER=$address
start_nbdkit qbd volume=demo/disk
nbdcopy "$uri" "$tmp/out"
cmp "$tmp/in" "$tmp/out"
