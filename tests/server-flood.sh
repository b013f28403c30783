#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Thousands of connections that never get to a Connect: another host is served
# meanwhile and comes in anew, and no more of them stay than the limits say.
#
# With QBD_FLOOD=N (dev/check: 10,000) it is measured that N of them leave the
# latency of another host within twice what it is without them, when all may
# stay and when they press against the limits.  Rounds with and without them
# alternate, and the medians count: what else the machine does disturbs both.
source "${0%/*}/functions.sh"
requires not_sanitized
requires jq --version
requires curl --version
connections=${QBD_FLOOD-2000}
rounds=5
test "$(ulimit -Hn)" -gt $((connections + 500)) ||
    connections=$(($(ulimit -Hn) - 500))

# reads, at depth 1: mean and p99 in microseconds, to $1
measure ()
{
    qbd bench demo/disk --depth 1 --seconds 1 --json |
        jq -r '.read.latency_us | "\(.mean) \(.percentiles["99"])"' >>"$1"
}
medians ()                      # of both columns
{
    for column in 1 2; do
        awk "{ print \$$column }" "$1" | sort -n |
            sed -n "$(((rounds + 1) / 2))p"
    done
}
flood ()                        # with these arguments, in the background
{
    coproc "$QBD_BUILDDIR/tests/flood" "$port" "$@"
    read -r -t "$patience" answer <&"${COPROC[0]}"
    test "$answer" = there
}
end_flood ()
{
    local in=${COPROC[1]} pid=$COPROC_PID
    exec {in}>&-
    read -r -t "$patience" answer <&"${COPROC[0]}" || :
    wait "$pid"
    echo "$answer"
}
# The flood of these arguments does not hurt.
compare ()
{
    local round
    rm -f "$tmp/quiet" "$tmp/flood"
    for ((round = 0; round < rounds; round++)); do
        measure "$tmp/quiet"
        flood "$@"
        measure "$tmp/flood"
        qbd status >/dev/null
        end_flood
    done
    paste "$tmp/quiet" "$tmp/flood"
    set -- "$*" $(medians "$tmp/quiet") $(medians "$tmp/flood")
    echo "flood $1: mean $2, p99 $3 us without it, mean $4, p99 $5 us with it"
    awk "BEGIN { exit !($4 < 2 * $2 && $5 < 2 * $3) }" ||
        fail "flood $1: more than twice the latency"
}

serve ()                        # with these arguments
{
    start_server --pool demo=ram: --listen tcp://127.0.0.1:0 "$@"
    qbd create demo/disk 64M
    port=$(tcp_address)
    port=${port##*:}
}

if test -n "$QBD_FLOOD"; then
    serve --limit handshakes=100000 --limit handshakes_per_address=100000 \
          --limit handshake_ms=600000
    compare "$connections" 64 50000
    echo "$answer"
    test "$answer" = "open $connections ended 0"
    stop_server
fi

# More than there may be, and more than one address may have.
serve --limit handshakes=$((connections / 4)) \
      --limit handshakes_per_address=$((connections / 24))
if test -n "$QBD_FLOOD"; then
    compare "$connections" 8 2000 drop
fi
flood "$connections" 8 20000 drop
qbd bench demo/disk --depth 1 --seconds 1 --json | jq -e '.read.operations > 0'
# Those that are being closed for newer ones count, too, for a moment.
for ((try = 0; try < 100; try++)); do
    sockets=$(curl -sS --unix-socket "$QBD_CONTROL" http://qbd/metrics |
                  sed -n 's/^qbd_connections //p')
    echo "$sockets connections"
    test "$sockets" -gt $((connections / 4 + 50)) || break
done
end_flood
test "$sockets" -le $((connections / 4 + 50)) ||
    fail "$sockets connections: more than the limit"
curl -sS --unix-socket "$QBD_CONTROL" http://qbd/metrics |
    grep -E '^qbd_limit_reached_total.*"handshakes_per_address"} [1-9]'
# A flood of connections is none of the log.
lines=$(wc -l <"$server_log")
echo "$lines lines of log"
test "$lines" -lt $((connections / 4))
