# SPDX-License-Identifier: BSD-3-Clause
#
# The kernel's NVMe target.  Sourced after functions.sh; a case for another
# transport than TCP sets $transport before, and $address.
#
#   start_target NQN FILE [FILE...]   serve these files or block devices as
#                        namespaces 1, 2, ... at $address:$port; sets
#                        QBD_SERVER for the plugin
transport=${transport:-tcp}
address=${address:-127.0.0.1}
port=4420
_nvmet=/sys/kernel/config/nvmet

_target_namespace ()
{
    local dir=$1
    mkdir "$dir"
    test -b "$2" || echo 1 >"$dir/buffered_io"
    echo -n "$2" >"$dir/device_path"
    echo 1 >"$dir/enable"
}

start_target ()
{
    local nqn=$1 subsystem=$_nvmet/subsystems/$1 dir=$_nvmet/ports/1 file n=1
    shift
    module "nvmet-$transport"
    mkdir "$subsystem"
    echo 1 >"$subsystem/attr_allow_any_host"
    for file; do
        _target_namespace "$subsystem/namespaces/$((n++))" "$file"
    done
    mkdir "$dir"
    echo "$transport" >"$dir/addr_trtype"
    echo ipv4 >"$dir/addr_adrfam"
    echo "$address" >"$dir/addr_traddr"
    echo "$port" >"$dir/addr_trsvcid"
    ln -s "$subsystem" "$dir/subsystems/$nqn"
    export QBD_SERVER=$transport://$address:$port
}
