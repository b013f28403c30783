#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# NBD over NVMe/RDMA: a server that is killed and comes back.
source "${0%/*}/functions.sh"
source "${0%/*}/rdma.sh"

rdma_up
over_rdma nbd-reconnect
