#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Opened and closed many times, shared and not: no descriptor is left, and
# none attached.
source "${0%/*}/functions.sh"

start_server --pool demo=ram:
qbd create demo/disk 1M
timeout "$patience" tests/lib-client reopen 100 volume=demo/disk
timeout "$patience" tests/lib-client reopen 20 volume=demo/disk \
        nr_io_queues=4 hdr_digest=on
# A client that is gone is gone for the server, too, once it has read that.
timeout "$patience" bash -c 'until qbd rm demo/disk; do :; done'
