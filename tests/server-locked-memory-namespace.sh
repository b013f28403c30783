#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# root of a user namespace, as in a container, has CAP_IPC_LOCK there, and yet
# the limit on locked memory: an RDMA listener knows that.
source "${0%/*}/functions.sh"
requires unshare -Ur true

expect_error '^qbd-server: error: listen: rdma://127.0.0.1:4420: RDMA needs locked memory: .* is 1024 KiB$' \
    unshare -Ur bash -c 'ulimit -l 1024 && exec "$@"' - \
    qbd-server --control "$tmp/control" --reactors 2 \
               --listen rdma://127.0.0.1 --pool a=ram:
