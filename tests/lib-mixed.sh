#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Synchronous and asynchronous callers of one association, and several
# threads that poll for the same completion: nobody waits for ever.
source "${0%/*}/functions.sh"
start_server --pool demo=ram:
qbd create demo/disk 16M
timeout "$patience" tests/lib-client mixed 3 volume=demo/disk io_tmo=5 \
    >"$tmp/mixed.log"
grep -q 'mixed: .* [1-9][0-9]* requests$' "$tmp/mixed.log"
timeout "$patience" tests/lib-client pollers 300 volume=demo/disk io_tmo=600
