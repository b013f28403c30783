#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# SIGTERM ends nbdkit while a request waits for a server that is stopped.
source "${0%/*}/functions.sh"
requires nbdsh --version
start_volume 4M
start_nbdkit -v qbd volume=demo/disk
cleanup_fn kill -s CONT "$server_pid"
nbdsh -u "$uri" -c - <<END &
import os, signal
h.pread (4096, 0)
os.kill ($server_pid, signal.SIGSTOP)
try:
    h.pread (4096, 8192)
except nbd.Error as e:
    print (e)
END
client=$!
wait_for_line "$nbdkit_log" 'pread count=4096 offset=8192'
patience=20 stop_nbdkit
wait $client
