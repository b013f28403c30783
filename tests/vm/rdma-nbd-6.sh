#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The tests of NBD, part 6, over NVMe/RDMA.
QBD_VM_LIMIT_S=${QBD_VM_LIMIT_S:-600}   # many tests, by emulation
source "${0%/*}/functions.sh"
source "${0%/*}/nbd-over-rdma.sh"

nbd_over_rdma 6 8
