#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The disk below a pool fails where one volume lies, and its file system becomes
# read-only: the client of that volume sees the right errors, the log has one
# line of each, the other volumes go on, and afterwards all is well.
source "${0%/*}/functions.sh"

module dm-mod
module brd rd_nr=1 rd_size=131072
module ext4
mnt=$tmp/mnt pool=$tmp/mnt/pool

# The disk, as a table of device mapper says.
load_disk ()
{
    dmsetup suspend --noudevsync disk
    dmsetup load --noudevsync disk
    dmsetup resume --noudevsync disk
}

whole_disk='0 262144 linear /dev/ram0 0'

# The same, but the second MiB of demo/bad is broken.
broken_disk ()
{
    local start end
    # In sectors: where it lies, in one piece.
    read -r start end < <(filefrag -b512 -v "$pool/volumes/bad.raw" |
        awk -F'[.: ]+' '$3 ~ /^[0-9]+$/ && $3 <= 2048 && 4095 <= $4 {
                            print $5 + 2048 - $3, $5 + 4096 - $3 }')
    echo "0 $start linear /dev/ram0 0"
    echo "$start $((end - start)) error"
    echo "$end $((262144 - end)) linear /dev/ram0 $end"
}

# So many lines of the server's log.
logged ()
{
    test "$(grep -Ec -- "$2" "$server_log")" = "$1" ||
        fail "not $1 lines with: $2"
}

serve ()
{
    start_server --pool "demo=file:$pool?cache=$1" --pool "mem=ram:"
    start_nbdkit qbd
}

volume ()
{
    echo "nbd+unix:///$1?socket=$socket"
}

echo "$whole_disk" | dmsetup create disk --noudevsync
disk=/dev/dm-$(dmsetup info -c --noheadings -o minor disk)
mkfs.ext4 -q "$disk"
mkdir "$mnt"
mount -t ext4 -o errors=remount-ro "$disk" "$mnt"
mkdir "$pool"
serve direct
qbd create demo/bad 8M
qbd create demo/good 4M
for name in bad good; do
    qemu_io "$(volume demo/$name)" 'write -P 1 0 4M' flush
done

# What lies on both sides of the edge is read and written up to there.
broken_disk | tee "$tmp/broken"
load_disk <"$tmp/broken"
nbdsh -u "$(volume demo/bad)" -c '
MiB = 1 << 20
def fails (call, *args):
    try:
        call (*args)
    except nbd.Error as e:
        assert e.errno == "EIO", e
    else:
        raise SystemExit ("no error: %s" % call.__name__)
for _ in range (3):
    fails (h.pread, 4096, MiB)
    fails (h.pwrite, b"2" * 4096, MiB)
    fails (h.pread, 65536, MiB - 32768)
    fails (h.pwrite, b"2" * 65536, MiB - 32768)
h.pwrite (b"3" * 4096, 0)
h.flush ()
assert h.pread (4096, 0) == b"3" * 4096
'
logged 1 'error: (read|write): demo/bad: Input/output error '
qemu_io "$(volume demo/good)" 'write -P 4 1M 1M' flush 'read -P 4 1M 1M'
echo "$whole_disk" | load_disk
qemu_io "$(volume demo/bad)" 'write -P 5 1M 1M' flush 'read -P 5 1M 1M' \
    'read -P 1 2M 2M'
stop_nbdkit
stop_server

# Written by way of the page cache it is the flush that fails, and from then on
# each one, because the kernel tells it once.
serve buffered
load_disk <"$tmp/broken"
nbdsh -u "$(volume demo/bad)" -c '
h.pwrite (b"6" * 4096, 1 << 20)
for _ in range (3):
    try:
        h.flush ()
        raise SystemExit ("flushed")
    except nbd.Error as e:
        assert e.errno == "EIO", e
'
logged 1 'demo/bad: Input/output error'
qemu_io "$(volume demo/good)" 'write -P 7 1M 1M' flush 'read -P 7 1M 1M'
echo "$whole_disk" | load_disk
stop_nbdkit
stop_server

# An error in the file system itself makes it read-only.
serve direct
qbd create mem/disk 1M
echo 1 >"/sys/fs/ext4/${disk##*/}/trigger_fs_error"
nbdsh -u "$(volume demo/bad)" -c '
for _ in range (3):
    try:
        h.pwrite (b"8" * 4096, 6 << 20)         # was never written
        raise SystemExit ("written")
    except nbd.Error as e:
        assert e.errno == "EPERM", e    # what NBD has for it
assert h.pread (4096, 2 << 20) == b"\1" * 4096
'
logged 1 'error: write: demo/bad: Read-only file system '
expect_error '^qbd: catalogue: .*: (Read-only file system|disk I/O error)$' \
             qbd create demo/more 1M
expect_error '^qbd: resize: demo/good: Read-only file system' \
             qbd resize demo/good 8M
qemu_io "$(volume demo/good)" 'read -P 7 1M 1M'
qemu_io "$(volume mem/disk)" 'write -P 9 0 1M' flush 'read -P 9 0 1M'
stop_nbdkit
stop_server
umount "$mnt"
e2fsck -fy "$disk" || test $? = 1
mount -t ext4 "$disk" "$mnt"
serve direct
qbd check demo
qemu_io "$(volume demo/bad)" 'read -P 1 2M 2M' 'write -P 8 0 1M' flush
stop_nbdkit
stop_server
umount "$mnt"
