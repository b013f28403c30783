#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The service manager is told when the server is ready, reloads and stops;
# SIGHUP reads the configuration file again: what can change does, for the
# rest a line says that it takes a restart.  Pools and listeners have tests of
# their own.
source "${0%/*}/functions.sh"
requires python3 --version
requires jq --version

cat >"$tmp/manager.py" <<'EOP'
# Prints each datagram that comes to the socket, on one line.
import socket, sys
s = socket.socket (socket.AF_UNIX, socket.SOCK_DGRAM)
path = sys.argv[1]
s.bind ("\0" + path[1:] if path[0] == "@" else path)
print ("listening", flush=True)
while True:
    text = s.recv (4096).decode ()
    print (text.replace ("\n", " "), flush=True)
    if text == "STOPPING=1":
        break
sys.stdin.readline ()           # bash closes the pipe when we end
EOP
expect ()                       # the next datagram
{
    read -r -t "$patience" answer <&"${COPROC[0]}"
    [[ $answer =~ ^$1$ ]] || fail "\"$answer\" came, not $1"
}
configure ()                    # with these lines in [server]
{
    printf '%s\n' '[server]' "$@" '[pool mem]' 'url = ram:' \
           >"$tmp/server.conf"
}

for address in "$tmp/notify" "@qbd-test-$$"; do
    coproc python3 "$tmp/manager.py" "$address"
    manager=$COPROC_PID
    expect listening
    configure 'log_level = info'
    export NOTIFY_SOCKET=$address
    start_server -c "$tmp/server.conf"
    unset NOTIFY_SOCKET
    expect READY=1
    qbd status
    qbd create mem/a 1M
    grep ': debug: control: ' "$server_log" && fail "this is not debug"

    # The level changes; more and the same volumes are there.
    configure 'log_level = debug'
    kill -s HUP "$server_pid"
    expect 'RELOADING=1 MONOTONIC_USEC=[0-9]+'
    expect READY=1
    wait_for_line "$server_log" ': reload: .*/server.conf: log level debug$'
    qbd info mem/a
    wait_for_line "$server_log" ': debug: control: GET /v1/volumes/mem/a: 200'

    # What takes a restart.
    configure 'log_level = info' 'reactors = 7' 'poll_us = 50'
    kill -s HUP "$server_pid"
    expect 'RELOADING=1 .*'
    expect READY=1
    wait_for_line "$server_log" \
                  ': warning: reload: poll_us: the change takes a restart$'
    wait_for_line "$server_log" \
                  ': warning: reload: reactors: the change takes a restart$'
    grep ': listen: .*: closed' "$server_log" && fail "no listener changed"
    qbd pools --json | jq -e '[.pools[].name] == ["mem"]'

    # A mistake changes nothing.
    configure 'log_level = loud'
    kill -s HUP "$server_pid"
    expect 'RELOADING=1 .*'
    expect READY=1
    wait_for_line "$server_log" \
                  ': error: config: .*/server.conf:2: \[server\]: log_level: loud: unknown; reload: nothing is changed$'
    qbd info mem/a

    # A file that nobody writes to is not waited for, nor does it keep the
    # server from stopping.
    rm "$tmp/server.conf"
    mkfifo "$tmp/server.conf"
    kill -s HUP "$server_pid"
    expect 'RELOADING=1 .*'
    expect READY=1
    wait_for_line "$server_log" \
                  ': error: config: .*/server.conf: is no regular file; reload: nothing is changed$'
    rm "$tmp/server.conf"
    stop_server
    expect STOPPING=1
    echo >&"${COPROC[1]}"
    wait "$manager"
done

# Without a file SIGHUP is the end of the terminal, and of the server.
start_server --pool mem=ram:
kill -s HUP "$server_pid"
wait_for_line "$server_log" ': stop: Hangup: ending connections$'
stop_server
# Nobody listens: that is a line in the log, and no reason to stop.
export NOTIFY_SOCKET=$tmp/nobody
start_server --pool mem=ram:
wait_for_line "$server_log" ': warning: notify: .*/nobody: '
qbd status
