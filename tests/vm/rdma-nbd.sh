#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What an NBD client sees of a volume is the same when plugin and server speak
# NVMe/RDMA: functional tests of NBD, over RDMA instead of a Unix socket.
source "${0%/*}/functions.sh"
source "${0%/*}/rdma.sh"

rdma_up
export QBD_TEST_LISTEN=rdma://$rdma_host:0
for name in nbd-copy nbd-discard nbd-exports nbd-fua \
            nbd-large-request nbd-map nbd-multi-conn nbd-qemu-io-unaligned \
            nbd-queues nbd-resize nbd-server-dies nbd-unaligned-concurrent
do
    status=0
    bash "$srcdir/tests/$name.sh" || status=$?
    case $status in
        0 | 77) ;;
        *) fail "$name.sh over RDMA: status $status" ;;
    esac
done
