#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Images that are not raw go in and out by qemu-img; one is never copied byte
# by byte unasked.
source "${0%/*}/functions.sh"
requires qemu-img --version
requires jq --version

export TMPDIR=$tmp/scratch
mkdir "$TMPDIR"
start_server --pool mem=ram:
head -c 3M /dev/urandom >"$tmp/raw"
truncate -s 64M "$tmp/raw"
qemu-img convert -O qcow2 "$tmp/raw" "$tmp/nbd:image.qcow2"
cd "$tmp"

expect_error '^qbd: import: .*: looks like an image in format qcow2: say --format qcow2, or --format raw ' \
    qbd import nbd:image.qcow2 mem/image
qbd import nbd:image.qcow2 mem/image --format qcow2
qbd export mem/image - | cmp - raw
qbd info mem/image --json | jq -e '.size_bytes == 67108864'

qbd export mem/image out:image.qcow2 --format qcow2
qemu-img info --output json ./out:image.qcow2 | jq -e '.format == "qcow2"'
qemu-img check ./out:image.qcow2
qemu-img compare -f raw -F qcow2 raw "$tmp/out:image.qcow2"

qbd import nbd:image.qcow2 mem/bytes --format raw
qbd export mem/bytes - | head -c "$(stat -c %s ./nbd:image.qcow2)" |
    cmp - ./nbd:image.qcow2

expect_error '^qbd: import: raw: qemu-img failed$' \
    qbd import raw mem/x --format qcow2
expect_error '^qbd: export: x.img: qemu-img failed$' \
    qbd export mem/image x.img --format nix
expect_error '^qbd: import: -: --format: needs a file that can seek$' \
    qbd import - mem/x --format qcow2
mkdir "$tmp/empty"
expect_error ' format qcow2 needs qemu-img, which is not installed$' \
    env PATH="$tmp/empty" "$(command -v qbd)" import nbd:image.qcow2 mem/x \
    --format qcow2
test -z "$(find "$TMPDIR" . -name '*.qbd-*' -o -path "$TMPDIR/*")"
