#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# After fork parent and child use volumes of their own, and neither disturbs
# the other.
source "${0%/*}/functions.sh"
# ThreadSanitizer knows no threads in the child of a process with threads, and
# AddressSanitizer's allocator may be locked there for ever.
requires not_sanitized
start_server --pool demo=ram:
qbd create demo/disk 1M
timeout "$patience" tests/lib-client fork volume=demo/disk io_tmo=5
timeout "$patience" tests/lib-client fork volume=demo/disk io_tmo=5 \
        nr_io_queues=3
