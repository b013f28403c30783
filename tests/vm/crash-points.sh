# SPDX-License-Identifier: BSD-3-Clause
#
# A machine that crashes: its pool is on dm-log-writes, whose log says what the
# disk held when.  Sourced after functions.sh.
#
#   record TYPE [OPTION]     make a file system of that type, and change a pool
#                        on it (OPTION: of its URL) and its volumes until all
#                        is stopped in good order
#   $check TYPE POINTS   the command that replays what was recorded, and looks
#                        at so many points: crash-points.py
check=("$srcdir/tests/vm/crash-points.py" check
       "$tmp/events" "$tmp/log" "$tmp/base")

record ()
{
    local devices base=$tmp/base log=$tmp/log
    module "$1"
    module dm-log-writes
    module loop
    rm -rf "$tmp/device" "$base" "$log"
    case $1 in
        ext4) truncate -s 64M "$base"; mkfs.ext4 -q -F "$base" ;;
        xfs) truncate -s 320M "$base"; mkfs.xfs -q "$base" ;;
    esac
    fallocate --dig-holes "$base"
    cp --sparse=always "$base" "$tmp/device"
    truncate -s 256M "$log"
    devices=("$(losetup -f --show "$tmp/device")"
             "$(losetup -f --show "$log")")
    dmsetup create logged --noudevsync --table \
        "0 $(blockdev --getsz "${devices[0]}") log-writes ${devices[*]}"
    mkdir -p "$tmp/mnt"
    # There is no udev, which would make links.
    mount -t "$1" "/dev/dm-$(dmsetup info -c --noheadings -o minor logged)" \
          "$tmp/mnt"
    mkdir "$tmp/mnt/pool"
    start_server --pool "demo=file:$tmp/mnt/pool$2"
    start_nbdkit qbd
    "$srcdir/tests/vm/crash-points.py" load "$tmp/events" "$socket"
    stop_nbdkit
    stop_server
    umount "$tmp/mnt"
    dmsetup remove --noudevsync logged
    losetup -d "${devices[@]}"
    cd "$tmp"
}
