#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The server dies under a client and does not come back: requests fail in
# bounded time, and nbdkit lives on to be stopped in good order.
source "${0%/*}/functions.sh"
requires nbdsh --version
start_volume 4M
start_nbdkit qbd volume=demo/disk ctrl_loss_tmo=2
nbdsh -u "$uri" -c - <<END
import os, signal
h.pwrite (bytes (4096), 0)
os.kill ($server_pid, signal.SIGKILL)
for _ in range (3):
    try:
        h.pread (4096, 0)
        raise SystemExit ("read without a server")
    except nbd.Error as e:
        assert e.errno == "EIO", e
END
kill_server
stop_nbdkit
