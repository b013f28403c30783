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
start_configured_server "$tmp/server.conf"
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
logged ': listen: volumes without a list of hosts .* are for those that come in on'
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

# What is another process's changes nothing, whatever of ours goes meanwhile:
# not the pools, and no listener is closed for it.
theirs ()                       # HOST PORT: sets $their_port
{
    local file
    file=$(mktemp "$tmp/port.XXXXXX")
    python3 - "$1" "$2" "$file" <<'EOP' &
import socket, sys, signal
s = socket.socket ()
s.bind ((sys.argv[1], int (sys.argv[2])))
s.listen ()
u = socket.socket (socket.AF_UNIX)
u.bind (sys.argv[3] + ".sock")
u.listen ()
open (sys.argv[3], "w").write (str (s.getsockname ()[1]) + "\n")
signal.pause ()
EOP
    cleanup_fn kill $!
    wait_for_line "$file" '^[0-9]+$'
    their_port=$(cat "$file") their_socket=$file.sock
}
is_as_before ()
{
    logged ': error: listen: .*: (Address already in use|another process).*; reload: nothing is changed$'
    logged ': reload: .*log level' && fail "success is told, too"
    listeners_are "tcp://127.0.0.1:$port"
    qbd pools --json | jq -e '[.pools[].name] == ["mem"]'
    qbd info mem/disk
    qbd discover "tcp://127.0.0.1:$port"
}
more_pools ()                   # one comes, and another goes
{
    sed -i 's/^\[pool mem\]/[pool more]/' "$tmp/server.conf"
}
theirs 127.0.0.1 0
for address in "tcp://127.0.0.1:$their_port" "unix://$their_socket"; do
    configure "$address"
    more_pools
    reload
    is_as_before
    logged ': closed$' && fail "something was closed"
done

# Only when ours is out of the way it shows that there is another one.
theirs 127.0.0.3 "$port"
start_nbdkit qbd mem/disk server="tcp://127.0.0.1:$port"
configure "$a" "tcp://0.0.0.0:$port"
more_pools
reload
is_as_before
test ! -e "$tmp/a.sock"
nbdsh -u "$uri" -c 'assert h.pread (512, 0) == b"y" * 512'

# What was closed for it, and opened again, is the path that it was, for those
# who came by it before, and after.
is_inaccessible ()              # to those who came before, at $before
{
    must_fail nbdsh -u "$before" -c 'h.pread (512, 0)'
    start_nbdkit qbd mem/disk server="tcp://127.0.0.1:$port"
    must_fail nbdsh -u "$uri" -c 'h.pread (512, 0)'
    stop_nbdkit
}
before=$uri
configure "tcp://127.0.0.1:$port?ana=inaccessible"
reload
is_inaccessible
configure "tcp://0.0.0.0:$port?ana=non-optimized"
more_pools
reload
is_as_before
is_inaccessible
configure "tcp://127.0.0.1:$port"
reload
nbdsh -u "$before" -c 'assert h.pread (512, 0) == b"y" * 512'
stop_server
