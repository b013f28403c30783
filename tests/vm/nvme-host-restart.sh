#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The server is killed, and started again, under the load of the kernel's NVMe
# host: the host goes on, and all data is right.
source "${0%/*}/functions.sh"
source "${0%/*}/nvme.sh"

# Until the host has written so many more sectors.
wait_written ()
{
    local enough
    enough=$(($(written_sectors) + $1))
    until_true has_written "$enough"
}

written_sectors ()
{
    # The kernel counts for the path, and not for the device of all paths.
    awk '{ print $7 }' /sys/block/nvme0c0n1/stat
}

has_written ()
{
    test "$(written_sectors)" -ge "$1"
}

setup_host
mkdir "$tmp/pool"
start_server --pool "demo=file:$tmp/pool" --listen "$listen"
qbd create demo/disk 128M
host_connect "$(qbd info --json demo/disk | jq -r .nqn)" --reconnect-delay=1
start_load "$device"
for _ in 1 2 3; do
    wait_written 8000
    kill_server
    start_server --pool "demo=file:$tmp/pool" --listen "$listen"
done
end_load
nvme disconnect-all
