# SPDX-License-Identifier: BSD-3-Clause
#
# What the cases of tests/vm share.  A case starts with
#     #!/usr/bin/env bash
#     # SPDX-License-Identifier: BSD-3-Clause
#     # What is shown.
#     source "${0%/*}/functions.sh"
# and that line boots a machine in which all of the case runs, as root, on
# the host's files (changes stay in the guest's memory).  All that
# tests/functions.sh offers is there, and:
#
#   module NAME [PARAMETER...]      load it, or skip where the kernel lacks it
#   attach_nbd DEVICE CONNECTIONS   nbd-client, to the last nbdkit started
#   fio_verify DEVICE [ARG...]      write with checksums and read back, by
#                      libaio; ARG is fio's
#   fio_verify_nbd     the same over NBD, to the last nbdkit started
#   start_load [DEVICE], end_load   that again and again meanwhile; end_load
#                      fails when it failed
#   load_ended         it has, too early
#   load_rounds        how often all of it was done
#   has_size DEVICE BYTES           to be awaited with until_true
#   until_true CMD...  until the command succeeds: for what the kernel tells
#                      nobody of (a fifth of a second between two tries)
source "${BASH_SOURCE[0]%/*}/../functions.sh"
set +x
if test -z "$QBD_VM_GUEST"; then
    source "${BASH_SOURCE[0]%/*}/machine.sh"
    source "${BASH_SOURCE[0]%/*}/boot.sh"
    boot_case "$0"
fi

# One of the logs that are shown when the case has failed.
_kernel_log ()
{
    dmesg --color=never >"$tmp/kernel.log"
}
cleanup_fn _kernel_log

module ()
{
    modprobe "$@" || fail "the guest's kernel has no module $1"
}

attach_nbd ()
{
    nbd-client -unix "$socket" "$1" -connections "$2"
}

fio_verify ()
{
    local device=$1 block
    shift
    block=$(blockdev --getss "$device")
    fio --name=verify --filename="$device" --ioengine=libaio --direct=1 \
        --rw=randwrite --bsrange="$block-256k" --blockalign="$block" \
        --iodepth=16 --size=16M --verify=md5 --verify_fatal=1 \
        --verify_state_save=0 --verify_backlog=64 --eta=never \
        --output="$tmp/fio.log" "$@"
}

fio_verify_nbd ()
{
    fio --name=verify --ioengine=nbd --uri="$uri" --rw=randwrite \
        --bsrange=4k-256k --size=8M --iodepth=16 --fsync=64 \
        --verify=crc32c --verify_backlog=64 --verify_fatal=1 \
        --verify_state_save=0 --eta=never --output="$tmp/fio.log"
}

_load ()
{
    until test -e "$tmp/load-ends"; do
        if test -n "$1"; then
            fio_verify "$1" --size=4M || return
        else
            fio_verify_nbd || return
        fi
        echo over >>"$tmp/loads"
    done
}

start_load ()
{
    : >"$tmp/loads"
    _load "${1:-}" &
    _load_pid=$!
}

load_ended ()
{
    ! kill -0 $_load_pid
}

load_rounds ()
{
    wc -l <"$tmp/loads"
}

end_load ()
{
    touch "$tmp/load-ends"
    wait $_load_pid
}

has_size ()
{
    test "$(blockdev --getsize64 "$1")" -eq "$2"
}

until_true ()
{
    local - end=$((SECONDS + patience))
    set +x
    until "$@" >/dev/null 2>&1; do
        test $SECONDS -lt $end || fail "in vain for $patience seconds: $*"
        sleep 0.2
    done
}
set -x
