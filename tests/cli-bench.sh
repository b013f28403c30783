#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# qbd bench measures what it says, and does not write over data by accident.
source "${0%/*}/functions.sh"
requires jq --version
requires nbdsh --version
requires script --version

start_volume 4M
start_nbdkit qbd demo/disk
qemu_io "$uri" 'write -P 7 0 4M' flush
stop_nbdkit

ops ()                          # finished, by the server's own count
{
    curl -sS --unix-socket "$QBD_CONTROL" http://qbd/metrics |
        sed -n "s/^qbd_operations_total{.*operation=\"$1\"} //p"
}

# Reads, as many as the server counts; the volume stays as it is.
before=$(ops read)
qbd bench demo/disk --seconds 1 --json >"$tmp/read.json"
jq -e '.io_type == "read" and .io_pattern == "rand" and .depth == 16 and
    .io_size_bytes == 4096 and .seconds >= 1 and .write == null and
    (.read | .operations > 100 and .iops > 100 and
     (.latency_us | .min <= .percentiles["50"] and
      .percentiles["50"] <= .percentiles["99.9"] and
      .percentiles["99.9"] <= .max and .mean <= .max and .min <= .mean))' \
   "$tmp/read.json"
test $(($(ops read) - before)) = "$(jq .read.operations "$tmp/read.json")"
expect_error 'destroys what is in the volume: say --overwrite' \
             qbd bench demo/disk --io-type write
expect_error '^qbd: option: --fua: is for writes: say --io-type write or mix$' \
             qbd bench demo/disk --fua
qbd export demo/disk - | cmp - <(head -c 4M /dev/zero | tr '\0' '\7')
# Sequential requests cover the volume, in order and again.
qbd bench demo/disk --seconds 1 --io-pattern seq --io-size 1M --depth 3 |
    grep -E '^demo/disk: read, seq, 1M, depth 3, queues 1, [0-9.]+ s$'

# On a terminal it says how it goes.
script -qec "qbd bench demo/disk --seconds 2" /dev/null >"$tmp/shown"
grep -aE '[0-9]+ of 2 s  [1-9][0-9]* IOPS  [0-9.]+[KMG]/s' "$tmp/shown"
script -qec "qbd bench demo/disk --seconds 1 --quiet" /dev/null >"$tmp/shown"
! grep -a ' of 1 s ' "$tmp/shown" || fail "it is not quiet"

# Writes; a depth beyond what the server grants, over several queues.
qbd bench demo/disk --seconds 1 --io-type mix --read-percent 50 --overwrite \
    --depth 500 --queues 2 --json >"$tmp/mix.json"
jq -e '(.read.operations / .write.operations) | . > 0.5 and . < 2' \
   "$tmp/mix.json"
qbd bench demo/disk --seconds 1 --io-type write --overwrite --fua >"$tmp/text"
grep -E '^write +[0-9]+ IOPS, [0-9.]+ MiB/s, latency in us: mean' "$tmp/text"
# All of it was written over, with different bytes.
qbd export demo/disk "$tmp/copy"
test "$(tr -d '\7' <"$tmp/copy" | wc -c)" -gt 4000000

# Ctrl-C ends it, with a result.
# (What runs in the background would ignore it.)
before=$(ops read)
env --default-signal=INT \
    qbd bench demo/disk --seconds 1000 --json >"$tmp/short.json" &
bench=$!
cleanup_fn sh -c "kill $bench 2>/dev/null || :"
until test "$(ops read)" -gt "$before"; do
    kill -0 $bench              # it has not ended
done
kill -INT $bench
wait $bench
jq -e '.seconds < 1000' "$tmp/short.json"

# Not under the feet of a host; nor with a size that does not fit.
start_nbdkit qbd demo/disk
coproc nbdsh -u "$uri" -c '
import sys
h.pread (512, 0)
print ("there", flush=True)
sys.stdin.readline ()' 2>"$tmp/nbdsh.log"
read -r -t "$patience" answer <&"${COPROC[0]}"
test "$answer" = there
expect_error '^qbd: bench: demo/disk: hosts are attached: 1' \
             qbd bench demo/disk --io-type write --overwrite
expect_error '^qbd: bench: demo/disk: --io-size: is no multiple of the block' \
             qbd bench demo/disk --io-size 1000
expect_error '^qbd: bench: demo/disk: --io-size: is larger than the volume$' \
             qbd bench demo/disk --io-size 8M
expect_error '^qbd: option: --io-type: reed: unknown, did you mean read\?$' \
             qbd bench demo/disk --io-type reed
expect_error '^qbd: option: --depth: 0: must be a number from 1 to 4096$' \
             qbd bench demo/disk --depth 0
expect_error '^qbd: bench: demo/none: no such volume$' qbd bench demo/none
