#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A request that costs the connection each time it is sent: connecting again
# succeeds, and is no reason to wait for ever, nor to hurry.
source "${0%/*}/functions.sh"
source "${0%/*}/paths.sh"
requires nbdsh --version
requires python3 --version

start_volume 1M
start_path proxy limit 40000

start_nbdkit qbd volume=demo/disk server="unix://$tmp/proxy" \
             ctrl_loss_tmo=4
nbdsh -u "$uri" -c - <<'END'
h.pwrite (b"a" * 4096, 0)
try:
    h.pwrite (b"b" * 262144, 0)
    raise SystemExit ("written over a connection that takes no such write")
except nbd.Error as e:
    assert e.errno == "EIO", e
END
# Pauses grow: 0.1 s, 0.2 s, 0.4 s ...
made=$(grep -Ec 'controller [0-9]+ serves' "$server_log")
test "$made" -lt 20 || fail "$made connections were made"
