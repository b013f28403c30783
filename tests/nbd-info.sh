#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# nbdinfo sees the size, the block sizes and what the volume can do.
source "${0%/*}/functions.sh"
start_volume 10M
start_nbdkit qbd volume=demo/disk
nbdinfo --json "$uri" >"$tmp/info"
cat "$tmp/info"
jq -e '.exports[0] |
    ."export-size" == 10485760 and
    ."block_size_minimum" == 512 and
    ."block_size_preferred" >= 4096 and
    ."is_read_only" == false and
    ."can_flush" and ."can_fua" and ."can_trim" and ."can_zero" and
    ."can_multi_conn" and
    ."is_rotational" == false and ."can_cache"' "$tmp/info"
nbdinfo --is rotational "$uri" && fail "rotational"
nbdinfo --can cache "$uri"
nbdsh -u "$uri" -c 'assert not h.is_rotational ()' \
      -c 'h.cache (1024 * 1024, 4096)'
