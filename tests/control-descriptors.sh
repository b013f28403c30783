#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A server that is out of descriptors says so, once; who connects to its control
# socket waits until there are some.
source "${0%/*}/functions.sh"
requires prlimit --version

start_server --pool mem=ram:
prlimit --pid "$server_pid" --nofile=3:
qbd status &
client=$!
wait_for_line "$server_log" 'accept: .*/control: .*; raise the limit on open'
prlimit --pid "$server_pid" --nofile=1024:
wait $client
qbd status
test "$(grep -c accept: "$server_log")" = 1
stop_server
