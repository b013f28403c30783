#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# RDMA connections that are refused, by either side and for each reason, limits
# among them, or never answered: errors that say why, and requests that wait
# while the refusal may end; never a hang.
source "${0%/*}/functions.sh"
source "${0%/*}/rdma.sh"

rdma_up
mkdir "$tmp/pool"
peer=$QBD_BUILDDIR/tests/vm/rdma-peer

# Private data of 32 bytes that begin with these 16-bit numbers.
data ()
{
    local number bytes=
    for number; do
        bytes+=$(printf '%02x%02x' $((number & 255)) $((number >> 8)))
    done
    printf '%s%0*d' "$bytes" $((64 - ${#bytes})) 0
}

# Our server's, for hosts whose private data are wrong: it says RECFMT 0, STS.
start_server --pool "demo=file:$tmp/pool" --allow-any-host \
             --listen rdma://$rdma_host:4420
qbd create demo/disk 16M
refuses ()
{
    test "$("$peer" connect $rdma_host 4420 "$2" "$(data "${@:3}")")" = \
         "rejected 0000$(printf '%02x' "$1")00"
}
accepts ()
{
    test "$("$peer" connect $rdma_host 4420 "$1" "$(data "${@:2}")")" = accepted
}
#      STS READs  RECFMT QID HRQSIZE HSQSIZE
accepts    1      0      0   32      31
refuses 2  1      1      0   32      31
refuses 4  1      0      0   64      63         # more than admin queues have
refuses 4  1      0      1   1024    1023
refuses 4  1      0      1   32      0
refuses 5  1      0      1   0       31
refuses 7  0      0      1   32      31
grep -q 'warning: rdma://.*: connection refused: ' "$server_log"
# A connection that is no more than that does not stay.
accepts 1 0 0 32 31
start_nbdkit qbd demo/disk server=rdma://$rdma_host
qemu_io "$uri" 'write -P 7 4k 4k' 'read -P 7 4k 4k'
stop_nbdkit
stop_server

# A server without memory to lock refuses; requests wait until it has some.
limited=(setpriv --bounding-set=-ipc_lock)
qbd-server ()
{
    exec "${limited[@]}" "$(type -P qbd-server)" "$@"
}
serve ()
{
    start_server --pool "demo=file:$tmp/pool" --allow-any-host \
                 --listen rdma://$rdma_host:4420
}
limit_memory ()
{
    prlimit --pid "$server_pid" --memlock="$1:unlimited"
}
serve
start_nbdkit qbd demo/disk server=rdma://$rdma_host reconnect_delay=1
start_writes
# It is not to come before the limit does.
cleanup_fn kill -s CONT "$nbdkit_pid"
kill -s STOP "$nbdkit_pid"
stop_server
serve
limit_memory 65536
kill -s CONT "$nbdkit_pid"
wait_for_line "$server_log" 'connection refused: no resources'
expect_error "connect: rdma://$rdma_host:4420: the server refused the connection: no resources" \
    nbdkit -U - qbd demo/disk server=rdma://$rdma_host --run true
limit_memory unlimited
writes_go_on
end_writes
stop_nbdkit
stop_server

# Limits: of connections that passed Connect, of all and of a host; and of
# those that did not, of which the oldest goes, and all when their time is over.
limited=()
configure ()
{
    printf '%s\n' '[limits]' "$@" '[pool demo]' "url = file:$tmp/pool" \
           >"$tmp/server.conf"
}
configure 'connections_per_host = 2'
start_server -c "$tmp/server.conf" --allow-any-host \
             --listen rdma://$rdma_host:4420
start_nbdkit qbd demo/disk server=rdma://$rdma_host
coproc nbdsh -u "$uri" -c 'print ("there", flush=True); input ()'
read -r -t "$patience" answer <&"${COPROC[0]}"
test "$answer" = there
too_many ()
{
    expect_error 'the server is busy, or a limit of it is reached' \
        nbdkit -U - qbd demo/disk server=rdma://$rdma_host --run true
    wait_for_line "$server_log" \
        ": warning: rdma://$rdma_host:[0-9]+: host nqn.*: refused: limit $1"
}
too_many 'connections_per_host is 2'
configure 'connections = 2' 'handshakes_per_address = 2' 'handshake_ms = 8000'
kill -s HUP "$server_pid"
wait_for_line "$server_log" ': reload: .*/server.conf: log level info$'
too_many 'connections is 2'
echo >&"${COPROC[1]}"
wait "$COPROC_PID"
stop_nbdkit
stay ()
{
    "$peer" stay $rdma_host 4420 1 "$(data 0 0 32 31)" >"$tmp/stay$1.log" &
    wait_for_line "$tmp/stay$1.log" '^accepted$'
}
stay 1
stay 2
stay 3
for n in 1 2 3; do
    wait_for_line "$tmp/stay$n.log" '^RDMA_CM_EVENT_DISCONNECTED$'
    test $n -ne 1 || must_fail grep 'no Connect: closed' "$server_log"
done
grep ': no Connect yet: closed for a newer one: limit handshakes_per_address is 2$' \
     "$server_log"
grep ': no Connect: closed: limit handshake_ms is 8000' "$server_log"
stop_server

# Servers that are none, for our client.
pretend ()
{
    "$peer" listen $rdma_host 4421 "$@" >"$tmp/peer.log" 2>&1 &
    peer_pid=$!
    cleanup_fn kill $peer_pid
    wait_for_line "$tmp/peer.log" '^listening'
}
client_says ()
{
    expect_error "connect: rdma://$rdma_host:4421: $1" \
        nbdkit -U - qbd demo/disk server=rdma://$rdma_host:4421 \
               connect_tmo=5 --run true
    # Its port is the next one's.
    test -z "$peer_pid" || { kill $peer_pid; wait $peer_pid || :; }
}
peer_pid=
client_says 'Connection refused: no RDMA server listens there'
pretend reject ''
client_says 'the server refused the connection'
pretend reject "$(data 0 6)"
client_says 'the server refused the connection: no resources'
pretend accept "$(data 1 32)"
client_says 'not an NVMe/RDMA server: RECFMT is not 0'
pretend accept "$(data 0 0)"
client_says 'not an NVMe/RDMA server: CRQSIZE is 0'
pretend silent ''
client_says 'no answer to the connection request in time'

# SIGTERM while it waits for one that is silent.
pretend silent ''
start_nbdkit qbd demo/disk server=rdma://$rdma_host:4421 connect=lazy
nbdinfo "$uri" >"$tmp/nbdinfo.log" 2>&1 &
info_pid=$!
wait_for_line "$tmp/peer.log" CONNECT_REQUEST
stop_nbdkit
must_fail wait $info_pid
