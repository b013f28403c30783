#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What no NBD client asks for: NVMe Compare on an image, equal over the end of an
# object, different, and with what was never written; and a write to a snapshot,
# by a host that does not heed that it is read-only.
source "${0%/*}/functions.sh"
requires python3 --version
requires nbdsh --version
start_cluster
start_gateway --listen tcp://127.0.0.1:0
QBD_SERVER=$(tcp_address)
export QBD_SERVER
qbd create demo/disk 8M
nqn=$(qbd info --json demo/disk | jq -r .nqn)
compare=(python3 "$srcdir/tests/nvme-host.py" "$QBD_SERVER" compare "$nqn")
head -c 8192 /dev/urandom >"$tmp/data"
{ head -c 8191 "$tmp/data"; echo; } >"$tmp/other"
head -c 8192 /dev/zero >"$tmp/zeroes"

start_nbdkit qbd volume=demo/disk
nbdsh -u "$uri" -c "h.pwrite (open ('$tmp/data', 'rb').read (), 4096 * 1023)"
"${compare[@]}" 8184 "$tmp/data"        # over the end of an object
expect_error 'opcode 05h: status 285h' "${compare[@]}" 8184 "$tmp/other"
expect_error 'opcode 05h: status 285h' "${compare[@]}" 8192 "$tmp/data"
"${compare[@]}" 0 "$tmp/zeroes"
expect_error 'opcode 05h: status 285h' "${compare[@]}" 0 "$tmp/data"

rbd snap create rbd/disk@then
until_so qbd info demo/disk@then
write=(python3 "$srcdir/tests/nvme-host.py" "$QBD_SERVER" write)
snapshot=$(qbd info --json demo/disk@then | jq -r .nqn)
"${write[@]}" "$nqn" 8184 "$tmp/zeroes"
expect_error 'opcode 01h: status 20h' \
             "${write[@]}" "$snapshot" 8184 "$tmp/zeroes"
"${compare[@]}" 8184 "$tmp/zeroes"
python3 "$srcdir/tests/nvme-host.py" "$QBD_SERVER" compare "$snapshot" 8184 \
        "$tmp/data"
