#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Two portals of qbd-server are two paths of the kernel's NVMe host: one may
# go, and come back, and then the other, under load.
source "${0%/*}/functions.sh"
source "${0%/*}/nvme.sh"

# A path goes with its address, and no connection learns of it.
path_up ()
{
    ip address add "$1/32" dev lo
}

path_down ()
{
    ip address delete "$1/32" dev lo
}

live_paths ()
{
    test "$(cat /sys/class/nvme/nvme*/state | grep -cx live)" -eq "$1"
}

setup_host
for address in 10.0.9.1 10.0.9.2; do
    path_up $address
    portals+=(--listen "$transport://$address:$port")
done
mkdir "$tmp/pool"
start_server --pool "demo=file:$tmp/pool" "${portals[@]}" --allow-any-host
qbd create demo/disk 128M
nqn=$(qbd info --json demo/disk | jq -r .nqn)
for address in 10.0.9.1 10.0.9.2; do
    host_connect "$nqn" --keep-alive-tmo=2 --reconnect-delay=1
done
live_paths 2
nvme list-subsys
test "$(echo /sys/class/nvme-subsystem/*/nvme*n1)" = \
     "/sys/class/nvme-subsystem/nvme-subsys0/${device##*/}"
echo round-robin >/sys/class/nvme-subsystem/nvme-subsys0/iopolicy

start_load "$device"
for address in 10.0.9.1 10.0.9.2; do
    path_down $address
    until_true live_paths 1
    path_up $address
    until_true live_paths 2
done
end_load
nvme disconnect-all
