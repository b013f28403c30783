# SPDX-License-Identifier: BSD-3-Clause
#
# File systems of the guest's kernel on a block device.  Sourced after
# functions.sh; the case says how the device comes and goes with
#
#   attach, detach   functions of the case; attach sets $device
#
# and then calls
#
#   check_filesystem TYPE     mkfs, copy files, fsck, and compare them after
#                             the device was attached again; fstrim frees
#                             space in the pool.  The volume is demo/disk.
mnt=$tmp/mnt

make_files ()
{
    mkdir "$tmp/tree"
    cp -r "$srcdir/lib" "$srcdir/server" "$srcdir/tests" "$tmp/tree"
    head -c 8M /dev/urandom >"$tmp/tree/random"
    truncate -s 20M "$tmp/tree/sparse"
    echo end >>"$tmp/tree/sparse"
    ln -s random "$tmp/tree/symlink"
}

allocated_bytes ()
{
    qbd info --json demo/disk | jq .allocated_bytes
}

_mkfs ()
{
    module "$1"
    case $1 in
        btrfs) mkfs.btrfs -q -f "$device" ;;
        # All of it now: what the kernel writes later would be taken for
        # space that fstrim did not free.
        ext4) mkfs.ext4 -q -F -E lazy_itable_init=0,lazy_journal_init=0 \
                        "$device" ;;
        xfs) mkfs.xfs -q -f "$device" ;;
    esac
}

_fsck ()
{
    case $1 in
        btrfs) btrfs check --readonly "$device" ;;
        ext4) e2fsck -fn "$device" ;;
        xfs) xfs_repair -n "$device" ;;
    esac
}

check_filesystem ()
{
    local type=$1 full after
    test -d "$tmp/tree" || make_files
    mkdir -p "$mnt"
    attach
    _mkfs "$type"
    mount -t "$type" "$device" "$mnt"
    cp -r --sparse=always "$tmp/tree" "$mnt"
    umount "$mnt"
    detach

    attach
    _fsck "$type"
    mount -t "$type" "$device" "$mnt"
    diff -r --no-dereference "$tmp/tree" "$mnt/tree"
    full=$(allocated_bytes)
    rm -r "$mnt/tree"
    sync -f "$mnt"
    fstrim -v "$mnt"
    umount "$mnt"
    after=$(allocated_bytes)
    test "$after" -lt $((full - 8000000)) ||
        fail "$type: fstrim freed too little: $full bytes, then $after"
    _fsck "$type"
    detach
}
