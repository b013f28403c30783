#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# NBD over NVMe/RDMA: several connections and queues.
source "${0%/*}/functions.sh"
source "${0%/*}/rdma.sh"

rdma_up
over_rdma nbd-multi-conn nbd-queues
