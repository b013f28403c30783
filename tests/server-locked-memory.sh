#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# An RDMA listener that could not lock the memory that it takes says so at the
# start.  That needs no RDMA device.
source "${0%/*}/functions.sh"

# root's capability goes before the limit.
limited=(bash -c 'ulimit -l 1024 && exec "$@"' -)
test "$(id -u)" != 0 || limited+=(setpriv --bounding-set=-ipc_lock)
expect_error '^qbd-server: error: listen: rdma://127.0.0.1:4420: RDMA needs locked memory: 2 reactors, with [0-9]+ devices, take [0-9]+ KiB at the least, the limit \(ulimit -l\) is 1024 KiB$' \
    "${limited[@]}" qbd-server --control "$tmp/control" --reactors 2 \
                    --listen rdma://127.0.0.1 --pool a=ram:
