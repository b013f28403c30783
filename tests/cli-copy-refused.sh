#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# import and export refuse what would lose data, and say why.
source "${0%/*}/functions.sh"
requires nbdkit --version
requires nbdsh --version

start_volume 1M
head -c 1M /dev/urandom >"$tmp/image"
qbd import "$tmp/image" demo/disk

unchanged ()
{
    qbd export demo/disk - | cmp - "$tmp/image"
}

expect_error '^qbd: import: .*/nix: No such file or directory$' \
    qbd import "$tmp/nix" demo/disk
expect_error '^qbd: import: .*: Is a directory$' qbd import "$tmp" demo/new
truncate -s 1048577 "$tmp/large"
expect_error '^qbd: import: .*/large: 1048577 bytes do not fit into demo/disk, which has 1048576$' \
    qbd import "$tmp/large" demo/disk
: >"$tmp/empty"
expect_error '^qbd: import: .*/empty: is empty$' \
    qbd import "$tmp/empty" demo/new
expect_error '^qbd: import: .*/large: is larger than --size$' \
    qbd import "$tmp/large" demo/new --size 1M
expect_error '^qbd: import: .*: --from: there is no volume to go on with$' \
    qbd import "$tmp/large" demo/new --from 4096
expect_error '^qbd: import: .*: --from: is no multiple of 4096$' \
    qbd import "$tmp/image" demo/disk --from 512
expect_error '^qbd: import: .*/image: --from: is behind its end, at 1048576$' \
    qbd import "$tmp/image" demo/disk --from 2M
expect_error '^qbd: import: -: --from: needs a file that can seek$' \
    bash -c 'cat "$1" | qbd import - demo/disk --from 4096' - "$tmp/image"
qbd import "$tmp/image" demo/disk --from 1M     # nothing was left to do
unchanged
expect_error '^qbd: create: nix: no such pool$' \
    qbd import "$tmp/image" nix/new
expect_error '^qbd: create: demo/new: block size 1000 ' \
    qbd import "$tmp/image" demo/new --block-size 1000
expect_error '^qbd: import: demo/disk: --block-size: the volume exists' \
    qbd import "$tmp/image" demo/disk --block-size 4096
expect_error '^qbd: info: demo/new: no such volume$' qbd info demo/new

start_nbdkit qbd demo/disk
coproc nbdsh -u "$uri" -c '
import sys
h.pread (512, 0)
print ("there", flush=True)
sys.stdin.readline ()
h.shutdown ()' 2>"$tmp/nbdsh.log"
nbdsh=$COPROC_PID
read -r -t "$patience" answer <&"${COPROC[0]}"
test "$answer" = there
expect_error '^qbd: import: demo/disk: hosts are attached: 1 ' \
    qbd import "$tmp/image" demo/disk
echo >&"${COPROC[1]}"
wait "$nbdsh"
stop_nbdkit
unchanged

expect_error '^qbd: export: .*demo/nix.*no such' \
    qbd export demo/nix "$tmp/out"
test ! -e "$tmp/out"
expect_error '^qbd: export: .*: No such file or directory$' \
    qbd export demo/disk "$tmp/nix/out"
expect_error '^qbd: export: .*: Is a directory$' qbd export demo/disk "$tmp"
expect_error '^qbd: export: --json: standard output takes the data$' \
    qbd export demo/disk - --json
expect_error '^qbd: export: -: No space left on device$' \
    bash -c 'qbd export demo/disk - >/dev/full'
expect_error '^qbd: export: .*/dev/full: No space left on device$' \
    qbd export demo/disk /dev/full
