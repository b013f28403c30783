#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The plugin attaches the kernel's NVMe target over NVMe/RDMA: all that
# kernel-target.sh shows over TCP, several queues, and a port where no one
# listens.
transport=rdma
source "${0%/*}/kernel-target.sh"

# In the order of nbdkit: probe, fork, attach.
start_nbdkit qbd "nqn=$nqn" nsid=1 nr_io_queues=2
nbdcopy --flush "$tmp/in" "$uri"
nbdcopy "$uri" "$tmp/out"
cmp "$tmp/in" "$tmp/out"
stop_nbdkit
expect_error "connect: rdma://$address:4421: Connection refused: no RDMA" \
    nbdkit -U - qbd "nqn=$nqn" server=rdma://$address:4421 --run true
