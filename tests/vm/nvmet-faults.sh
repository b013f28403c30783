#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# fio verifies over NBD, through the plugin, while the kernel's NVMe target loses
# its port, a connection, the network and its disk: no error, no wrong byte,
# and progress after each.
source "${0%/*}/functions.sh"
source "${0%/*}/../network.sh"
source "${0%/*}/nvmet.sh"
nqn=nqn.2014-08.org.example:target

written_sectors ()
{
    awk '{ print $7 }' "/sys/block/${disk##*/}/stat"
}

has_written ()
{
    test "$(written_sectors)" -ge "$1"
}

# Until the disk has got so many more sectors.
progress ()
{
    local enough
    enough=$(($(written_sectors) + 4000))
    until_true has_written "$enough"
    kill -0 $load || fail "fio ended"
}

# Whoever writes at the end of a fault ends.  One that begins in the middle of a
# fault finds no target; any other failure counts.
load ()
{
    cd "$tmp"
    until test -e "$tmp/load-ends"; do
        fio --name=verify --ioengine=nbd --uri="$uri" --rw=randwrite \
            --bsrange=4k-256k --size=8M --iodepth=16 --fsync=64 \
            --verify=crc32c --verify_backlog=64 --verify_fatal=1 \
            --eta=never --output="$tmp/fio.log" ||
            grep -q nbd_connect_uri "$tmp/fio.log"
    done
}

losses ()
{
    grep -c 'connection lost' "$nbdkit_log" || :
}

is_lost ()
{
    test "$(losses)" -gt "$1"
}

# The plugin notices this fault.
expect_loss ()
{
    local before
    before=$(losses)
    "$@"
    until_true is_lost "$before"
}

reset_connection ()
{
    ss -K state established "sport = :$port" \
       "dport = :$(ss -Htn state established "sport = :$port" |
                   sed -n '2s/.*:\([0-9]*\) *$/\1/p')"
}

port_link=/sys/kernel/config/nvmet/ports/1/subsystems/$nqn

# The disk can be stopped, and counts.
module dm-mod
module brd rd_nr=1 rd_size=65536
dmsetup create disk --noudevsync --table '0 131072 linear /dev/ram0 0'
disk=/dev/dm-$(dmsetup info -c --noheadings -o minor disk)

address=$near
start_target "$nqn" "$disk"
run_far nbdkit
start_nbdkit qbd "nqn=$nqn" nsid=1 keep_alive_tmo=4
load &
load=$!
progress

for _ in 1 2; do
    # The target ends all controllers of the port, and refuses new ones.
    expect_loss rm "$port_link"
    ln -s "/sys/kernel/config/nvmet/subsystems/$nqn" "$port_link"
    progress
    # One end of a connection, the target's, is reset; not the first one,
    # which is the admin queue's.
    expect_loss reset_connection
    progress
done

# Both for longer than the keep-alive.
expect_loss cut_link
sleep 12
mend_link
progress

dmsetup suspend --noudevsync --nolockfs disk
sleep 12
dmsetup resume --noudevsync disk
progress

touch "$tmp/load-ends"
wait $load
stop_nbdkit
