#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Round-robin and queue-depth use all paths, failover the first.
source "${0%/*}/functions.sh"
source "${0%/*}/paths.sh"
requires nbdsh --version

start_volume 64M
start_path a
start_path b
both=("server=unix://$tmp/a" "server=unix://$tmp/b")
for policy in failover round-robin queue-depth; do
    a=$(carried a) b=$(carried b)
    start_nbdkit -t 8 qbd demo/disk "${both[@]}" policy=$policy
    start_load
    load_goes_on
    load_goes_on
    stop_load 10000
    stop_nbdkit
    a=$(($(carried a) - a)) b=$(($(carried b) - b))
    echo "$policy: $a and $b bytes"
    case $policy in
        failover) test $a -gt $((20 * b)) ;;
        *) test $a -gt $((b / 4)) -a $b -gt $((a / 4)) ;;
    esac
done
