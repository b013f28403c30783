# SPDX-License-Identifier: BSD-3-Clause
#
# A machine whose root file system is the host's.  Sourced after machine.sh.
#
#   boot_case [CASE]     run the script CASE in it, or a shell on this terminal;
#                        ends with its exit status
here=$(cd "${BASH_SOURCE[0]%/*}" && pwd)

# What enter.sh reads: as bash's own quoting makes it.
_case_file ()
{
    local case=$1 limit_s=$vm_limit_s shell_rc=$here/shell.rc
    QBD_TEST_PATIENCE=${QBD_TEST_PATIENCE:-120}
    declare -p case limit_s shell_rc QBD_BUILDDIR QBD_TEST_PATIENCE |
        sed 's/^declare [^ ]* //'
    echo "export QBD_BUILDDIR QBD_TEST_PATIENCE"
}

# A host directory that the guest may read: its mount tag and path.  In the
# option a comma is written twice.
_shared_dir ()
{
    local options=security_model=none,readonly=on,multidevs=remap
    shared+=(-fsdev "local,id=$1,path=${2//,/,,},$options"
             -device "virtio-9p-pci,fsdev=$1,mount_tag=$1")
}

boot_case ()
{
    local case='' shared=() status
    test $# -eq 0 || case=$(realpath "$1")
    find_kernel
    mkdir -p "$tmp/root/vm"
    cp "$here/init" "$tmp/root/init"
    chmod +x "$tmp/root/init"
    cp "$here/enter.sh" "$tmp/root/vm/enter.sh"
    _case_file "$case" >"$tmp/root/vm/case"
    make_initramfs "$tmp/initramfs" "$tmp/root" \
                   virtio_pci 9pnet_virtio 9p overlay
    _shared_dir host-root /
    _shared_dir modules "$kernel_dir/lib/modules"
    : >"$tmp/status"
    test -z "$case" || exec </dev/null
    machine "$tmp/initramfs" "${shared[@]}" -device virtio-rng-pci \
            -serial "file:$tmp/status"
    read -r status <"$tmp/status" || fail "the guest ended before its case"
    _failure_said=yes           # in the guest
    exit "${status%$'\r'}"
}
