# SPDX-License-Identifier: BSD-3-Clause
#
# What a request costs the whole machine, in instructions: Linux as NVMe host,
# with its own target or qbd-server behind it, and NBD through the plugin.
# Sourced by tcp.sh and rdma.sh, which have set $transport.  bench/vm.py runs
# them.
#
# A piece is fio with so many requests between two marks.  Two pieces of
# different length tell what a request costs without fio's own start and end.
# Prints "piece CASE PATH REQUESTS", in the order of the pairs of marks that
# instructions.c writes down.
#
# The machine has one processor: with two, one spins for a lock while the host
# does not run the one that has it, which counts as much as the host has other
# work.  Its clock is its processor's, as the emulated one is behind such a
# lock, too.  Copying moves eight bytes at a time: "rep movsb", which QEMU
# counts by the byte, is left out.
vm_options=(-smp 1 -cpu max,-erms,-fsrm
            -plugin "$QBD_BUILDDIR/bench/vm/instructions.so,marks=$BENCH_MARKS")
vm_cmdline=tsc=reliable
source "${BASH_SOURCE[0]%/*}/../../tests/vm/functions.sh"
set +x
source "$srcdir/tests/vm/nvmet.sh"
source "$srcdir/tests/vm/nvme.sh"
nqn=nqn.2014-08.org.example:bench
size_mib=32
few=500
many=8500       # fio's own start differs by ten million instructions

# fill FILE: with data that is nowhere the same.
fill ()
{
    dd if=/dev/urandom of="$1" bs=1M count=$size_mib conv=notrunc,fsync \
       status=none
}

piece ()
{
    local case=$1 path=$2 requests=$3
    shift 3
    echo "piece $case $path $requests"
    "$QBD_BUILDDIR/bench/vm/mark"
    fio --name=piece --bs=4k --size=${size_mib}M --norandommap --randrepeat=0 \
        --io_size=$((requests * 4))k --eta=never --output="$tmp/fio" "$@"
    "$QBD_BUILDDIR/bench/vm/mark"
}

# measure CASE PATH ARG...: ARG is fio's.
measure ()
{
    local case=$1 path=$2
    shift 2
    fio --name=warm --bs=4k --size=${size_mib}M --io_size=4M --eta=never \
        --output="$tmp/fio" "$@"
    piece "$case" "$path" $few "$@"
    piece "$case" "$path" $many "$@"
}

measure_device ()
{
    local path=$1 device=$2 depth
    fill "$device"
    for depth in 1 16; do
        for rw in read write; do
            measure "vm-$transport-$rw-$depth" "$path" --ioengine=libaio \
                    --direct=1 --filename="$device" --rw=rand$rw \
                    --iodepth=$depth
        done
    done
}

# Linux's target: on a file, as qbd-server has it, and on a disk in memory.
measure_nvmet ()
{
    truncate -s ${size_mib}M "$tmp/image"
    module brd rd_nr=1 rd_size=$((size_mib * 1024))
    start_target $nqn "$tmp/image" /dev/ram0
    host_connect $nqn
    measure_device vm-nvmet-file "$device"
    measure_device vm-nvmet-ram "${device%1}2"
    host_disconnect $nqn
}

measure_qbd ()
{
    port=4421
    mkdir "$tmp/pool"
    start_server --pool "bench=file:$tmp/pool" --allow-any-host \
                 --listen $transport://$address:$port
    qbd create bench/volume ${size_mib}M
    nqn=$(qbd info --json bench/volume | jq -r .nqn)
    host_connect "$nqn"
    measure_device vm-qbd-server "$device"
    host_disconnect "$nqn"

    start_nbdkit qbd bench/volume server=$transport://$address:$port
    measure vm-nbd-$transport vm-nbdkit --ioengine=nbd \
            --uri="$uri" --rw=randread --iodepth=16
    stop_nbdkit
}

setup_host
TMPDIR=/dev/shm
measure_nvmet
measure_qbd
stop_server
