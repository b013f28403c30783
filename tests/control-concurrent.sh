#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Many clients of the API at once; afterwards the server has as many
# descriptors as before.
source "${0%/*}/functions.sh"
requires jq --version

mkdir "$tmp/pool"
# In a sandbox only root sees its descriptors.
start_server --sandbox off --pool demo="file:$tmp/pool" --pool mem=ram:
descriptors ()
{
    ls "/proc/$server_pid/fd" | wc -l
}

churn ()
{
    local name=$1
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        qbd create "$name" 1M
        qbd resize "$name" 2M
        qbd info "$name" >/dev/null
        qbd ls >/dev/null
        qbd rm "$name"
    done
}

qbd create demo/warm 1M
qbd rm demo/warm
before=$(descriptors)
pids=()
for i in 1 2 3 4 5 6 7 8; do
    churn "demo/v$i" & pids+=($!)
    churn "mem/v$i" & pids+=($!)
done
for pid in "${pids[@]}"; do
    wait "$pid"
done
qbd ls --json | jq -e '.volumes == []'
# Connections that are just ending may linger for a moment.
for _ in $(seq 100); do
    after=$(descriptors)
    test "$after" -gt "$before" || break
    qbd status >/dev/null
done
test "$after" -le "$before"
stop_server
