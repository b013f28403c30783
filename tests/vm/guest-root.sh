#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A guest whose root disk is a volume, by QEMU's nbd:HOST:PORT, boots, puts its
# file system to the test and shuts down: it is clean then.  The guest boots
# again and finds all of it.
source "${0%/*}/../functions.sh"
source "${0%/*}/machine.sh"
source "${0%/*}/guest.sh"
find_kernel
export QBD_VM_MEMORY=512M

in_use ()
{
    (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

boot ()
{
    guest_run virtio_pci virtio_blk ext4 -- \
        -drive "file=nbd:127.0.0.1:$port,format=raw,if=virtio" <<'END'
mount -t ext4 -o ro /dev/vda /mnt
mount --move /dev /mnt/dev
exec switch_root /mnt /init
END
}

root=$tmp/root
mkdir -p "$root"/{bin,dev,files,lib,proc}
cp "$(command -v busybox)" "$root/bin"
for name in $(busybox --list); do
    test "$name" = busybox || ln -s busybox "$root/bin/$name"
done
cp "$QBD_BUILDDIR/tests/vm/fsx" "$root/bin"
(guest_root=$root && guest_libraries "$root/bin/fsx")
cp "${0%/*}/root-init" "$root/init"
chmod +x "$root/init"
mke2fs -q -F -t ext4 -d "$root" "$tmp/image" 96M

start_volume 96M
port=10809
while in_use $port; do
    port=$((port + 1))
done
start_nbdkit -i 127.0.0.1 -p $port qbd demo/disk
uri=nbd://127.0.0.1:$port
nbdcopy --flush "$tmp/image" "$uri"
boot
nbdcopy "$uri" "$tmp/image"
dumpe2fs -h "$tmp/image" | grep '^Filesystem state: *clean$'
e2fsck -fn "$tmp/image"
boot
