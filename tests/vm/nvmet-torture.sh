#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# qbd torture and the kernel's NVMe target, which knows no barrier: libqbd waits
# until its old controller must have ended.  It has a cache and tells nobody
# when that was lost, so that flushes fail once a connection was lost with
# something in it; nothing else does.
source "${0%/*}/functions.sh"
source "${0%/*}/nvmet.sh"
nqn=nqn.2014-08.org.example:target

truncate -s 64M "$tmp/disk"
start_target "$nqn" "$tmp/disk"
qbd torture "$QBD_SERVER" "$nqn" --overwrite --quiet --seed 7 \
    --seconds "${QBD_TORTURE_SECONDS:-30}" --json >"$tmp/report" ||
    { cat "$tmp/report"; fail "qbd torture ended with $?"; }
jq -cM "del (.findings)" "$tmp/report"
jq -e '.violated == false and .requests.read > 100 and .requests.write > 100 and
       .requests.unknown == 0 and .faults.cut + .faults.duplicate > 1' \
   "$tmp/report"
