#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The plugin attaches Linux's own target over NVMe/RDMA, by its NQN.
source "${0%/*}/functions.sh"
source "${0%/*}/rdma.sh"

rdma_up
transport=rdma address=$rdma_host
source "${0%/*}/nvmet.sh"
nqn=nqn.2014-08.org.example:target
truncate -s 128M "$tmp/image"
start_target "$nqn" "$tmp/image"
unset QBD_SERVER

qbd discover rdma://$rdma_host | tee "$tmp/log"
grep -q "rdma://$rdma_host:4420 .*$nqn" "$tmp/log"

# With nr_io_queues and in the order of nbdkit: probe, fork, attach.
start_nbdkit qbd nqn=$nqn server=$rdma_host transport=rdma nr_io_queues=2
qemu_io "$uri" 'write -P 1 0 512' 'write -P 2 512 3k' 'write -P 3 1M 3M' \
        'read -P 1 0 512' 'read -P 2 512 3k' 'read -P 3 1M 3M' \
        'flush'
head -c 24M /dev/urandom >"$tmp/random"
nbdcopy "$tmp/random" "$uri"
nbdcopy "$uri" "$tmp/back"
cmp -n $((24 << 20)) "$tmp/random" "$tmp/back"
stop_nbdkit
cmp -n $((24 << 20)) "$tmp/random" "$tmp/image"

# A port where no one listens, and a subsystem that is not there.
expect_error "connect: rdma://$rdma_host:4421: Connection refused: no RDMA" \
    nbdkit -U - qbd nqn=$nqn server=rdma://$rdma_host:4421 --run true
expect_error 'no such subsystem: nqn.2014-08.org.example:none' \
    nbdkit -U - qbd nqn=nqn.2014-08.org.example:none \
           server=rdma://$rdma_host --run true
