#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Sixteen threads, or sixteen requests in flight, of all kinds and sizes, over
# each stream, with digests, several queues and queues that are too short:
# what is read is what was written.
source "${0%/*}/functions.sh"

start_server --pool demo=ram: --listen "unix://$tmp/server.sock" \
             --listen tcp://127.0.0.1:0
qbd create demo/disk 64M
qbd create demo/big 64M --block-size 4096
tcp=$(tcp_address)

load ()
{
    local seed=$1
    shift
    timeout "$patience" tests/lib-client stress 16 1 "$seed" "$@"
    timeout "$patience" tests/lib-client aio 16 1 "$seed" "$@"
}

load 1 volume=demo/disk server="unix://$tmp/server.sock"
load 2 volume=demo/disk server="$tcp"
load 3 volume=demo/big server="$tcp" hdr_digest=1 data_digest=1
load 4 volume=demo/disk server="unix://$tmp/server.sock" nr_io_queues=3
timeout "$patience" tests/lib-client stress 16 1 5 volume=demo/big \
        server="$tcp" queue_size=4 nr_io_queues=2 data_digest=1
timeout "$patience" tests/lib-client stress 16 1 6 volume=demo/disk \
        server="$tcp" queue_size=2
