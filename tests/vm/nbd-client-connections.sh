#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The kernel's NBD client with four connections: file systems; data are
# right under parallel writes; blktrace and btt see each request to its end.
source "${0%/*}/functions.sh"
source "${0%/*}/filesystems.sh"

module nbd nbds_max=1
start_volume 512M
start_nbdkit qbd demo/disk
device=/dev/nbd0

attach ()
{
    attach_nbd "$device" 4
}

detach ()
{
    nbd-client -d "$device"
}

for type in ext4 xfs btrfs; do
    check_filesystem $type
done
attach
# Four jobs, each with its own part of the device.
mkdir "$tmp/trace"
blktrace -d "$device" -D "$tmp/trace" -o nbd &
trace=$!
until_true test -e "/sys/kernel/debug/block/${device##*/}/trace1"
fio_verify "$device" --numjobs=4 --size=8M --offset_increment=64M
kill -INT $trace
wait $trace
detach

cd "$tmp/trace"
blkparse -q -i nbd -d nbd.bin -O
btt -i nbd.bin -o nbd
cat nbd.avg
# Every dispatch (D) has its completion (C), and what it took is known.
blkparse -q -i nbd -f '%a\n' | sort | uniq -c | tee counts
test "$(awk '$2 == "D" { print $1 }' counts)" -gt 100
test "$(awk '$2 == "D" { print $1 }' counts)" -eq \
     "$(awk '$2 == "C" { print $1 }' counts)"
grep -q '^D2C ' nbd.avg
