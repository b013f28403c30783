#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# NBD over NVMe/RDMA: requests of all lengths, FUA, trim.
source "${0%/*}/functions.sh"
source "${0%/*}/rdma.sh"

rdma_up
over_rdma nbd-discard nbd-fua nbd-large-request nbd-qemu-io-unaligned
