#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A machine whose own swap is a volume, by nbdkit --swap on that very machine,
# the kernel's NBD client and the network: two processes use a third more memory
# than it has, and all of it comes back as it was.  The server is killed
# meanwhile and started again.
source "${0%/*}/../functions.sh"
requires not_sanitized          # too large for a machine that is this small
source "${0%/*}/machine.sh"
source "${0%/*}/guest.sh"
find_kernel
requires nbd-client -V
vm_limit_s=$((2 * vm_limit_s))  # it moves much memory, by emulation
patience=$vm_limit_s

guest_program nbdkit nbd-client "$QBD_BUILDDIR/tests/vm/working-set"
guest_file .libs/nbdkit-qbd-plugin.so lib/nbdkit-qbd-plugin.so
guest_libraries .libs/nbdkit-qbd-plugin.so
tr -d - </proc/sys/kernel/random/uuid >"$guest_root/etc/machine-id"

mkdir "$tmp/pool"
start_server --pool "demo=file:$tmp/pool" --listen tcp://127.0.0.1:0
qbd create demo/swap 1G
address=$(tcp_address)

# The emulated network's 10.0.2.2 is this machine.  Nearly half of the guest's
# memory is nbdkit's.
export QBD_VM_MEMORY=512M
cleanup_fn sh -c "test ! -e $tmp/qemu.pid || kill \$(cat $tmp/qemu.pid)"
guest_run virtio_pci virtio_net nbd -- -nic user,model=virtio-net-pci \
          -pidfile "$tmp/qemu.pid" <<END &
ip link set lo up
ip address add 10.0.2.15/24 dev eth0
ip link set eth0 up
# As the manual has it.
echo 65536 >/proc/sys/vm/min_free_kbytes
echo 0 >/proc/sys/vm/watermark_boost_factor
ulimit -s 512
nbdkit --swap --unix /tmp/nbd.sock --pidfile /tmp/nbdkit.pid \
    /lib/nbdkit-qbd-plugin.so server=tcp://10.0.2.2:${address##*:}
nbd-client -unix /tmp/nbd.sock -N demo/swap /dev/nbd0 -swap
# All its threads are I/O flushers (PF_MEMALLOC_NOIO) with real-time priority
# (SCHED_RR), and the process is not the OOM killer's.
for task in /proc/\$(cat /tmp/nbdkit.pid)/task/*; do
    set -- \$(sed 's/.*) //' \$task/stat)
    test \$((\$7 >> 19 & 1)) = 1
    test \${39} = 2
done
test \$(cat /proc/\$(cat /tmp/nbdkit.pid)/oom_score_adj) = -1000
mkswap /dev/nbd0
swapon /dev/nbd0
echo 5 >/proc/sys/vm/page-cluster       # emulation makes round trips long
set +x
working-set 340 1 &
first=\$!
working-set 340 1
wait \$first
set -x
head -n 5 /proc/meminfo
cat /proc/swaps
grep pswp /proc/vmstat
# in pages
test \$(awk '/pswpin/ { print \$2 }' /proc/vmstat) -gt 76800
test \$(awk '/pswpout/ { print \$2 }' /proc/vmstat) -gt 76800
swapoff /dev/nbd0
nbd-client -d /dev/nbd0
pid=\$(cat /tmp/nbdkit.pid)
kill \$pid
# Nothing is on its way any more when the machine is turned off.
while test -e /proc/\$pid; do sleep 0.2; done
ip link set eth0 down
END
guest=$!

# There is more of it than memory by now, and it goes on.
wait_for_line "$tmp/guest$((_count + 1)).log" 'working-set: round 0 is over'
kill_server
start_server --pool "demo=file:$tmp/pool" --listen "$address"
wait $guest
grep 'demo/swap: controller .* serves' "$server_log"
test "$(qbd info --json demo/swap | jq .allocated_bytes)" -gt $((300 << 20))
