# SPDX-License-Identifier: BSD-3-Clause
#
# RDMA without hardware: Soft-RoCE on one end of a veth pair, or on both.
# Sourced after functions.sh.
#
#   rdma_up          makes the device $rdma_device with the addresses $rdma_host
#                    and $rdma_host6
#   rdma_link_up     two devices and a link between them: the server's,
#                    $rdma_device on $rdma_netdev with the address $rdma_host,
#                    and the client's, $client_device on $client_netdev
#   rdma_link NETDEV up|down    the link of one of them to the other
#   rdma_second_address ADDRESS     of the server's end
#   rdma_address     the server's rdma://HOST:PORT, as it reports it
#   start_writes     write to $uri, one request at a time, until one fails, or
#   end_writes       ends that, reads all of it back and compares
#   writes_go_on     wait until more was written than until now
#   writes_fail      wait until a write has failed
#   over_rdma NAME...        these functional tests, with plugin and server
#                            speaking NVMe/RDMA instead of a Unix socket; where
#                            one is skipped, the case is, when all have run
rdma_host=10.0.8.1
rdma_host6=fd00:8::1
rdma_device=rxe0

_rdma_modules ()
{
    module rdma_rxe
    module rdma_ucm
    module veth
    # Without udev nobody makes the device file where it belongs.
    mkdir -p /dev/infiniband
    test -e /dev/infiniband/rdma_cm ||
        mknod /dev/infiniband/rdma_cm c 10 \
              "$(awk '$2 == "rdma_cm" { print $1 }' /proc/misc)"
}

# Packets of 4 KiB: they are few, and Soft-RoCE drops none for it.
_veth_pair ()
{
    ip link add $1 mtu 9000 type veth peer name $2 mtu 9000
    ip link set $1 up
    ip link set $2 up
}

rdma_up ()
{
    _rdma_modules
    _veth_pair veth0 veth1
    ip addr add $rdma_host/24 dev veth0
    ip addr add $rdma_host6/64 dev veth0 nodad
    rdma link add $rdma_device type rxe netdev veth0
}

# $1, with address $2, reaches the address $3 through itself, and not within
# the machine; what comes in is for the machine all the same.  It is a port of
# a bridge: a port that goes down takes the carrier away, as a cable does.  A link
# that is taken down at the device itself would take the routes with it, and a
# device of Soft-RoCE that once had no route for a packet of the connection
# manager never gets another one (the receiver of its QP 1 stays in error).
_rdma_end ()
{
    _veth_pair $1 ${1/veth/port}
    ip link set ${1/veth/port} master rdma-link
    ip addr add $2/24 dev $1
    sysctl -qw net.ipv4.conf.$1.accept_local=1 net.ipv4.conf.$1.rp_filter=0
    ip rule add pref 1 iif $1 lookup local
    ip rule add pref 2 to $3 lookup ${1/veth/10}
    ip route add $3 dev $1 src $2 table ${1/veth/10}
}

rdma_link ()
{
    ip link set ${1/veth/port} $2
}

rdma_link_up ()
{
    client_netdev=veth0 client_device=rxe0 client_host=10.0.8.1
    rdma_netdev=veth1 rdma_device=rxe1 rdma_host=10.0.8.2
    _rdma_modules
    sysctl -qw net.ipv4.conf.all.rp_filter=0
    ip rule add pref 100 lookup local
    ip rule del pref 0
    module bridge
    ip link add rdma-link mtu 9000 type bridge
    ip link set rdma-link up
    _rdma_end $client_netdev $client_host $rdma_host
    _rdma_end $rdma_netdev $rdma_host $client_host
    rdma link add $client_device type rxe netdev $client_netdev
    rdma link add $rdma_device type rxe netdev $rdma_netdev
}

rdma_second_address ()
{
    local table=${client_netdev/veth/10}
    ip addr add $1/24 dev $rdma_netdev
    ip rule add pref 2 to $1 lookup $table
    ip route add $1 dev $client_netdev src $client_host table $table
}

rdma_address ()
{
    qbd status --json | jq -r '[.listeners[] | if type == "object" then
        .address else . end | select (startswith ("rdma:"))][0]'
}

over_rdma ()
{
    local name status start_s skipped=()
    export QBD_TEST_LISTEN=rdma://$rdma_host:0
    for name; do
        status=0
        start_s=$SECONDS
        bash "$srcdir/tests/$name.sh" || status=$?
        echo "$name over RDMA: status $status, $((SECONDS - start_s)) s"
        case $status in
            0) ;;
            77) skipped+=("$name") ;;
            *) fail "$name.sh over RDMA: status $status" ;;
        esac
    done
    test ${#skipped[@]} = 0 || {
        echo "skipped over RDMA: ${skipped[*]}"
        exit 77
    }
}

start_writes ()
{
    rm -f "$tmp/writes-end"
    _writes_log=$tmp/writes$((++_count)).log
    # For as long as the case takes: not the function with its limit.
    PATH="/usr/bin:$PATH" command nbdsh -u "$uri" -c "ends = '$tmp/writes-end'" -c '
import itertools, os
SIZE, PLACES = 65536, 100
for i in itertools.count (1):
    if os.path.exists (ends):
        break
    try:
        h.pwrite (bytes ([i % 251]) * SIZE, i % PLACES * SIZE)
    except nbd.Error as error:
        print ("failed:", error, flush=True)
        raise SystemExit (0)
    print ("written", i, flush=True)
for j in range (max (1, i - PLACES), i):
    assert h.pread (SIZE, j % PLACES * SIZE) == bytes ([j % 251]) * SIZE
print ("good", flush=True)
' >"$_writes_log" 2>&1 &
    _writes_pid=$!
    wait_for_line "$_writes_log" '^written 20$'
}

writes_go_on ()
{
    local n
    n=$(wc -l <"$_writes_log")
    wait_for_line "$_writes_log" "^written $((n + 20))\$"
}

writes_fail ()
{
    wait_for_line "$_writes_log" '^failed: '
    wait $_writes_pid
}

end_writes ()
{
    touch "$tmp/writes-end"
    wait $_writes_pid
    tail -n 1 "$_writes_log" | grep -qx good
}
