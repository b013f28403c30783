#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The static probes are in the program and in the library, the manual has each
# with its arguments, and bpftrace takes the scripts.
source "${0%/*}/functions.sh"
grep -q '^#define HAVE_USDT 1' "$QBD_BUILDDIR/config.h" || {
    echo "$test_name: skipped: this machine lacks: sys/sdt.h"
    exit 77
}
requires readelf --version

server=$QBD_BUILDDIR/qbd-server
test ! -e "$QBD_BUILDDIR/.libs/qbd-server" ||
    server=$QBD_BUILDDIR/.libs/qbd-server
library=$QBD_BUILDDIR/.libs/libqbd.so

# "NAME NUMBER-OF-ARGUMENTS" of each
probes ()
{
    readelf -n "$1" | awk '/^ *Provider: qbd$/ { ours = 1; next }
        ours && /^ *Name:/ { name = $2 }
        ours && /^ *Arguments:/ { print name, NF - 1; ours = 0 }' | sort -u
}
probes "$server" >"$tmp/server"
probes "$library" >"$tmp/library"
test "$(cut -d_ -f1 "$tmp/server" | sort -u)" = server
test "$(cut -d_ -f1 "$tmp/library" | sort -u)" = client
sed -n 's/^=item B<\([a-z]*_[a-z]*\)> (\(.*\))$/\1 \2/p' \
    "$srcdir/man/qbd-troubleshooting.pod" |
    awk '{ print $1, NF - 1 }' | sort >"$tmp/manual"
sort "$tmp/server" "$tmp/library" | diff -u - "$tmp/manual" ||
    fail "probes and manual differ"

# A dry run finds the probes, too.  It takes root.
requires bpftrace --version
requires test "$(id -u)" = 0
for script in "$srcdir"/tracing/*.bt.in; do
    sed -e "s,@sbindir@/qbd-server,$server,; s,@libdir@/libqbd.so.0,$library," \
        "$script" >"$tmp/script.bt"
    bpftrace -d "$tmp/script.bt" 100 >"$tmp/out" 2>&1 || {
        cat "$tmp/out"
        fail "$script: bpftrace does not take it"
    }
done

# It does trace, where the kernel lets it.
requires bpftrace -e 'BEGIN { exit (); }'
pids=()
end_all () { kill "${pids[@]}" 2>/dev/null; wait "${pids[@]}" || :; }
cleanup_fn end_all
start_server --pool demo=ram:
qbd create demo/disk 1M
qbd bench demo/disk --seconds 600 >/dev/null &
pids+=($!)
# Each request takes 0 ms, or more.
sed "s,@sbindir@/qbd-server,$server," "$srcdir/tracing/server-outliers.bt.in" \
    >"$tmp/script.bt"
bpftrace -B line -p "$server_pid" "$tmp/script.bt" 0 \
    >"$tmp/server-outliers.log" 2>&1 &
pids+=($!)
wait_for_line "$tmp/server-outliers.log" \
              '^[0-9:]{8} +1 +[0-9]+ +2 +[0-9]+ +[0-9]+ +[0-9]+ +[0-9]+$'
