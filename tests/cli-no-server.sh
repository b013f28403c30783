#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# qbd without a server behind the socket says so, and waits for none that does
# not answer.
source "${0%/*}/functions.sh"

export QBD_CONTROL="$tmp/control"
expect_error "^qbd: connect: $tmp/control: No such file or directory \(is qbd-server running\?\)$" \
             qbd status
expect_error "^qbd: connect: $tmp/other: No such file" \
             qbd --control "$tmp/other" ls

# A dead server's socket.
start_server --pool mem=ram:
kill_server
test -S "$tmp/control"
expect_error "^qbd: connect: $tmp/control: Connection refused \(is qbd-server running\?\)$" \
             qbd status

# One that is frozen.  All at once, for each takes its time.
start_server --pool mem=ram:
kill -s STOP "$server_pid"
cleanup_fn eval 'kill -CONT "$server_pid" 2>/dev/null || :'
waiting=()
for line in status ls 'info mem/a' pools 'create mem/a 1M' 'rm mem/a' \
            'check mem' 'host ls mem/a' 'export mem/a -'; do
    expect_error "^qbd: connect: $QBD_CONTROL: the server does not answer(, and may still do what it was asked for)?: see its log" \
                 qbd $line &
    waiting+=($!)
done
for pid in "${waiting[@]}"; do
    wait "$pid" || frozen=failed
done
kill -s CONT "$server_pid"
test -z "${frozen-}"
stop_server

# A file that is no socket, and a path that no socket can have.
: >"$tmp/file"
expect_error "^qbd: connect: $tmp/file: Connection refused" \
             qbd status --control "$tmp/file"
expect_error '^qbd: control: /x+: a socket.s path has at most 107 bytes' \
             qbd status --control "/$(printf '%0120d' 0 | tr 0 x)"

# Something else that listens.
requires command -v nbdkit
start_nbdkit null
expect_error "^qbd: connect: $socket: this is not qbd-server: its answer is no HTTP$" \
             qbd status --control "$socket"
