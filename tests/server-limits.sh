#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Limits: what is past them is refused with a line of log that names the limit,
# an NVMe status where there is a Connect, and a count in /metrics; SIGHUP
# changes them.
source "${0%/*}/functions.sh"
requires python3 --version
requires curl --version

says ()
{
    local line=$1
    shift
    expect_error "^qbd-server: error: $line\$" qbd-server "$@" --pool a=ram:
}
says 'limit: connections: must be NAME=N, like connections=1000' \
     --limit connections
says 'limit: conections: unknown, did you mean connections\?' \
     --limit conections=7
says 'limit: io_queues: 65: must be a number from 1 to 64' \
     --limit io_queues=65
says 'limit: io_queues: given twice' --limit io_queues=1 --limit io_queues=2
printf '%s\n' '[limits]' 'stall_ms = 7' >"$tmp/bad.conf"
says "config: $tmp/bad.conf:2: limit: stall_ms: 7: must be a number from 100 to 600000" \
     -c "$tmp/bad.conf"

configure ()                    # with these limits
{
    printf '%s\n' '[limits]' "$@" '[pool demo]' 'url = ram:' \
           >"$tmp/server.conf"
}
reached ()                      # how often, by /metrics
{
    curl -sS --unix-socket "$QBD_CONTROL" http://qbd/metrics |
        sed -n "s/^qbd_limit_reached_total{limit=\"$1\"} //p"
}

configure 'connections_per_host = 3' 'io_queues = 2' 'handshake_ms = 1000' \
          'handshakes_per_address = 2' 'queue_size = 16'
start_server -c "$tmp/server.conf" --listen tcp://127.0.0.1:0 \
             --limit connections=4
qbd create demo/a 1M
qbd create demo/b 1M
address=$(tcp_address)
export QBD_SERVER=$address

# A host has two I/O queues and no more: one volume takes all that it may.
start_nbdkit qbd demo/a nr_io_queues=8
coproc nbdsh -u "$uri" -c '
import sys
h.pread (512, 0)
print ("there", flush=True)
sys.stdin.read ()'
read -r -t "$patience" answer <&"${COPROC[0]}"
test "$answer" = there
test "$(qbd info --json demo/a | jq '.hosts[0].io_queues')" = 2
expect_error 'the server is busy, or a limit of it is reached' \
             qbd bench demo/b --seconds 1
wait_for_line "$server_log" \
    ': warning: tcp://127.0.0.1:[0-9]+: host nqn.*: refused: limit connections_per_host is 3$'
test "$(reached connections_per_host)" -ge 1
test "$(reached connections)" = 0

# SIGHUP changes limits, but for those of the command line.
configure 'connections_per_host = 100' 'handshake_ms = 1000' \
          'handshakes_per_address = 2'
kill -s HUP "$server_pid"
wait_for_line "$server_log" ': reload: .*/server.conf: log level info$'
expect_error 'the server is busy, or a limit of it is reached' \
             qbd bench demo/b --seconds 1
wait_for_line "$server_log" ': host nqn.*: refused: limit connections is 4'
test "$(reached connections)" -ge 1
# Whoever leaves makes room.
end_coproc
stop_nbdkit
qbd bench demo/b --seconds 1

# Who has no keep-alive and nothing to do is ended, and comes again.
configure 'idle_ms = 1000' 'handshake_ms = 1000' 'handshakes_per_address = 2'
kill -s HUP "$server_pid"
wait_for_line "$server_log" ': reload: .*/server.conf: log level info$'
start_nbdkit qbd demo/b keep_alive_tmo=0
coproc nbdsh -u "$uri" -c '
import sys
h.pwrite (b"x" * 512, 0)
print ("there", flush=True)
sys.stdin.readline ()
assert h.pread (512, 0) == b"x" * 512'
read -r -t "$patience" answer <&"${COPROC[0]}"
test "$answer" = there
wait_for_line "$server_log" \
    ': tcp://127.0.0.1:[0-9]+: was idle without keep-alive: limit idle_ms is 1000$'
test "$(reached idle_ms)" -ge 1
end_coproc
stop_nbdkit

# Who does not name himself: the oldest of an address goes when it has too
# many, and the others when their time is over.
timeout "$patience" python3 - "${address##*:}" <<'EOP'
import socket, sys
port = int (sys.argv[1])
def connect (n):
    s = socket.socket ()
    s.bind (("127.0.0.%d" % n, 0))
    s.connect (("127.0.0.1", port))
    # The answer to ICReq says that its reactor knows it.
    s.sendall (bytes ([0, 0, 128, 0, 128]) + bytes (123))
    assert s.recv (128, socket.MSG_WAITALL)[0] == 1
    return s
other = connect (2)
first, second, third = (connect (3) for _ in range (3))
assert first.recv (1) == b""
for s in (second, third, other):
    s.setblocking (False)
    try:
        assert s.recv (1) != b"", "this one should stay"
    except BlockingIOError:
        pass
    s.setblocking (True)
for s in (second, third, other):
    assert s.recv (1) == b""
EOP
wait_for_line "$server_log" \
    ': tcp://127.0.0.3:[0-9]+: no Connect yet: closed for a newer one: limit handshakes_per_address is 2$'
wait_for_line "$server_log" ': no Connect: closed: limit handshake_ms is 1000'
test "$(reached handshakes_per_address)" = 1
test "$(reached handshake_ms)" = 3
