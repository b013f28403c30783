#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# SIGHUP opens and closes listeners; connections through one that is closed
# live on.
source "${0%/*}/functions.sh"
requires jq --version
requires ss --version

configure ()                    # ADDRESS...
{
    printf 'listen = %s\n' "$@" |
        sed '1i [server]' >"$tmp/server.conf"
    printf '%s\n' '[pool mem]' 'url = ram:' >>"$tmp/server.conf"
}
reload ()                       # until it is over
{
    since=$(wc -l <"$server_log")
    kill -s HUP "$server_pid"
    grep -Eq ': reload: .*log level|nothing is changed$' \
         < <(timeout "$patience" tail -n +$((since + 1)) -s 0.1 -f \
                     "$server_log") || fail "no reload"
}
logged ()
{
    tail -n +$((since + 1)) "$server_log" | grep -E -- "$1"
}
listeners_are ()
{
    qbd status --json |
        jq -e '[.listeners[].address] == $ARGS.positional' --args "$@"
}

a=unix://$tmp/a.sock b=unix://$tmp/b.sock any=tcp://127.0.0.1:0
configure "$a" "$any"
# start_server would say --listen, which goes before the file.
export QBD_CONTROL=$tmp/control
server_log=$tmp/server.log
qbd-server --control "$QBD_CONTROL" -c "$tmp/server.conf" </dev/null \
           2>"$server_log" &
server_pid=$!
_pids+=("$server_pid qbd-server")
wait_for_line "$server_log" ': ready$'
tcp=$(tcp_address)
listeners_are "$a" "$tcp"
qbd create mem/disk 1M
start_nbdkit qbd mem/disk server="$a"
nbdsh -u "$uri" -c 'h.pwrite (b"x" * 512, 0)'

# One goes and one comes; the others stay, and so does who came by them.
configure "$b" "$any"
reload
logged ": listen: $a: closed\$"
logged ": listen: $b\$"
listeners_are "$tcp" "$b"
test ! -e "$tmp/a.sock"
nbdsh -u "$uri" -c 'assert h.pread (512, 0) == b"x" * 512'
stop_nbdkit
start_nbdkit qbd mem/disk server="$b"
nbdsh -u "$uri" -c 'assert h.pread (512, 0) == b"x" * 512'
stop_nbdkit

# From this machine alone to all addresses of the same port, and back.
port=${tcp##*:}
configure "tcp://127.0.0.1:$port"
reload                          # another listener has the port still
logged ": listen: $tcp: closed\$"
listeners_are "tcp://127.0.0.1:$port"
start_nbdkit qbd mem/disk server="tcp://127.0.0.1:$port"
nbdsh -u "$uri" -c 'h.pwrite (b"y" * 512, 0)'
configure "tcp://0.0.0.0:$port"
reload
listeners_are "tcp://0.0.0.0:$port"
logged ': listen: volumes without a list of hosts .* are for this machine only'
sed -i 's/^\[server\]/&\nallow_any_host = yes/' "$tmp/server.conf"
reload
logged ': listen: volumes without' && fail "any host is allowed"
nbdsh -u "$uri" -c 'assert h.pread (512, 0) == b"y" * 512'
stop_nbdkit
start_nbdkit qbd mem/disk server="tcp://127.0.0.2:$port"
stop_nbdkit
configure "tcp://127.0.0.1:$port"
reload
listeners_are "tcp://127.0.0.1:$port"

# What cannot be bound changes nothing, not even what could.
configure "$a" unix:///nonexistent/qbd.sock
reload
logged ': error: listen: unix:///nonexistent/qbd.sock: No such file .*; reload: nothing is changed$'
listeners_are "tcp://127.0.0.1:$port"
test ! -e "$tmp/a.sock"

# What is another process's, when it had to wait for one of ours to go.
python3 - "$tmp/port" <<'EOP' &
import socket, sys, signal
s = socket.socket ()
s.bind (("127.0.0.1", 0))
s.listen ()
open (sys.argv[1], "w").write (str (s.getsockname ()[1]) + "\n")
signal.pause ()
EOP
cleanup_fn kill $!
wait_for_line "$tmp/port" '^[0-9]+$'
configure "tcp://127.0.0.1:$(cat "$tmp/port")"
reload
logged ': error: listen: .*: Address already in use'
listeners_are "tcp://127.0.0.1:$port"
qbd discover "tcp://127.0.0.1:$port"
stop_server
