# SPDX-License-Identifier: BSD-3-Clause
#
# RDMA without hardware: Soft-RoCE on one end of a veth pair.  Sourced after
# functions.sh.
#
#   rdma_up          makes the device $rdma_device with the address $rdma_host
#   rdma_address     the server's rdma://HOST:PORT, as it reports it
#   over_rdma NAME...        these functional tests, with plugin and server
#                            speaking NVMe/RDMA instead of a Unix socket
rdma_host=10.0.8.1
rdma_device=rxe0

rdma_up ()
{
    module rdma_rxe
    module rdma_ucm
    module veth
    # Packets of 4 KiB: they are few, and Soft-RoCE drops none for it.
    ip link add veth0 mtu 9000 type veth peer name veth1 mtu 9000
    ip addr add $rdma_host/24 dev veth0
    ip link set veth0 up
    ip link set veth1 up
    rdma link add $rdma_device type rxe netdev veth0
    # Without udev nobody makes the device file where it belongs.
    mkdir -p /dev/infiniband
    test -e /dev/infiniband/rdma_cm ||
        mknod /dev/infiniband/rdma_cm c 10 \
              "$(awk '$2 == "rdma_cm" { print $1 }' /proc/misc)"
}

rdma_address ()
{
    qbd status --json | jq -r '[.listeners[] | if type == "object" then
        .address else . end | select (startswith ("rdma:"))][0]'
}

over_rdma ()
{
    local name status
    export QBD_TEST_LISTEN=rdma://$rdma_host:0
    for name; do
        status=0
        bash "$srcdir/tests/$name.sh" || status=$?
        case $status in
            0 | 77) ;;
            *) fail "$name.sh over RDMA: status $status" ;;
        esac
    done
}
