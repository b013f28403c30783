# SPDX-License-Identifier: BSD-3-Clause
#
# The functional tests of NBD (tests/nbd.mk) with plugin and server speaking
# NVMe/RDMA.  Sourced after functions.sh.
#
#   nbd_over_rdma PART NR    one part of so many, which all together are the
#                            list but for what is left out below
source "${BASH_SOURCE[0]%/*}/rdma.sh"

declare -A not_over_rdma=(
    [nbd-digest]="digests are of NVMe/TCP"
    [nbd-faults]="cuts a TCP connection; rdma-lost.sh loses RDMA's"
    [nbd-ipv6]="TCP's addresses; rdma-auto.sh has RDMA's"
    [nbd-left-behind]="its path forwards the bytes of a Unix socket"
    [nbd-left-behind-foreign]="the same"
    [nbd-lost-again]="the same"
    [nbd-paths-absent]="its paths forward the bytes of a Unix socket;
                        rdma-paths.sh has RDMA's"
    [nbd-paths-all-lost]="the same"
    [nbd-paths-policy]="the same"
    [nbd-paths]="the same"
    [nbd-retain-paths]="the same"
    [nbd-paths-ana]="its listeners are Unix sockets"
    [nbd-server-absent]="what sockets say; rdma-refused.sh has RDMA's"
    [nbd-server-foreign]="its servers speak by sockets"
    [nbd-slow-server]="its path forwards the bytes of a Unix socket"
    [nbd-stop-silent]="its server is a Unix socket; rdma-refused.sh has RDMA's"
    [nbd-tcp]="the forms of a TCP address"
)

# A file system on a block device, as a server has it: extended attributes,
# and writes that are synced.
_disk_up ()
{
    module loop
    module ext4
    truncate -s 1G "$tmp/disk"
    mkfs.ext4 -q -F "$tmp/disk"
    mkdir "$tmp/on-disk"
    mount -o loop "$tmp/disk" "$tmp/on-disk"
    cleanup_fn umount -l "$tmp/on-disk"
    export TMPDIR=$tmp/on-disk
}

nbd_over_rdma ()
{
    local name names=() part=()
    for name in $(sed -n 's/^SH_TESTS += tests\/\(nbd-.*\)\.sh$/\1/p' \
                      "$srcdir/tests/nbd.mk"); do
        if test -z "${not_over_rdma[$name]}"; then
            test $((${#names[@]} % $2 + 1)) -ne "$1" || part+=("$name")
            names+=("$name")
        fi
    done
    # The list is there, and nothing is left out that is not in it.
    test ${#names[@]} -ge 40
    for name in "${!not_over_rdma[@]}"; do
        grep -q "tests/$name.sh$" "$srcdir/tests/nbd.mk"
    done
    rdma_up
    _disk_up
    over_rdma "${part[@]}"
}
