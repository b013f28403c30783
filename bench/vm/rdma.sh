#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Requests over NVMe/RDMA, by Soft-RoCE.
transport=rdma
source "${0%/*}/requests.sh"
