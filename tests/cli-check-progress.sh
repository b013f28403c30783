#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A check that takes long shows on a terminal how far it is, while the server
# answers others.
source "${0%/*}/functions.sh"
# LeakSanitizer cannot look at a process that is traced.
export ASAN_OPTIONS="$ASAN_OPTIONS:detect_leaks=0"
requires script --version
requires jq --version
delay='-e trace=getdents64 -e inject=getdents64:delay_enter=1500000'
requires strace -f $delay -o /dev/null true

mkdir "$tmp/pool"
start_server --pool demo="file:$tmp/pool"
for i in $(seq 8); do
    qbd create demo/disk$i 1M
done
# No check: no progress; a short one: none either.
qbd --control "$QBD_CONTROL" check demo
curl -s --unix-socket "$QBD_CONTROL" http://qbd/v1/check/demo |
    jq -e '. == {pool: "demo", running: false, done: 0, total: 0}'
script -qec "qbd check demo" /dev/null >"$tmp/short"
test ! -s "$tmp/short"

# To read the directory takes three seconds.
mkfifo "$tmp/attached"
strace -f -o /dev/null -p "$server_pid" $delay 2>"$tmp/attached" &
tracer=$!
_pids+=("$tracer strace")
exec 8<"$tmp/attached"
timeout "$patience" grep -q attached <&8 || fail "strace did not attach"
cat <&8 >/dev/null &
exec 8<&-
script -qefc "qbd check demo" /dev/null >"$tmp/shown" &
checker=$!
# It has no end of line.
while read -r -d $'\r' -t "$patience" part <&7; do
    [[ ! $part =~ 'check: demo: 8 of 16' ]] || break
done 7< <(exec timeout "$patience" tail -n +1 -s 0.1 -f "$tmp/shown")
[[ $part =~ ' of 16' ]]
# It is the pool that waits, not the server.
qbd status
curl -s --unix-socket "$QBD_CONTROL" http://qbd/v1/check/demo |
    jq -e '.running and .total == 16'
wait $checker
kill $tracer
wait $tracer || :
_pids=("$server_pid qbd-server")
script -qec "qbd check demo --quiet" /dev/null >"$tmp/quiet"
test ! -s "$tmp/quiet"
qbd check demo 2>&1 | cmp - /dev/null   # no terminal
