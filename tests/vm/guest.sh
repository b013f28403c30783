# SPDX-License-Identifier: BSD-3-Clause
#
# For cases where the server runs on this machine and the client is a guest,
# as small as can be: a kernel and busybox.  Sourced after tests/functions.sh
# and machine.sh.
#
#   guest_program CMD...   programs that the guest has, too, with their
#                          libraries, by path or in $PATH
#   guest_libraries FILE   what the program or library FILE needs
#   guest_file FROM TO     any file
#   guest_run MODULE... -- ARG...  start it with these kernel modules loaded and
#                          these arguments of qemu's, let its first process
#                          run the script on standard input by busybox's sh
#                          -ex, and fail when that fails; what the guest says
#                          is in $guest_log

guest_root="$tmp/guest"
mkdir -p "$guest_root"/{etc,lib,mnt,tmp,usr/bin}

guest_file ()
{
    mkdir -p "$guest_root/$(dirname "$2")"
    cp -L "$1" "$guest_root/$2"
}

# Where the loader looks for them: by name in /lib, itself by its path.
guest_libraries ()
{
    local path
    for path in $(ldd "$1" | grep -o '/[^ ]*'); do
        case $path in
            */ld-linux*) guest_file "$path" "$path" ;;
            *) guest_file "$path" "lib/${path##*/}" ;;
        esac
    done
}

# Not ./run's nbdkit, which is a script.
guest_program ()
{
    local program
    for program; do
        program=$(type -aP "$program" | grep -v /dev/path/ | head -n 1)
        guest_file "$program" "usr/bin/${program##*/}"
        guest_libraries "$program"
    done
}

guest_run ()
{
    local modules=()
    guest_log="$tmp/guest$((++_count)).log"
    while test "$1" != --; do
        modules+=("$1")
        shift
    done
    cat >"$guest_root/script"
    cat >"$guest_root/init" <<'END'
#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/usr/bin:/bin LD_LIBRARY_PATH=/lib HOME=/tmp
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for module in /modules/*; do insmod $module; done
set -ex
. /script
echo "guest: good"
poweroff -f
END
    chmod +x "$guest_root/init"
    make_initramfs "$tmp/initramfs" "$guest_root" "${modules[@]}"
    (machine "$tmp/initramfs" "${@:2}") >"$guest_log" 2>&1 || :
    tr -d '\r' <"$guest_log" | grep -q '^guest: good$' ||
        fail "the guest's script failed"
}
