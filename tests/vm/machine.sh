# SPDX-License-Identifier: BSD-3-Clause
#
# The virtual machine of tests/vm, seen from the host: Debian's stock kernel,
# an initramfs made for it, and QEMU.  Sourced after tests/functions.sh by
# what boots a machine.  It knows nothing of the cases.
#
#   find_kernel                  sets $kernel_dir and $kernel_release
#   make_initramfs FILE DIR MODULE...    of DIR, which has the /init, with
#                                busybox and these modules in /modules
#   machine FILE ARG...          QEMU with this initramfs until it ends; the
#                                guest's console is our standard output.  Whoever
#                                boots it may have set the array vm_options to
#                                more of QEMU's arguments, and vm_cmdline to
#                                more of the kernel's
#
# Environment, all optional:
#   QBD_VM_CACHE     where kernels are kept
#   QBD_VM_KERNEL    the kernel's package (default: the current one)
#   QBD_VM_ACCEL     QEMU's accelerator (tcg,thread=multi); kvm works too
#   QBD_VM_MEMORY    the guest's memory (2G)
#   QBD_VM_LIMIT_S   seconds that a case may take (600)

vm_cache=${QBD_VM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/qbd/vm}
vm_limit_s=${QBD_VM_LIMIT_S:-600}
PATH=$PATH:/usr/sbin:/sbin      # kmod's programs, for other users than root

requires test "$(uname -m)" = x86_64
requires qemu-system-x86_64 --version
requires busybox --help
requires cpio --version
requires modprobe --version

# apt, with package lists of our own where the system's are old or missing:
# that takes no root.
_apt_lists=()

_update_lists ()
{
    mkdir -p "$vm_cache/apt/lists/partial" "$vm_cache/apt/cache"
    _apt_lists=(-o "Dir::State::lists=$vm_cache/apt/lists"
                -o "Dir::Cache=$vm_cache/apt/cache")
    apt-get "${_apt_lists[@]}" -q update
}

_current_kernel ()
{
    apt-cache "${_apt_lists[@]}" depends linux-image-amd64 2>/dev/null |
        sed -n 's/^ *Depends: \(linux-image-[^ ]*\)$/\1/p' | head -n 1
}

# Into $vm_cache/new, so that what is in place is whole.
_download_kernel ()
{
    local release
    rm -rf "$vm_cache/new"
    mkdir "$vm_cache/new"
    (cd "$vm_cache/new" &&
         apt-get "${_apt_lists[@]}" -q download "$1" &&
         dpkg-deb -x "$1"_*.deb . && rm -f "$1"_*.deb) || return
    release=$(_kernel_release "$vm_cache/new")
    depmod -b "$vm_cache/new" "$release"
}

_kernel_release ()
{
    basename "$1"/boot/vmlinuz-* | sed 's/^vmlinuz-//'
}

_fetch_kernel ()
{
    local package=${QBD_VM_KERNEL:-$(_current_kernel)}
    if test -z "$package" && _update_lists; then
        package=$(_current_kernel)
    fi
    test -n "$package" || return
    kernel_dir=$vm_cache/$package
    test ! -d "$kernel_dir" || return 0
    _download_kernel "$package" ||
        { _update_lists && _download_kernel "$package"; } || return
    mv "$vm_cache/new" "$kernel_dir"
}

find_kernel ()
{
    mkdir -p "$vm_cache"
    exec 8>"$vm_cache/lock"
    flock 8
    if ! _fetch_kernel; then
        # An older one proves as much.
        kernel_dir=$(find "$vm_cache" -maxdepth 1 -name 'linux-image-*' |
                     sort -V | tail -n 1)
        if test -z "$kernel_dir" || test -n "$QBD_VM_KERNEL"; then
            echo "$test_name: skipped: cannot download a Debian kernel"
            exit 77
        fi
    fi
    exec 8>&-
    kernel_release=$(_kernel_release "$kernel_dir")
}

# The files of modules $@ and of what they need, in the order of insmod.
_module_files ()
{
    local module
    for module; do
        modprobe -d "$kernel_dir" -S "$kernel_release" --show-depends "$module"
    done | awk '$1 == "insmod" && ! seen[$2]++ { print $2 }'
}

make_initramfs ()
{
    local file=$1 dir=$2 module n=100
    shift 2
    mkdir -p "$dir"/{bin,dev,modules,proc,sys,newroot}
    cp "$(command -v busybox)" "$dir/bin/busybox"
    for module in $(_module_files "$@"); do
        cp "$module" "$dir/modules/$((n++))-${module##*/}"
    done
    (cd "$dir" && find . | cpio -o -H newc --quiet) | gzip -1 >"$file"
}

# A kernel that finds a bug in itself ends at once; QEMU ends when the guest
# panics or turns itself off.  Beyond the case's limit it has time to boot, which
# on a busy host takes long, and to show its logs.
machine ()
{
    local initramfs=$1 console=stdio status=0
    # A busy host is late with the emulated timer, which the kernel checks.
    local cmdline="console=ttyS0 quiet oops=panic panic=-1 mitigations=off"
    cmdline+=" no_timer_check ${vm_cmdline:-}"
    shift
    # On a terminal Ctrl-C is the guest's; Ctrl-A X ends QEMU.
    test ! -t 0 || console=mon:stdio
    timeout --foreground -k 5 $((vm_limit_s + 120)) \
        qemu-system-x86_64 -nodefaults -no-reboot -machine q35 \
            -accel "${QBD_VM_ACCEL:-tcg,thread=multi}" -cpu max -smp 2 \
            -m "${QBD_VM_MEMORY:-2G}" -display none -serial "$console" \
            -kernel "$kernel_dir/boot/vmlinuz-$kernel_release" \
            -initrd "$initramfs" \
            -append "$cmdline" \
            "${vm_options[@]}" "$@" || status=$?
    if test $status -ne 0; then
        fail "the machine ended with status $status"
    fi
}
