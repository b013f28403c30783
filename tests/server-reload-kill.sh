#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# kill -9 in the middle of a reload that makes and closes pools: the next
# start finds them whole.
source "${0%/*}/functions.sh"
requires jq --version

configure ()                    # POOL...
{
    local pool
    echo '[server]' >"$tmp/server.conf"
    for pool; do
        printf '%s\n' "[pool $pool]" "url = file:$tmp/$pool"
    done >>"$tmp/server.conf"
}

for round in 1 2 3 4 5 6 7 8; do
    old=() new=()
    for i in 1 2 3 4; do
        old+=(old$round$i) new+=(new$round$i)
    done
    for pool in "${old[@]}" "${new[@]}"; do
        mkdir "$tmp/$pool"
    done
    configure "${old[@]}"
    start_server -c "$tmp/server.conf" --sandbox-path "$tmp"
    for pool in "${old[@]}"; do
        qbd create "$pool/disk" 1M
    done
    configure "${new[@]}"
    kill -s HUP "$server_pid"
    # Each round ends at another moment: behind another pool's opening or
    # closing.
    if test $round -le 4; then
        wait_for_line "$server_log" ": pool: new$round$round: file:"
    else
        wait_for_line "$server_log" ": pool: old$round$((round - 4)): closed"
    fi
    kill_server
    configure "${old[@]}" "${new[@]}"
    start_server -c "$tmp/server.conf" --sandbox-path "$tmp"
    qbd pools --json | jq -e '.pools | length == 8'
    for pool in "${old[@]}" "${new[@]}"; do
        qbd check "$pool"
    done
    for pool in "${old[@]}"; do
        qbd info "$pool/disk"
    done
    stop_server
done
