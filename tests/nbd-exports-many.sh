#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# One client after the other asks for one volume after the other: the last few
# stay attached, the others are let go.
source "${0%/*}/functions.sh"

start_server --pool p=ram:
for i in {01..12}; do qbd create p/v$i 1M; done
start_nbdkit qbd
test "$(nbdinfo --list --json "$uri" | jq '.exports | length')" = 12
attached () { qbd ls --json | jq '[.volumes[].attached] | add'; }
for round in 1 2; do
    for i in {01..12}; do
        nbdinfo --size "nbd+unix:///p/v$i?socket=$socket"
    done
done
# A connection that ends is closed, and its volume let go, a moment later.
export -f attached
timeout "$patience" bash -c 'until test "$(attached)" -le 4; do :; done'
test "$(attached)" -ge 1
stop_nbdkit
timeout "$patience" bash -c 'until test "$(attached)" = 0; do :; done'
