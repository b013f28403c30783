#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# fio writes and verifies over NBD, while the server is killed, frozen and cut
# off, one after the other: no error, no wrong byte, and progress after each.
#
# QBD_FAULT_ROUNDS: how often each happens; QBD_FREEZE_S: for how long.
source "${0%/*}/functions.sh"
source "${0%/*}/network.sh"
requires sh -c 'fio --enghelp | grep -w nbd'
requires curl --version
requires not_sanitized          # keep-alive is short

rounds=${QBD_FAULT_ROUNDS:-1}
freeze=${QBD_FREEZE_S:-4}
run_far qbd-server

start ()
{
    start_server --listen "$QBD_SERVER" --allow-any-host \
                 --pool "demo=file:$tmp/pool"
}

export QBD_SERVER=tcp://$far:4420
mkdir "$tmp/pool"
start
qbd create demo/disk 256M
start_nbdkit qbd volume=demo/disk keep_alive_tmo=2 nr_io_queues=2

cd "$tmp"
fio --name=verify --ioengine=nbd --uri="$uri" --rw=randwrite --bs=4k \
    --bsrange=512-64k --size=256M --io_size=100G --time_based \
    --runtime=$((10 + rounds * (3 * 5 + 2 * freeze))) --iodepth=16 --fsync=64 \
    --verify=crc32c --verify_backlog=256 --verify_fatal=1 \
    --verify_state_save=0 \
    >"$tmp/fio.log" 2>&1 &
fio=$!

# The server has finished so many writes; it counts from its start.
progress ()
{
    local before now
    before=$(qbd_writes)
    for _ in {1..300}; do
        now=$(qbd_writes)
        test "$now" -le "$before" || return 0
        # There is nothing to wait for: progress is no event.
        sleep 0.1
    done
    fail "no progress after: $1"
}
qbd_writes ()
{
    local n
    n=$(curl -s --unix-socket "$QBD_CONTROL" http://qbd/metrics |
            sed -n 's/^qbd_operations_total{.*"write"} //p')
    echo "${n:-0}"
}

progress start
for ((i = 0; i < rounds; i++)); do
    for fault in kill freeze cut; do
        case $fault in
            kill)
                kill_server
                start ;;
            freeze)
                kill -s STOP "$server_pid"
                sleep "$freeze"
                kill -s CONT "$server_pid" ;;
            cut)
                cut_link
                sleep "$freeze"
                mend_link ;;
        esac
        progress "$fault"
        kill -0 $fio || fail "fio ended after: $fault"
        sleep 1
    done
done
wait $fio
