#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The server dies under a file system on the kernel's NBD client: its requests
# wait, and go on when the server is there again; where ctrl_loss_tmo says
# so, they end in errors in good time.  When the export's daemon dies, what is
# under way waits until the device is detached, which ends it in errors.
# Nothing wedges, and what was synchronised is there.
source "${0%/*}/functions.sh"

module nbd nbds_max=1
module ext4
device=/dev/nbd0 mnt=$tmp/mnt

write_in_vain ()
{
    expect_error 'Input/output error' \
        dd if=/dev/zero of="$mnt/more" bs=1M count=1 conv=fsync
}

detached ()
{
    test "$(nbd-client -c "$device")" = ''
}

requests_wait ()
{
    awk '{ exit $1 + $2 == 0 }' "/sys/block/${device##*/}/inflight"
}

# The journal is replayed, and all that was synchronised is there.
check ()
{
    attach_nbd "$device" 1
    mount -o errors=continue "$device" "$mnt"
    cmp "$tmp/data" "$mnt/data.$1"
    umount "$mnt"
    e2fsck -fn "$device"
    mount -o errors=continue "$device" "$mnt"
}

start_volume 64M
start_nbdkit qbd demo/disk
attach_nbd "$device" 2
mkfs.ext4 -q "$device"
mkdir "$mnt"
head -c 4M /dev/urandom >"$tmp/data"
mount -o errors=continue "$device" "$mnt"
cp "$tmp/data" "$mnt/data.1"
sync -f "$mnt"

kill_server
(cp "$tmp/data" "$mnt/data.2" && sync -f "$mnt") &
copy=$!
until_true requests_wait
start_server --pool "demo=file:$tmp/pool"
wait $copy
umount "$mnt"
nbd-client -d "$device"
stop_nbdkit

start_nbdkit qbd demo/disk ctrl_loss_tmo=2
check 2
kill_server
write_in_vain
umount "$mnt"
nbd-client -d "$device"
until_true detached
kill_nbdkit
start_server --pool "demo=file:$tmp/pool"
start_nbdkit qbd demo/disk
check 1
cp "$tmp/data" "$mnt/data.3"
sync -f "$mnt"
kill -STOP "$server_pid"
write_in_vain &
write=$!
until_true requests_wait
kill_nbdkit
kill -CONT "$server_pid"
nbd-client -d "$device"
wait $write
umount "$mnt"
until_true detached
start_nbdkit qbd demo/disk
check 3
umount "$mnt"
nbd-client -d "$device"
