#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A volume is an RBD image: the bytes are the same through us, through Ceph's
# own tool and through qemu's driver, whoever wrote them and whoever made it.
source "${0%/*}/functions.sh"
requires nbdcopy --version
requires nbdsh --version
requires qemu-img --version
start_cluster
rbd create rbd/theirs --size 32M
# Not heard: other gateways, and other clients, see what is done.
printf '[client.gateway]\nrbd cache = true\n' >>"$CEPH_CONF"
start_gateway
qbd create demo/ours 32M
make_filesystem "$tmp/image" 32M
rbd info rbd/ours
test "$(rbd info rbd/ours --format json | jq .size)" = $((32 << 20))

for name in ours theirs; do
    until_so qbd info "demo/$name"
    start_nbdkit qbd "demo/$name"
    nbdcopy --flush "$tmp/image" "$uri"
    rbd export "rbd/$name" "$tmp/copy"
    cmp "$tmp/image" "$tmp/copy"
    rm "$tmp/copy"
    qemu-img compare -f raw -F raw "$tmp/image" "rbd:rbd/$name:conf=$CEPH_CONF"
    stop_nbdkit
done
must_fail grep 'rbd_cache on' "$server_log"

# written LETTER [CMD]: a write is seen past us as soon as it is done.  librbd
# would use its cache after the first flush.
written ()
{
    nbdsh -u "$uri" -c 'h.flush ()' -c "h.pwrite (b'$1' * 4096, 0)" \
          -c "${2:-pass}" -c '
import subprocess
seen = subprocess.run (["rbd", "export", "rbd/ours", "-"],
                       stdout = subprocess.PIPE).stdout
assert seen[:4096] == b"'$1'" * 4096, seen[:16]'
}
start_nbdkit qbd demo/ours
written 1
stop_nbdkit

# The other way: it is written past us.
dd if=/dev/urandom of="$tmp/image" bs=1M count=32 status=none
rbd export rbd/ours - | cmp -s - "$tmp/image" && fail "it was the same before"
stop_server
rbd config image set rbd/ours rbd_cache true
rbd rm rbd/theirs
rbd import "$tmp/image" rbd/theirs
start_gateway
until_so qbd info demo/theirs
start_nbdkit qbd demo/theirs
nbdcopy "$uri" "$tmp/copy"
cmp "$tmp/image" "$tmp/copy"
stop_nbdkit

# An image's own configuration is heard, and flush is honest then.
wait_for_line "$server_log" 'demo/ours: .* has rbd_cache on: its writes are stable'
start_nbdkit qbd demo/ours
written 2 'h.flush ()'
stop_nbdkit
rbd config image remove rbd/ours rbd_cache
stop_server
start_gateway
until_so qbd info demo/ours

if qemu-img info "rbd:rbd/ours:conf=$CEPH_CONF"; then
    qemu-img convert -n -f raw -O raw "$tmp/image" \
             "rbd:rbd/ours:conf=$CEPH_CONF"
    start_nbdkit qbd demo/ours
    qemu-img compare -f raw -F raw "$uri" "rbd:rbd/ours:conf=$CEPH_CONF"
    nbdcopy "$uri" "$tmp/copy2"
    cmp "$tmp/image" "$tmp/copy2"
else
    fail "qemu-img has no rbd driver: qemu-block-extra"
fi
