#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What an NBD client sees of a volume is the same over an RBD image: the
# functional tests of the NBD side again, each in a namespace of its own.
#
# Not those that look at the server's files and system calls, nor those that
# meet no storage.  QBD_CEPH_NBD="NAME..." runs these alone.
source "${0%/*}/functions.sh"
start_cluster

tests=(
    beyond-end block-4096 copy copy-kill copy-restart discard exports
    fast-zero filters fio fua info large-request multi-conn nqn one-block
    qemu-img qemu-io qemu-io-unaligned queues readonly reattach resize
    server-dies several stop-frozen stop-server unaligned-client
    unaligned-concurrent unaligned-race zero
)
test -z "$QBD_CEPH_NBD" || read -ra tests <<<"$QBD_CEPH_NBD"
set +x
failed=()
for name in "${tests[@]}"; do
    rbd namespace create "rbd/$name"
    export QBD_TEST_POOL="rbd:rbd?namespace=$name"
    start=$SECONDS status=0
    timeout 120 bash "$srcdir/tests/nbd-$name.sh" >"$tmp/nbd-$name.out" 2>&1 ||
        status=$?
    echo "nbd-$name: status $status, $((SECONDS - start)) s"
    case $status in
        0) ;;
        77) tail -n 1 "$tmp/nbd-$name.out" ;;
        *) failed+=("$name"); tail -n 60 "$tmp/nbd-$name.out" ;;
    esac
done
test ${#failed[@]} -eq 0 || fail "over rbd these fail: ${failed[*]}"
