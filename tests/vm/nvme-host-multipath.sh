#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Two portals of qbd-server are two paths of the kernel's NVMe host: one may
# go, and come back, and then the other, under load; and it obeys their ANA
# states.
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

# The portals' states; then what the host knows of them.
configure ()
{
    cat >"$tmp/server.conf" <<END
[server]
listen = $transport://10.0.9.1:$port?ana=$1
listen = $transport://10.0.9.2:$port?ana=$2
allow_any_host = yes
[pool demo]
url = file:$tmp/pool
END
}

path_states ()
{
    local path
    for path in /sys/class/nvme/nvme*/nvme*c*n1; do
        grep -qx live "${path%/*}/state" || continue
        echo "$(sed 's/.*traddr=\([^,]*\).*/\1/' "${path%/*}/address")" \
             "$(cat "$path/ana_state")"
    done | sort | tr '\n' ' '
}

are_states ()
{
    test "$(path_states)" = "10.0.9.1 $1 10.0.9.2 $2 "
}

# Of an address.
path_of ()
{
    local path
    for path in /sys/class/nvme/nvme*/nvme*c*n1; do
        grep -q "traddr=$1," "${path%/*}/address" || continue
        echo "$path"
        return
    done
    return 1
}

commands_over ()
{
    awk '{ print $1 + $5 }' "$(path_of "$1")/stat"
}

# The load goes over the first, and none of it over the second.
goes_over ()
{
    local this=$1 other=$2 before idle
    idle=$(commands_over $other)
    before=$(commands_over $this)
    until_true more_than $this $((before + 20))
    test "$(commands_over $other)" -eq "$idle"
}

more_than ()
{
    test "$(commands_over "$1")" -gt "$2"
}

change_states ()
{
    configure "$@"
    kill -s HUP "$server_pid"
    until_true are_states "$@"
}

setup_host
for address in 10.0.9.1 10.0.9.2; do
    path_up $address
done
mkdir "$tmp/pool"
configure optimized optimized
start_configured_server "$tmp/server.conf"
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
change_states non-optimized optimized
until_true goes_over 10.0.9.2 10.0.9.1
change_states optimized inaccessible
until_true goes_over 10.0.9.1 10.0.9.2
change_states inaccessible non-optimized
until_true goes_over 10.0.9.2 10.0.9.1
nvme list-subsys
change_states inaccessible inaccessible
change_states optimized optimized
end_load
nvme disconnect-all
