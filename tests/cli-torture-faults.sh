#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# qbd torture's connections that are cut, delayed and arrive late: qbd-server
# and qemu-nbd stand them.  Where a client sends again what a lost connection
# left, NBD's servers cannot know that the first of the two came last.
source "${0%/*}/functions.sh"
source "${0%/*}/torture.sh"
requires qemu-nbd --version

start_volume 8M
torture "$QBD_SERVER" demo/disk --seed 9 --seconds 2 --json >"$tmp/report"
jq -e '.violated == false and .faults.duplicate > 0 and .requests.read > 100
       and .requests.trim > 0 and .requests.unknown == 0 and .requests.failed == 0
       and .protocol == "NVMe/TCP" and .findings == []' "$tmp/report"
start_nbdkit qbd demo/disk
# What somebody else writes meanwhile is found over NVMe, too: old data.
cat >"$tmp/behind" <<EOT
import os.path
if os.path.exists ('$tmp/old'):
    h.pwrite (open ('$tmp/old', 'rb').read (), 0)
else:
    open ('$tmp/old', 'wb').write (h.pread (32768, 0))
EOT
behind="PATH=/usr/bin nbdsh -u '$uri' -c - <$tmp/behind"
violates 'stale write' "$QBD_SERVER" demo/disk --seed 9 --seconds 2 \
         --faults none --restart-command "$behind"
jq -e '.findings | any (.history | any (.event == "restart"))' "$tmp/report"
torture "$uri" --seed 10 --seconds 1 --faults delay
stop_nbdkit
truncate -s 8M "$tmp/disk"
qemu-nbd -f raw -t -e 0 -k "$tmp/qemu.sock" "$tmp/disk" --fork \
         --pid-file "$tmp/qemu.pid"
cleanup_fn sh -c "kill \$(cat $tmp/qemu.pid)"
torture "nbd+unix:///?socket=$tmp/qemu.sock" --seed 11 --seconds 1

start_nbdkit "$broken"
torture "$uri" --seed 8 --seconds 1 --faults duplicate
violates 'stale write' "$uri" --seed 8 --seconds 3 --faults duplicate --resend

expect_error 'demo/none: no such volume' \
             qbd torture "$QBD_SERVER" demo/none --overwrite
