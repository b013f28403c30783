#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# systemd understands the unit and counts the exposure that the manual says.
source "${0%/*}/functions.sh"
requires systemd-analyze --version
unit=$QBD_BUILDDIR/systemd/qbd-server.service

figure=$(sed -n 's/^\([0-9]\.[0-9]\) for it (0 is none.*/\1/p' \
             "$srcdir/man/qbd-server.pod")
test -n "$figure"
systemd-analyze security --offline=true --threshold="${figure/./}" "$unit" \
                >"$tmp/security" 2>&1 ||
    { cat "$tmp/security"; fail "the exposure is above $figure"; }
tail -n 1 "$tmp/security"
# Groups of system calls and settings that it does not know are said so.
grep -E "^$unit:[0-9]+" "$tmp/security" && fail "this is not understood"
grep -q "^ExecStart=/.*/qbd-server -c /etc/qbd/server.conf\$" "$unit"
