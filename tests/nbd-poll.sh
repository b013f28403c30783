#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Both sides look for messages before they sleep: data go in and come out
# unchanged, by one request at a time and by many.  Few: on a busy machine who
# looks without finding has used up its turn.
source "${0%/*}/functions.sh"
head -c 4M /dev/urandom >"$tmp/in"
mkdir "$tmp/pool"
start_server --poll-us 1000 --pool "demo=$pool_url"
qbd create demo/disk 4M
start_nbdkit qbd volume=demo/disk poll_us=1000
nbdcopy --synchronous --request-size=4096 "$tmp/in" "$uri"
nbdcopy --synchronous --request-size=4096 "$uri" "$tmp/again"
cmp "$tmp/in" "$tmp/again"
nbdcopy "$uri" "$tmp/out"
cmp "$tmp/in" "$tmp/out"
