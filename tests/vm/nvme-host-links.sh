#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The names that udev makes of a volume's identity lead to it, and are the same
# after a lost connection, a restart of the server, and another connect.
source "${0%/*}/functions.sh"
source "${0%/*}/nvme.sh"

requires test -x /lib/systemd/systemd-udevd
/lib/systemd/systemd-udevd >"$tmp/udevd.log" 2>&1 &
cleanup_fn kill $!
until_true udevadm control --ping

serve ()
{
    start_server --pool "demo=file:$tmp/pool" --listen "$listen"
}

# In one line, sorted.
links ()
{
    local link
    for link in /dev/disk/by-id/*; do
        test "$(readlink -f "$link")" != "$device" || echo "${link##*/}"
    done | xargs
}

has_links ()
{
    udevadm settle
    test "$(links)" = "$expected"
}

has_no_links ()
{
    test -z "$(links)"
}

setup_host
mkdir "$tmp/pool"
serve
qbd create demo/other 16M
qbd create demo/disk 16M
nqn=$(qbd info --json demo/disk | jq -r .nqn)
uuid=$(qbd info --json demo/disk | jq -r .uuid)
serial=$(qbd info --json demo/disk | jq -r .serial)

host_connect "$nqn" --reconnect-delay=1
model=$(sed 's/ *$//; s/ /_/g' "/sys/block/${device##*/}/device/model")
expected="nvme-${model}_$serial nvme-${model}_${serial}_1 nvme-uuid.$uuid"
until_true has_links

# The connection is lost, and the server another one.
kill_server
serve
wait_for_line "$server_log" 'controller [0-9]+ serves'
until_true grep -qx live /sys/class/nvme/*/state
has_links
cmp -n 4096 "/dev/disk/by-id/nvme-uuid.$uuid" /dev/zero

# The volume is not the first disk any more, and has another device name.
host_disconnect "$nqn"
until_true has_no_links
stop_server
serve
host_connect "$(qbd info --json demo/other | jq -r .nqn)"
other=$device
host_connect "$nqn"
test "$device" != "$other"
until_true has_links
nvme disconnect-all
