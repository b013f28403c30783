#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# NBD over NVMe/RDMA: a file system, there and back.
source "${0%/*}/functions.sh"
source "${0%/*}/rdma.sh"

rdma_up
over_rdma nbd-copy
