#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A machine whose own root file system is a volume, by nbdkit --swap on that
# very machine, the kernel's NBD client and the network.  It writes and reads
# more than memory holds, programs and their libraries have to be read again,
# and the server is killed meanwhile and started again.
source "${0%/*}/../functions.sh"
requires not_sanitized          # too large for a machine that is this small
source "${0%/*}/machine.sh"
source "${0%/*}/guest.sh"
find_kernel
requires nbd-client -V
vm_limit_s=$((2 * vm_limit_s))  # it moves much data, by emulation
patience=$vm_limit_s

# The root file system.  Its programs are on it, with their libraries.
root=$tmp/root
mkdir -p "$root"/{bin,data,dev,lib,proc,run,sys}
cp "$(command -v busybox)" "$root/bin"
for name in $(busybox --list); do
    test "$name" = busybox || ln -s busybox "$root/bin/$name"
done
cp "$QBD_BUILDDIR"/tests/vm/{fsx,working-set} "$root/bin"
(guest_root=$root && guest_libraries "$root/bin/fsx")
cat >"$root/init" <<'END'
#!/bin/busybox sh
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
set -e
# Little memory is left to the page cache.
working-set 120 3 &
hog=$!
for i in 1 2 3; do
    yes "file $i of the root file system" | head -c 150000000 >/data/$i
    echo "root: wrote $i"
done
cp /data/1 /data/copy
sync
echo "root: synced"
wait $hog
echo 3 >/proc/sys/vm/drop_caches
cmp /data/1 /data/copy
for i in 1 2 3; do
    yes "file $i of the root file system" | head -c 150000000 | cmp - /data/$i
done
rm /data/copy
fsx /data/fsx 5
head -n 5 /proc/meminfo
# As a shutdown does it: nothing is written any more, and nbdkit runs on.
sync
mount -o remount,ro /
echo "guest: good"
poweroff -f
END
chmod +x "$root/init"
mke2fs -q -F -t ext4 -d "$root" "$tmp/image" 1G

guest_program nbdkit nbd-client
guest_file .libs/nbdkit-qbd-plugin.so lib/nbdkit-qbd-plugin.so
guest_libraries .libs/nbdkit-qbd-plugin.so
tr -d - </proc/sys/kernel/random/uuid >"$guest_root/etc/machine-id"

mkdir "$tmp/pool"
start_server --pool "demo=file:$tmp/pool" --listen tcp://127.0.0.1:0
qbd import "$tmp/image" demo/root
address=$(tcp_address)

# The emulated network's 10.0.2.2 is this machine.  Nearly half of the guest's
# memory is nbdkit's.
export QBD_VM_MEMORY=512M
cleanup_fn sh -c "test ! -e $tmp/qemu.pid || kill \$(cat $tmp/qemu.pid)"
guest_run virtio_pci virtio_net nbd ext4 -- \
          -nic user,model=virtio-net-pci -pidfile "$tmp/qemu.pid" <<END &
ip link set lo up
ip address add 10.0.2.15/24 dev eth0
ip link set eth0 up
# As the manual has it.
echo 65536 >/proc/sys/vm/min_free_kbytes
echo 0 >/proc/sys/vm/watermark_boost_factor
ulimit -s 512
mkdir -p /run
mount -t tmpfs run /run
nbdkit --swap --unix /run/nbd.sock --pidfile /run/nbd.pid \
    /lib/nbdkit-qbd-plugin.so demo/root server=tcp://10.0.2.2:${address##*:}
nbd-client -unix /run/nbd.sock /dev/nbd0 -swap
mount -t ext4 /dev/nbd0 /mnt
mount --move /dev /mnt/dev
mount --move /run /mnt/run
exec switch_root /mnt /init
END
guest=$!

log=$tmp/guest$((_count + 1)).log
wait_for_line "$log" 'root: wrote 1'
kill_server
start_server --pool "demo=file:$tmp/pool" --listen "$address"
wait $guest
grep 'demo/root: controller .* serves' "$server_log"
! grep -E 'I/O error|EXT4-fs error|hung task|blocked for more' "$log" ||
    fail "the guest's root had errors"
qbd export demo/root "$tmp/after"
e2fsck -fn "$tmp/after"
