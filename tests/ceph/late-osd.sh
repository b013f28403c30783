#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A gateway is fenced, and hears of it, while an OSD that has a write of its own
# stands still: that one may still carry the write out.  So the write is not
# answered before the OSD does: who was told that it is not done would do it by way
# of another gateway, and this one come over that.  What another gateway writes
# meanwhile comes after it, whichever of them arrives first.  One that was never
# sent, as it waits for the exclusive lock, is answered at once.
source "${0%/*}/functions.sh"
requires nbdsh --version
requires ceph --version
# Who is stopped keeps its lock, however slow this machine is.
QBD_TEST_WATCH_S=600 start_cluster 8
start_gateway
qbd create demo/disk 64M

# An OSD that stands still is no dead one here.  What the gateway looks at to
# learn that it is fenced is elsewhere, as is the object that is read.
cluster ask 'osd set' key=nodown
acting ()
{
    timeout "$patience" ceph osd map rbd "$1" --format json |
        jq -r '.acting | join (" ")'
}
choose ()
{
    local id object needed
    late='' quick=''
    id=$(rbd info rbd/disk --format json | jq -r .id)
    needed=" $(acting qbd_pool) $(acting qbd_gateway.0) $(acting rbd_directory)"
    needed+=" $(acting rbd_trash) $(acting "rbd_header.$id") "
    for object in {0..15}; do
        osds[object]=$(acting "rbd_data.$id.$(printf %016x "$object")")
        if [[ $needed != *" ${osds[object]%% *} "* ]]; then
            late=$object late_osd=${osds[object]%% *}
        fi
    done
    test -n "$late" || return 1
    for object in {0..15}; do
        [[ " ${osds[object]} " == *" $late_osd "* ]] || quick=$object
    done
}
until choose; do
    qbd rm demo/disk --force
    qbd create demo/disk 64M
done
test -n "$quick"

fence ()
{
    local number address
    number=$(qbd pools --json | jq '.pools[0].gateway')
    address=$(timeout "$patience" rados -p rbd getxattr "qbd_gateway.$number" \
                      qbd.address)
    cluster ask 'osd blocklist' blocklistop=add addr="$address"
    wait_for_line "$server_log" \
        'this server did not answer, and another fenced it'
}

start_second
until_so qbd --control "$second_control" info demo/disk
start_nbdkit qbd demo/disk server="$second_server" io_tmo=600
second_uri=$uri

# One queue: what is answered later was not answered before.
start_nbdkit qbd volume=demo/disk server="$QBD_SERVER" nr_io_queues=1 io_tmo=600
nbdsh -u "$uri" -c - >"$tmp/writer.log" 2>&1 <<END &
import os
def is_refused ():
    try:
        h.pread (4096, $quick << 22)
    except nbd.Error as e:
        assert e.errno in ("EIO", "ESHUTDOWN"), e
        return True
def wait_for (file):
    while not os.path.exists ("$tmp/" + file):
        h.poll (50)
for object in ($quick, $late):
    h.pwrite (b"1" * 4096, object << 22)
print ("written", flush=True)
wait_for ("late")
write = h.aio_pwrite (b"2" * 4096, $late << 22)
print ("writes", flush=True)
while not is_refused ():
    pass
wait_for ("fenced")
assert is_refused ()
assert not h.aio_command_completed (write)
print ("waits", flush=True)
while not h.aio_command_completed (write):
    h.poll (-1)
END
writer=$!
wait_for_line "$tmp/writer.log" '^written'
cluster pause "osd.$late_osd"
touch "$tmp/late"
wait_for_line "$tmp/writer.log" '^writes'
fence
# By then it has looked at its volumes.
wait_for_line "$server_log" 'pool: demo: rbd: list: '
touch "$tmp/fenced"
wait_for_line "$tmp/writer.log" '^waits'
nbdsh -u "$second_uri" -c "h.pwrite (b'3' * 4096, $late << 22)" &
second_writer=$!
writes () { qbd --control "$second_control" inflight demo/disk | grep -w write; }
until_so writes
cluster resume "osd.$late_osd"
wait $writer || grep 'command_completed: write: ' "$tmp/writer.log" ||
    fail "$(cat "$tmp/writer.log")"
wait $second_writer
stop_nbdkit
stop_server || :                # what librbd never ends is left behind

# It was done before the newer one, or was not done.
start_gateway
start_nbdkit qbd demo/disk io_tmo=600
first_uri=$uri
nbdsh -u "$uri" -c "assert h.pread (4096, $late << 22) == b'3' * 4096"

# Its lock is another's, who has no ears for it.
nbdsh -u "$second_uri" -c 'h.pwrite (b"4" * 4096, 0)'
kill -STOP "$second_pid"
nbdsh -u "$first_uri" -c 'h.pwrite (b"5" * 4096, 0)' >"$tmp/waiter.log" 2>&1 &
waiter=$!
waits () { qbd inflight demo/disk | grep -w write; }
until_so waits
fence
! wait $waiter || fail "it was written"
grep 'nbd_pwrite: .*Input/output error' "$tmp/waiter.log"
kill -CONT "$second_pid"
nbdsh -u "$second_uri" -c 'assert h.pread (4096, 0) == b"4" * 4096'
