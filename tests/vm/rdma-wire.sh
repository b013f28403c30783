#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What goes over the wire for one request, as NVMe/RDMA has it: a small write's
# data with its command, a large one's fetched by RDMA READ, a read's by RDMA
# WRITE before the response; and a key invalidated for hosts that ask for it,
# and only for them.
source "${0%/*}/functions.sh"
source "${0%/*}/rdma.sh"
requires /usr/bin/python3 --version

rdma_link_up
module nvme-rdma
mkdir "$tmp/pool"
start_server --pool "demo=file:$tmp/pool" --allow-any-host \
             --listen rdma://$rdma_host:4420
qbd create demo/disk 16M

coproc /usr/bin/python3 "$srcdir/tests/vm/rdma-wire.py" $client_netdev
wire=("${COPROC[@]}")
read -r -t "$patience" line <&"${wire[0]}"
test "$line" = ready
next_count ()
{
    echo >&"${wire[1]}"
    read -r -t "$patience" line <&"${wire[0]}"
}

# on_wire CONDITION CMD...: what jq says of the packets of the command.
on_wire ()
{
    local condition=$1
    shift
    next_count
    "$@"
    next_count
    jq -e "$condition" <<<"$line" || fail "on the wire were: $line"
}

SQE=64 CQE=16

# The plugin.  No Keep Alive comes between.
start_nbdkit qbd demo/disk server=rdma://$rdma_host keep_alive_tmo=3600
coproc_nbd=$tmp/nbd
mkfifo "$coproc_nbd.in" "$coproc_nbd.out"
nbdsh -u "$uri" -c '
import sys
for line in sys.stdin:
    exec (line)
    print ("done", flush=True)
' <"$coproc_nbd.in" >"$coproc_nbd.out" &
client=$!
exec 5>"$coproc_nbd.in" 6<"$coproc_nbd.out"
nbd ()
{
    echo "$1" >&5
    read -r -t "$patience" answer <&6
    test "$answer" = done
}
nbd 'h.pread (512, 0)'

on_wire ". == {
    send: {messages: 2, bytes: ($SQE + 4096 + $CQE)}}" \
    nbd 'h.pwrite (b"1" * 4096, 0)'
on_wire ". == {
    send: {messages: 2, bytes: ($SQE + $CQE)},
    read: {messages: 1, bytes: 0},
    \"read data\": {messages: 1, bytes: 65536}}" \
    nbd 'h.pwrite (b"2" * 65536, 65536)'
on_wire ". == {
    send: {messages: 2, bytes: ($SQE + $CQE)},
    write: {messages: 1, bytes: 65536}}" \
    nbd 'assert h.pread (65536, 65536) == b"2" * 65536'
on_wire ". == {
    send: {messages: 2, bytes: ($SQE + $CQE)},
    write: {messages: 1, bytes: 512}}" \
    nbd 'assert h.pread (512, 0) == b"1" * 512'
on_wire ". == {send: {messages: 2, bytes: ($SQE + $CQE)}}" nbd 'h.flush ()'
exec 5>&-
wait $client
stop_nbdkit

# Linux's host asks to have its keys invalidated.
nqn=$(qbd info --json demo/disk | jq -r .nqn)
nvme connect -t rdma -a $rdma_host -s 4420 -n "$nqn" -i 1 -k 3600
cleanup_fn nvme disconnect -n "$nqn"
has_disk ()
{
    test -b /dev/nvme0n1
}
until_true has_disk
read_disk ()
{
    dd if=/dev/nvme0n1 of="$tmp/out" iflag=direct bs=64K skip=1 count=1
}
read_disk                       # once more, when all else is over
on_wire ".write.bytes == 65536 and .read == null and
    .\"send with invalidate\" == {messages: 1, bytes: $CQE}" read_disk
tr -d 2 <"$tmp/out" >"$tmp/rest"
test ! -s "$tmp/rest"
write_disk ()
{
    dd if="$tmp/out" of=/dev/nvme0n1 oflag=direct bs=64K seek=2 count=1
}
on_wire ".\"read data\".bytes == 65536 and .write == null" write_disk
