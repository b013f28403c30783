#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# fio verifies over NBD, through the plugin, while the kernel's NVMe target loses
# its port, a connection, the network and its disk: no error, no wrong byte,
# and progress after each.  The target has a cache and does not tell whether it
# was lost, so it takes retain=; without that a flush after a loss says EIO.
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

has_written_or_ended ()
{
    has_written "$1" || load_ended
}

# Until the disk has got so many more sectors.
progress ()
{
    local enough
    enough=$(($(written_sectors) + 4000))
    until_true has_written_or_ended "$enough"
    ! load_ended || fail "fio ended"
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

# One end of the I/O queue's connection, the target's.
reset_connection ()
{
    local client_port
    client_port=$(ss -HOtni state established "sport = :$port" |
        awk '{ sub (".*:", "", $4)
               match ($0, "bytes_received:[0-9]*")
               print 0 + substr ($0, RSTART + 15, RLENGTH - 15), $4 }' |
        sort -n | sed -n '$s/^.* //p')
    ss -HK state established "sport = :$port" "dport = :$client_port" | grep .
}

port_link=/sys/kernel/config/nvmet/ports/1/subsystems/$nqn

# The target ends all controllers of the port, and refuses new ones.
bounce_port ()
{
    rm "$port_link"
    ln -s "/sys/kernel/config/nvmet/subsystems/$nqn" "$port_link"
}

# The disk can be stopped, and counts.
module dm-mod
module brd rd_nr=1 rd_size=65536
dmsetup create disk --noudevsync --table '0 131072 linear /dev/ram0 0'
disk=/dev/dm-$(dmsetup info -c --noheadings -o minor disk)

address=$near
start_target "$nqn" "$disk"
run_far nbdkit
start_nbdkit qbd "nqn=$nqn" nsid=1 keep_alive_tmo=3 retain=4M
# Who begins in the middle of a fault joins this client's volume, and it is there
# to see the fault when fio has just ended; it stays for longer than patience.
mkfifo "$tmp/stays"
PATH=/usr/bin:$PATH command nbdsh -u "$uri" -c '
import sys
print ("attached", flush=True)
sys.stdin.read ()
' <"$tmp/stays" >"$tmp/stays.log" &
stays=$!
exec 5>"$tmp/stays"
let_go ()
{
    exec 5>&-
}
cleanup_fn let_go
wait_for_line "$tmp/stays.log" '^attached$'
start_load
progress

expect_loss bounce_port
progress
expect_loss reset_connection
progress

# Both for longer than the keep-alive.
expect_loss cut_link
sleep 12
mend_link
progress

dmsetup suspend --noudevsync --nolockfs disk
sleep 12
dmsetup resume --noudevsync disk
progress

end_load
let_go
wait $stays
stop_nbdkit

# Whether what was not flushed is still there, nobody knows: no flush says so
# until the client has come again, and written again.
start_nbdkit qbd "nqn=$nqn" nsid=1 keep_alive_tmo=1
mkfifo "$tmp/go"
nbdsh -u "$uri" -c '
import sys
h.pwrite (b"1" * 4096, 0)
print ("written", flush=True)
sys.stdin.readline ()
for _ in range (2):
    try:
        h.flush ()
        raise SystemExit ("flushed")
    except nbd.Error as e:
        assert e.errno == "EIO", e
    h.pwrite (b"2" * 4096, 4096, nbd.CMD_FLAG_FUA)
print ("failed", flush=True)
' <"$tmp/go" >"$tmp/client.log" &
client=$!
exec 5>"$tmp/go"
wait_for_line "$tmp/client.log" '^written$'
expect_loss bounce_port
echo >&5
wait $client
exec 5>&-
grep -x failed "$tmp/client.log"
alone ()
{
    test -z "$(ss -Htn state established "sport = :$port")"
}
until_true alone
qemu_io "$uri" 'write -P 1 0 4096' flush 'read -P 1 0 4096' 'read -P 50 4k 4k'
stop_nbdkit

# SIGTERM ends nbdkit while a write waits for the old controller's end.
start_nbdkit qbd "nqn=$nqn" nsid=1 keep_alive_tmo=60
nbdsh -u "$uri" -c '
try:
    while True:
        h.pwrite (b"3" * 4096, 0)
except nbd.Error as e:
    print (e)
' >"$tmp/waits.log" &
client=$!
enough=$(($(written_sectors) + 80))
until_true has_written "$enough"
expect_loss bounce_port
wait_for_line "$nbdkit_log" 'connected again'
patience=60 stop_nbdkit
wait $client
