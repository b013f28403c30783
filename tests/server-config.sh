#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The configuration file says what the command line can; the command line
# goes first.
source "${0%/*}/functions.sh"
requires jq --version

mkdir "$tmp/pool"
cat >"$tmp/server.conf" <<EOF
# comment
[server]
listen = unix://$tmp/a.sock
listen = tcp://127.0.0.1:0    ; any port
control = $tmp/not-this-one
reactors = 3

[pool demo]
url = file:$tmp/pool
[pool mem]
url = ram:
EOF

start_server --listen "unix://$tmp/b.sock" -c "$tmp/server.conf"
test ! -e "$tmp/not-this-one"
qbd status --json | jq -e --arg b "unix://$tmp/b.sock" '
    .reactors == 3 and [.pools[].name] == ["demo", "mem"] and
    .listeners == [{address: $b, ana: "optimized"}]'
stop_server

# Without options, all is the file's; QBD_CONTROL goes before it.
QBD_CONTROL="$tmp/env/control" qbd-server -c "$tmp/server.conf" \
    </dev/null 2>"$tmp/conf.log" &
pid=$!
cleanup_fn kill "$pid"
grep -q ': ready$' < <(timeout "$patience" tail -n +1 -s 0.1 -f --pid="$pid" \
                           "$tmp/conf.log")
# The directory was made.
qbd --control "$tmp/env/control" status --json |
    jq -e '.listeners | length == 2 and
           (.[1].address | test ("^tcp://127.0.0.1:[1-9][0-9]*$"))'
kill "$pid"
wait "$pid"

echo '[server]
lisen = x' >"$tmp/wrong.conf"
expect_error "^qbd-server: error: config: $tmp/wrong.conf:2: \[server\]: key: lisen: unknown, did you mean listen\?$" \
             qbd-server -c "$tmp/wrong.conf"
expect_error "^qbd-server: error: config: $tmp/none: No such file or directory$" \
             qbd-server -c "$tmp/none"
