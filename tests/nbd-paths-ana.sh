#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Two listeners of a server, whose ANA states change under load: an optimized
# path is taken, else one that is not, and none that is inaccessible; while all
# of them are, requests wait.
source "${0%/*}/functions.sh"
source "${0%/*}/paths.sh"
requires nbdsh --version
requires jq --version
requires curl --version

configure ()                    # the states of a and of b
{
    cat >"$tmp/server.conf" <<END
[server]
listen = unix://$tmp/server-a?ana=$1
listen = unix://$tmp/server-b?ana=$2
[pool demo]
url = ram:
END
}
change ()                       # to these, and until the server has
{
    local since
    since=$(wc -l <"$server_log")
    configure "$@"
    kill -s HUP "$server_pid"
    grep -q ': reload: .*log level' \
         < <(timeout "$patience" tail -n +$((since + 1)) -s 0.1 -f \
                     "$server_log") || fail "no reload"
}
goes_over ()                    # the load, and hardly by the other one
{
    local to=$1 other=$2 a=0 b=0
    until test $a -gt $((20 * b)); do
        a=$(carried "$to") b=$(carried "$other")
        load_goes_on
        a=$(($(carried "$to") - a)) b=$(($(carried "$other") - b))
    done
}

configure optimized non-optimized
start_configured_server "$tmp/server.conf"
qbd create demo/disk 64M
server_uri=unix://$tmp/server-a start_path a
server_uri=unix://$tmp/server-b start_path b
start_nbdkit -t 8 qbd demo/disk "server=unix://$tmp/b" "server=unix://$tmp/a" \
             control="$tmp/nbdkit.control"
start_load
goes_over a b
change inaccessible non-optimized
goes_over b a
change optimized non-optimized
goes_over a b
change inaccessible inaccessible
test "$(qbd status | grep -c '^listener .*(inaccessible)$')" -eq 2
expect_error 'listens nowhere, or is inaccessible' \
             qbd export demo/disk "$tmp/image"
# Who waits is listed, and the log says it once.
wait_for_line "$nbdkit_log" 'disk: requests wait: it is accessible over none'
qbd inflight --control "$tmp/nbdkit.control" --json >"$tmp/list"
jq -e '[.requests[] | select (.stage == "path" and .volume == "demo/disk" and
                              .length_bytes == 8192 and .age_ms >= 900)]
       | length == 4' "$tmp/list"
change optimized optimized
load_goes_on
wait_for_line "$nbdkit_log" 'disk: requests go on after [0-9]*\.[0-9] s'
test "$(grep -c ': requests wait: ' "$nbdkit_log")" = 1
stop_load 10000
stop_nbdkit
expect_error 'listen: ana: non-optimised: unknown, did you mean non-optimized' \
             qbd-server --pool m=ram: \
             --listen "unix://$tmp/c?ana=non-optimised"
