#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# libguestfs makes partitions and file systems on a volume over NBD, and finds
# them again with their files; in its own virtual machine.
source "${0%/*}/../functions.sh"
source "${0%/*}/machine.sh"
requires guestfish --version
requires supermin --version
requires test -d /lib/modules   # supermin copies its mode
find_kernel

# Its machine is made of this host's programs and that kernel, and kept.
export SUPERMIN_KERNEL=$kernel_dir/boot/vmlinuz-$kernel_release
export SUPERMIN_KERNEL_VERSION=$kernel_release
export SUPERMIN_MODULES=$kernel_dir/lib/modules/$kernel_release
export LIBGUESTFS_BACKEND=direct LIBGUESTFS_BACKEND_SETTINGS=force_tcg
export LIBGUESTFS_CACHEDIR=$kernel_dir LIBGUESTFS_MEMSIZE=1280

start_volume 128M
start_nbdkit qbd demo/disk
on_volume ()
{
    timeout "$vm_limit_s" guestfish add-drive "" protocol:nbd format:raw \
        server:unix:"$socket" readonly:"$1" : run : "${@:2}"
}

on_volume false part-init /dev/sda gpt : \
    part-add /dev/sda p 2048 131071 : part-add /dev/sda p 131072 260095 : \
    mkfs ext4 /dev/sda1 : mkfs vfat /dev/sda2 : \
    mount /dev/sda1 / : mkdir /tree : copy-in "$srcdir/lib" /tree : \
    sync : umount-all
on_volume true list-filesystems : fsck ext4 /dev/sda1 : \
    mount-ro /dev/sda1 / : copy-out /tree/lib "$tmp" >"$tmp/said"
cat "$tmp/said"
grep -qx '/dev/sda1: ext4' "$tmp/said"
grep -qx '/dev/sda2: vfat' "$tmp/said"
diff -r "$srcdir/lib" "$tmp/lib"
