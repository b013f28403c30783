#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# fio writes at random, 16 requests at a time, and verifies all of it.
source "${0%/*}/functions.sh"
requires sh -c 'fio --enghelp | grep -w nbd'
start_volume 64M
start_nbdkit qbd volume=demo/disk
cd "$tmp"
fio --name=verify --ioengine=nbd --uri="$uri" --rw=randwrite --bs=4k \
    --bsrange=512-64k --size=64M --io_size=32M --iodepth=16 \
    --verify=crc32c --do_verify=1 --verify_fatal=1 --verify_state_save=0 \
    >"$tmp/fio.log"
grep -q 'err= 0' "$tmp/fio.log"
