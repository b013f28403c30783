#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The plugin over two ports of the kernel's NVMe target, whose ANA states change
# while fio verifies: what is optimized is taken, else what is not, and nothing
# that is inaccessible; while both are, requests wait, and no error is seen.
source "${0%/*}/functions.sh"
source "${0%/*}/nvmet.sh"
nqn=nqn.2014-08.org.example:target
ports=/sys/kernel/config/nvmet/ports

# Both are on the same address.
second_port ()
{
    mkdir "$ports/2"
    echo tcp >"$ports/2/addr_trtype"
    echo ipv4 >"$ports/2/addr_adrfam"
    echo "$address" >"$ports/2/addr_traddr"
    echo 4421 >"$ports/2/addr_trsvcid"
    ln -s "/sys/kernel/config/nvmet/subsystems/$nqn" "$ports/2/subsystems/$nqn"
}

state ()                        # PORT STATE
{
    echo "$2" >"$ports/$1/ana_groups/1/ana_state"
}

# What port 442N has received over the connections that it has.
received ()
{
    ss -Htni state established "sport = :442$(($1 - 1))" |
        grep -o 'bytes_received:[0-9]*' |
        awk -F: '{ n += $2 } END { print n + 0 }'
}

# Much by one port, and hardly anything by the other.
moved_to ()
{
    local to=$1 other=$((3 - $1)) a b
    a=$(received "$to") b=$(received $other)
    sleep 0.5
    a=$(($(received "$to") - a)) b=$(($(received $other) - b))
    ! load_ended || fail "fio ended"
    test $a -gt 1000000 && test $((20 * b)) -lt $a
}

module brd rd_nr=1 rd_size=16384
start_target "$nqn" /dev/ram0
second_port
state 2 non-optimized
start_nbdkit qbd "nqn=$nqn" nsid=1 "server=tcp://$address:4421" \
             "server=tcp://$address:4420"
start_load
until_true moved_to 1
state 1 inaccessible
until_true moved_to 2
state 1 optimized
until_true moved_to 1
state 2 optimized               # it is named first
until_true moved_to 2
state 1 inaccessible
state 2 inaccessible
wait_for_line "$nbdkit_log" 'requests wait: it is accessible over none'
state 1 non-optimized
wait_for_line "$nbdkit_log" 'requests go on after'
until_true moved_to 1
state 2 optimized
until_true moved_to 2
end_load
! grep 'connection lost' "$nbdkit_log" || fail "a path was lost"
stop_nbdkit
