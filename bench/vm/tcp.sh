#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Requests over NVMe/TCP.
transport=tcp
source "${0%/*}/requests.sh"
