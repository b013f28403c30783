#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The kernel's NVMe host attaches qbd-server: discovery, identity, I/O with and
# without digests, a file system, discard, a new size.
source "${0%/*}/functions.sh"
source "${0%/*}/nvme.sh"
source "${0%/*}/filesystems.sh"

setup_host
mkdir "$tmp/pool"
start_server --pool "demo=file:$tmp/pool" --listen "$listen" --allow-any-host
qbd create demo/disk 512M
qbd create demo/other 16M --block-size 4096
nqn=$(qbd info --json demo/disk | jq -r .nqn)
other=$(qbd info --json demo/other | jq -r .nqn)
uuid=$(qbd info --json demo/disk | jq -r .uuid)

nvme discover -t "$transport" -a "$address" -s "$port" -o json |
    jq -r '.records[] | .subnqn + " " + .trtype + " " + .traddr' |
    sort >"$tmp/found"
sort >"$tmp/expected" <<END
$nqn $transport $address
$other $transport $address
END
diff "$tmp/expected" "$tmp/found"

# Identity, as udev makes links of it, and what tools print.
attributes ()
{
    (cd "/sys/block/${device##*/}" &&
         grep . size uuid nguid wwid queue/logical_block_size \
              queue/discard_max_bytes queue/write_zeroes_max_bytes \
              queue/write_cache device/serial device/model device/subsysnqn)
}
host_connect "$nqn"
attributes >"$tmp/first"
cat "$tmp/first"
grep -qx "uuid:$uuid" "$tmp/first"
grep -qx "nguid:$uuid" "$tmp/first"
grep -qx "wwid:uuid.$uuid" "$tmp/first"
grep -qx 'queue/logical_block_size:512' "$tmp/first"
grep -qx 'queue/write_cache:write back' "$tmp/first"
nvme list
nvme list -o json | jq -e --arg device "$device" \
    '.Devices[] | select (.DevicePath == $device) | .PhysicalSize == 536870912'
nvme id-ctrl "$device" -o json | jq -e --arg nqn "$nqn" '.subnqn == $nqn'
nvme id-ns "$device" -o json | jq -e '.nsze == 1048576'
nvme smart-log "$device"
nvme error-log "$device" -e 1
head -c 4096 /dev/urandom >"$tmp/block"
dd if="$tmp/block" of="$device" bs=4096 oflag=direct status=none
nvme compare "$device" -s 0 -c 7 -z 4096 -d "$tmp/block"
must_fail nvme compare "$device" -s 8 -c 7 -z 4096 -d "$tmp/block"
fio_verify "$device"

# A new size is seen, and what is beyond the old one is there.
qbd resize demo/disk 640M
until_true has_size "$device" 671088640
fio_verify "$device" --offset=512M
host_disconnect "$nqn"

# Again after a restart, under the same identity.
stop_server
start_server --pool "demo=file:$tmp/pool" --listen "$listen" --allow-any-host
host_connect "$nqn"
diff <(attributes) <(sed '/^size:/s/:.*/:1310720/' "$tmp/first")
host_disconnect "$nqn"

# File systems, with each kind of digests.
attach ()
{
    host_connect "$nqn" $digests
}

detach ()
{
    host_disconnect "$nqn"
}

digests=
check_filesystem ext4
# They are of NVMe/TCP; the others have their own checksums.
kinds=('')
if test "$transport" = tcp; then
    digests='--hdr-digest --data-digest'
    check_filesystem xfs
    for digests in --hdr-digest --data-digest; do
        attach
        fio_verify "$device"
        detach
    done
    kinds+=('--hdr-digest --data-digest')
fi

# All at once: here SQ flow control is off.
for digests in "${kinds[@]}"; do
    nvme connect-all -t "$transport" -a "$address" -s "$port" $digests
    for volume in "$nqn" "$other"; do
        until_true _nvme_device "$volume"
        fio_verify "$device"
    done
    nvme disconnect-all
    test -z "$(ls /sys/class/nvme)"
done
