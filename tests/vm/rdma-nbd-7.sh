#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The tests of NBD, part 7, over NVMe/RDMA.
source "${0%/*}/functions.sh"
source "${0%/*}/nbd-over-rdma.sh"

nbd_over_rdma 7 8
