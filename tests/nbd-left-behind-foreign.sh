#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A volume that was given up is attached anew, from a server that cannot be told
# to end the old controller.  What that may still have is waited out, by all
# who attach it meanwhile, when that takes longer than they would wait for a
# server, too; and once.  SIGTERM ends that.
source "${0%/*}/functions.sh"
source "${0%/*}/paths.sh"
requires nbdsh --version
requires python3 --version

start_volume 1M
give_up ()                      # ARG...: of nbdkit
{
    start_path proxy foreign yes
    start_nbdkit qbd demo/disk server="unix://$tmp/proxy" ctrl_loss_tmo=1 "$@"
    nbdsh -u "$uri" -c - <<END
import os, signal
h.pwrite (b"a" * 4096, 0)
os.kill (${_path_pid[proxy]}, signal.SIGKILL)
try:
    h.pwrite (b"b" * 4096, 0)
    raise SystemExit ("written over a path that was cut")
except nbd.Error as e:
    assert e.errno == "EIO", e
END
    start_path proxy foreign yes
}
attach ()                       # twice; sets $took_ms, of the slower one
{
    took_ms=$(nbdsh -c - <<END
import threading, time
took = []
def attach ():
    n = nbd.NBD ()
    n.connect_uri ("$uri")
    n.pwrite (b"c" * 4096, 0)
    took.append (time.monotonic () - begun)
    n.shutdown ()
begun = time.monotonic ()
threads = [threading.Thread (target=attach) for i in range (2)]
for t in threads: t.start ()
for t in threads: t.join ()
assert len (took) == 2, took
print (int (max (took) * 1000))
END
    )
}

give_up keep_alive_tmo=2 connect_tmo=2
attach
test "$took_ms" -ge 5900 || fail "attached after $took_ms ms"
attach
test "$took_ms" -lt 5900 || fail "attached after $took_ms ms, once more"
stop_nbdkit
cut_path proxy

# An hour, once the controller has told what it is, in two pages of 4 KiB.
give_up keep_alive_tmo=1200
must_fail nbdinfo "$uri" & client=$!
while test "$(carried proxy)" -lt 10000; do :; done
stop_nbdkit
wait $client
