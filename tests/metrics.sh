#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# /metrics is valid for Prometheus, and counts what was done.
source "${0%/*}/functions.sh"
requires curl --version
requires python3 --version

fetch ()
{
    curl -sS -m "$patience" -D "$tmp/header" --unix-socket "$QBD_CONTROL" \
         http://localhost/metrics >"$tmp/raw"
    python3 "$srcdir/tests/metrics.py" <"$tmp/raw" >"$tmp/metrics"
    if command -v promtool; then
        promtool check metrics <"$tmp/raw"
    fi
}
value ()                        # of NAME [LABEL=VALUE...]
{
    local name=$1 pattern
    shift
    pattern=$(printf '%s\n' "$@" | sort | sed 's/=\(.*\)/="\1"/' |
                  paste -sd,)
    awk -v key="$name{$pattern}" '$1 == key { print $2 }' "$tmp/metrics"
}
# is VALUE NAME [LABEL=VALUE...]
is ()
{
    local expected=$1
    shift
    test "$(value "$@")" = "$expected" ||
        fail "$*: is $(value "$@"), not $expected"
}
disk=(pool=demo volume=disk)

start_volume 1G
fetch
grep -qi '^content-type: text/plain; version=0.0.4' "$tmp/header"
is 1 qbd_volume_up "${disk[@]}"
is 1073741824 qbd_volume_size_bytes "${disk[@]}"
is 0 qbd_volume_allocated_bytes "${disk[@]}"
is 0 qbd_volume_attached_hosts "${disk[@]}"
is 1 qbd_pool_volumes pool=demo engine=file
for op in read write flush discard write_zeroes; do
    is 0 qbd_operations_total "${disk[@]}" operation=$op
done
test "$(value qbd_pool_free_bytes pool=demo engine=file)" -gt 0
test "$(value qbd_pool_capacity_bytes pool=demo engine=file)" -gt \
     "$(value qbd_pool_free_bytes pool=demo engine=file)"

# The manual has them all.
sed -n 's/^# TYPE \([a-z_]*\) .*/\1/p' "$tmp/raw" | sort >"$tmp/told"
grep -oE 'C<qbd_[a-z_]+' "$srcdir/man/qbd-api.pod" | sed 's/C<//' |
    sort >"$tmp/manual"
diff -u "$tmp/told" "$tmp/manual"

# 16 writes of 512 KiB and a flush, 128 MiB of zeroes; and what is no hole is
# read.
head -c 8M /dev/urandom >"$tmp/data"
truncate -s 136M "$tmp/data"
qbd import "$tmp/data" demo/disk
fetch
is 16 qbd_operations_total "${disk[@]}" operation=write
is 8388608 qbd_operation_bytes_total "${disk[@]}" operation=write
is 16 qbd_operation_duration_seconds_count "${disk[@]}" operation=write
is 16 qbd_operation_duration_seconds_bucket "${disk[@]}" operation=write \
   le=+Inf
is 1 qbd_operations_total "${disk[@]}" operation=flush
is 134217728 qbd_operation_bytes_total "${disk[@]}" operation=write_zeroes
is 0 qbd_operations_total "${disk[@]}" operation=read
qbd export demo/disk - >"$tmp/out"
fetch
test "$(stat -c %s "$tmp/out")" -eq 1073741824
is 8388608 qbd_operation_bytes_total "${disk[@]}" operation=read
is 16 qbd_operations_total "${disk[@]}" operation=read
for op in read write flush discard write_zeroes; do
    is 0 qbd_operation_errors_total "${disk[@]}" operation=$op
    is 0 qbd_operations_in_flight "${disk[@]}" operation=$op
done

# By several queues, on several reactors; and while a host is attached.
qbd create demo/many 64M
start_nbdkit qbd demo/many nr_io_queues=4
nbdsh -u "$uri" -c '
import subprocess
for i in range (1000):
    h.pread (4096, i * 4096)
h.trim (1 << 20, 0)
subprocess.check_call (["curl", "-sS", "--unix-socket", "'"$QBD_CONTROL"'",
    "-o", "'"$tmp/attached"'", "http://localhost/metrics"])
h.shutdown ()'
stop_nbdkit
python3 "$srcdir/tests/metrics.py" <"$tmp/attached" >"$tmp/metrics"
is 1000 qbd_operations_total pool=demo volume=many operation=read
is 4096000 qbd_operation_bytes_total pool=demo volume=many operation=read
is 1048576 qbd_operation_bytes_total pool=demo volume=many operation=discard
is 1 qbd_volume_attached_hosts pool=demo volume=many

# A volume that is gone takes its series with it; one that is damaged has
# few.
qbd rm demo/many
stop_server
truncate -s 0 "$tmp/pool/volumes/disk.raw"
start_server --pool "demo=file:$tmp/pool"
fetch
is '' qbd_volume_up pool=demo volume=many
is 0 qbd_volume_up "${disk[@]}"
is '' qbd_operations_total "${disk[@]}" operation=read
