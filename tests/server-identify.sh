#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What qbd-server says of itself in Identify pages and in the discovery log,
# fetched by a host that shares nothing with the project and read with
# libnvme's structures: every field that hosts check.
source "${0%/*}/functions.sh"
requires python3 --version
mkdir "$tmp/pool"

info () { qbd info --json "$1" | jq -r ".$2"; }

# fetch DIR: the discovery controller, disk twice, other
fetch ()
{
    mkdir "$tmp/$1"
    timeout "$patience" python3 "$srcdir/tests/nvme-host.py" "$address" \
        "$tmp/$1" nqn.2014-08.org.nvmexpress.discovery \
        "$disk_nqn" "$disk_nqn" "$other_nqn"
}

begin ()
{
    start_server --pool "demo=file:$tmp/pool" --listen tcp://127.0.0.1:0
    address=$(tcp_address)
}

begin
qbd create demo/disk 64M
qbd create demo/other 1G --block-size 4096
disk_nqn=$(info demo/disk nqn) disk_uuid=$(info demo/disk uuid)
other_nqn=$(info demo/other nqn) other_uuid=$(info demo/other uuid)
test "$disk_uuid" != "$other_uuid"

fetch first
tests/identify-pages discovery "$tmp/first/1" 127.0.0.1 "${address##*:}" \
    "$disk_nqn" "$other_nqn"
for i in 2 3; do
    tests/identify-pages volume "$tmp/first/$i" "$disk_nqn" "$disk_uuid" \
        67108864 512
done
tests/identify-pages volume "$tmp/first/4" "$other_nqn" "$other_uuid" \
    1073741824 4096
tests/identify-pages same "$tmp/first/2" "$tmp/first/3"
must_fail cmp -s "$tmp/first/2/descriptors" "$tmp/first/4/descriptors"

: nothing of it changes when the server is started again
stop_server
begin
fetch second
for i in 2 4; do
    for page in namespace descriptors nvm-controller independent; do
        cmp "$tmp/first/$i/$page" "$tmp/second/$i/$page"
    done
done
tests/identify-pages volume "$tmp/second/2" "$disk_nqn" "$disk_uuid" \
    67108864 512
