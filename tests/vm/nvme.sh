# SPDX-License-Identifier: BSD-3-Clause
#
# The kernel's NVMe host.  Sourced after functions.sh; a case for another
# transport than TCP sets $transport before.
#
#   setup_host           load the host; sets $address and $port, where a server
#                        of the case is to listen ($listen: as --listen URI)
#   host_connect NQN [ARG...]    nvme connect; sets $device, its block device
#   host_disconnect NQN
#   live_paths N         are there so many that serve?  (all subsystems')
#   progress N           wait until the host has written so many more sectors
transport=${transport:-tcp}
port=4420
test "$transport" != rdma || source "${BASH_SOURCE[0]%/*}/rdma.sh"

setup_host ()
{
    module "nvme-$transport"
    address=127.0.0.1
    if test "$transport" = rdma; then
        rdma_up
        address=$rdma_host
    fi
    listen=$transport://$address:$port
}

# The namespace's block device, when it is there.
_nvme_device ()
{
    local dir
    for dir in /sys/class/nvme-subsystem/*; do
        if test "$(cat "$dir/subsysnqn")" = "$1"; then
            device=/dev/$(cd "$dir" && echo nvme*n1)
            test -b "$device"
            return
        fi
    done
    return 1
}

host_connect ()
{
    local nqn=$1
    shift
    nvme connect -t "$transport" -a "$address" -s "$port" -n "$nqn" "$@"
    until_true _nvme_device "$nqn"
    _nvme_device "$nqn"
}

host_disconnect ()
{
    nvme disconnect -n "$1" | grep -v 'disconnected 0 '
}

live_paths ()
{
    test "$(cat /sys/class/nvme/nvme*/state | grep -cx live)" -eq "$1"
}

# The kernel counts for each path, and not for the device of all.
_written_sectors ()
{
    awk '{ n += $7 } END { print n }' /sys/block/nvme*c*n1/stat
}

_has_written ()
{
    test "$(_written_sectors)" -ge "$1"
}

progress ()
{
    local enough
    enough=$(($(_written_sectors) + $1))
    until_true _has_written "$enough"
}
