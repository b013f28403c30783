#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Several clients write and verify over several queues, and flush, while the
# server is killed and started again and has lost its cache: retain= sends
# again what was not flushed, and no client sees an error or a wrong byte.
source "${0%/*}/functions.sh"
requires sh -c 'fio --enghelp | grep -w nbd'
requires curl --version
requires nbdsh --version
requires has_xattrs

start_volume 64M
start_nbdkit qbd demo/disk retain=1M nr_io_queues=3 poll_us=50

load ()
{
    until test -e "$tmp/load-ends"; do
        fio --name=verify --ioengine=nbd --uri="$uri" --rw=randwrite \
            --bsrange=512-64k --size=4M --numjobs=4 \
            --offset_increment=8M --iodepth=8 --fsync=32 --verify=crc32c \
            --verify_backlog=64 --verify_fatal=1 --verify_state_save=0 \
            --eta=never
    done
}

# The server has answered so many writes since its start.
writes ()
{
    curl -sS --unix-socket "$QBD_CONTROL" http://qbd/metrics |
        awk '/^qbd_operations_total{.*"write"}/ { n = $2 }
             END { exit !(n > '"$1"') }'
}
until_written ()
{
    until writes "$1"; do
        kill -0 $load
    done
}

# Between two runs of fio the volume stays attached: to begin with, a server
# has to be there.
mkfifo "$tmp/held" "$tmp/release"
nbdsh -u "$uri" -c "open ('$tmp/held', 'w').close ()" \
      -c "open ('$tmp/release').read ()" &
holder=$!
timeout "$patience" cat "$tmp/held"
cleanup_fn kill $holder

cleanup_fn touch "$tmp/load-ends"
load >"$tmp/fio.log" 2>&1 &
load=$!
for round in 1 2 3 4; do
    until_written 200
    kill_server
    mark_lost "$tmp/pool/volumes/disk.raw"
    start_server --pool "demo=file:$tmp/pool"
done
until_written 200
touch "$tmp/load-ends"
wait $load
: >"$tmp/release"
wait $holder
