#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The life of a volume by qbd: create, ls, info, resize, rm.
source "${0%/*}/functions.sh"
requires jq --version

mkdir "$tmp/pool"
start_server --pool demo="file:$tmp/pool" --pool mem=ram:

for pool in demo mem; do
    qbd create $pool/disk 64M
    qbd info $pool/disk --json >"$tmp/info.json"
    jq -e --arg name $pool/disk '
        .name == $name and .state == "ready" and
        .size_bytes == 64 * 1024 * 1024 and .allocated_bytes >= 0 and
        .block_size == 512 and .read_only == false and .attached == 0 and
        .hosts == [] and (.uuid | length) == 36 and
        (.nqn | startswith ("nqn.") and endswith (":" + $name))
        ' "$tmp/info.json"
    uuid=$(jq -r .uuid "$tmp/info.json")

    # Options stand anywhere; both block sizes; a size with a fraction.
    qbd --block-size 4096 --json create $pool/big 1.5G >"$tmp/big.json"
    jq -e '.block_size == 4096 and .size_bytes == 1610612736' "$tmp/big.json"

    qbd ls --json $pool |
        jq -e --arg p $pool \
           '[.volumes[].name] == [$p + "/big", $p + "/disk"]'
    qbd ls $pool | grep -E "^$pool/disk +64M +[^ ]+ +512 +0 +ready$"

    qbd resize $pool/disk 128M
    qbd resize --shrink $pool/disk 32M
    qbd info $pool/disk --json |
        jq -e --arg uuid "$uuid" '.size_bytes == 33554432 and .uuid == $uuid'

    qbd rm $pool/disk
    expect_error "^qbd: info: $pool/disk: no such volume$" \
                 qbd info $pool/disk
    # The name is free again, and a new volume is another one.
    qbd create $pool/disk 1M
    test "$(qbd info $pool/disk --json | jq -r .uuid)" != "$uuid"
done

qbd ls --json | jq -e '.volumes | length == 4'
qbd pools --json | jq -e '[.pools[] | {name, volumes}] ==
    [{name: "demo", volumes: 2}, {name: "mem", volumes: 2}]'
qbd pools --json | jq -e '.pools[0] | .capacity_bytes > .free_bytes and
    .free_bytes > 0'
