#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# From nothing to a disk in a virtual machine, by the commands of the README:
# the guest finds a disk of the right size, keeps a file system on it, gives
# space back, and finds it all again when it starts anew, on another server
# process; then it runs from a volume as its root.
source "${0%/*}/../functions.sh"
source "${0%/*}/machine.sh"
source "${0%/*}/guest.sh"
find_kernel
export QBD_VM_MEMORY=512M

mkdir "$tmp/pool"
start_server --pool "demo=file:$tmp/pool"
qbd create demo/disk 256M
start_nbdkit qbd volume=demo/disk
disk="file=nbd:unix:$socket,format=raw,if=virtio,cache=none,discard=unmap"

guest_run virtio_pci virtio_blk ext4 -- -drive "$disk" <<'END'
test "$(cat /sys/block/vda/size)" = 524288
mke2fs -q /dev/vda $((192 << 10))      # KiB
mount /dev/vda /mnt
mkdir /mnt/dir
i=0
while test $i -lt 16; do
    dd if=/dev/urandom of=/mnt/dir/$i bs=64k count=16 2>/dev/null
    i=$((i + 1))
done
(cd /mnt && find dir -type f -exec md5sum {} + >sums)
sync
umount /mnt
# what lies beyond it is written, and given back
dd if=/dev/urandom of=/dev/vda bs=1M seek=192 count=32 conv=fsync 2>/dev/null
END
test "$(qbd info --json demo/disk | jq .allocated_bytes)" -ge $((48 << 20))
stop_nbdkit
stop_server

start_server --pool "demo=file:$tmp/pool"
qbd create demo/root 64M
start_nbdkit qbd volume=demo/disk
disk="file=nbd:unix:$socket,format=raw,if=virtio,cache=none,discard=unmap"
# The disk is named as README has it, by protocol; the root by its URI.
start_nbdkit qbd volume=demo/root
root="file=$uri,format=raw,if=virtio,cache=none"
mkdir "$tmp/root"
mkdir -p "$tmp/root"/{bin,dev,proc,mnt}
cp "$(command -v busybox)" "$tmp/root/bin/"
cat >"$tmp/root/init" <<'END'
#!/bin/busybox sh
set -ex
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
grep ' / ext4 ' /proc/mounts
mount -o ro /dev/vda /mnt
cd /mnt
md5sum -c sums
echo "I was root on a volume" >/written
sync
echo "guest: good"
poweroff -f
END
chmod +x "$tmp/root/init"
mke2fs -q -F -t ext4 -d "$tmp/root" "$tmp/root.img" 64M
nbdcopy --flush "$tmp/root.img" "$uri"

guest_run virtio_pci virtio_blk ext4 -- -drive "$disk" -drive "$root" <<'END'
blkdiscard -o $((192 << 20)) -l $((32 << 20)) /dev/vda
mount -t ext4 /dev/vdb /mnt
mount --move /dev /mnt/dev
exec switch_root /mnt /init
END
test "$(qbd info --json demo/disk | jq .allocated_bytes)" -lt $((32 << 20))
nbdcopy "$uri" "$tmp/root.img"
debugfs -R 'cat /written' "$tmp/root.img" | grep -x 'I was root on a volume'
