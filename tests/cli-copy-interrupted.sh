#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A copy that ends early says so, and an import goes on where it was told;
# a terminal shows how far it is.
source "${0%/*}/functions.sh"
requires script --version

start_volume 64M
head -c 64M /dev/urandom >"$tmp/image"

# Ctrl-C while it waits for a pipe that stays silent.
mkfifo "$tmp/fifo"
qbd import - demo/disk <"$tmp/fifo" 2>"$tmp/stderr" &
pid=$!
exec 8>"$tmp/fifo"
head -c 8M "$tmp/image" >&8
kill -s INT $pid
status=0
wait $pid || status=$?
exec 8>&-
cat "$tmp/stderr"
test $status -eq 1
grep -Eq '^qbd: import: -: interrupted; demo/disk is incomplete$' \
     "$tmp/stderr"

# An export of which nobody reads the rest.
expect_error '^qbd: export: -: Broken pipe$' \
    bash -c 'set -o pipefail; qbd export demo/disk - | head -c 1000 >/dev/null'

# Ctrl-C while it writes: the older file is whole, and no part is left.
mkfifo "$tmp/silent"
echo older >"$tmp/out"
qbd export demo/disk "$tmp/silent" 2>"$tmp/stderr" &
pid=$!
exec 9<"$tmp/silent"
head -c 1M <&9 >/dev/null
kill -s INT $pid
status=0
wait $pid || status=$?
exec 9<&-
cat "$tmp/stderr"
test $status -eq 1
grep -Eq '^qbd: export: .*/silent: interrupted$' "$tmp/stderr"

# The first half, then the rest of it.
head -c 32M "$tmp/image" >"$tmp/half"
qbd import "$tmp/half" demo/disk
qbd import "$tmp/image" demo/disk --from 32M
qbd export demo/disk - | cmp - "$tmp/image"

# A terminal sees a bar, unless it does not want to; a pipe never does.
script -qec "qbd import $tmp/image demo/disk" /dev/null >"$tmp/shown"
grep -Eq '\[#{20}\] 100%  64M of 64M  [0-9.]+[KMG]/s  0:00 left' "$tmp/shown"
script -qec "qbd import $tmp/image demo/disk --quiet" /dev/null >"$tmp/quiet"
test ! -s "$tmp/quiet"
qbd import "$tmp/image" demo/disk 2>"$tmp/piped"
test ! -s "$tmp/piped"
