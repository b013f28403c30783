#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# check finds what is wrong in a damaged pool, repairs what loses nothing, and
# removes nothing.
source "${0%/*}/functions.sh"
requires jq --version
requires sqlite3 --version

mkdir "$tmp/pool"
volumes=$tmp/pool/volumes
start_server --pool demo="file:$tmp/pool" --pool mem=ram:
for name in good lost cut; do
    qbd create demo/$name 1M
done
head -c 1M /dev/urandom >"$tmp/data"
qbd import "$tmp/data" demo/cut
qbd check demo >"$tmp/said"
test ! -s "$tmp/said"
qbd check mem
qbd check demo --json |
    jq -e '.pool == "demo" and .volumes == 3 and .findings == []'
expect_error '^qbd: check: nix: no such pool$' qbd check nix

# Found and left alone.
mv "$volumes/lost.raw" "$tmp/lost.raw"
echo mine >"$volumes/mine.raw"
echo other >"$volumes/other"
printf tail >>"$volumes/cut.raw"
expect_error '^qbd: check: demo: problems that are left: 4$' \
    qbd check demo >"$tmp/said"
grep '^lost: volumes/lost.raw is missing: restore it, or remove the volume$' \
     "$tmp/said"
grep '^volumes/mine.raw: belongs to no volume: ' "$tmp/said"
grep '^volumes/other: belongs to no volume: ' "$tmp/said"
grep '^cut: volumes/cut.raw ends inside a block of 512 bytes' "$tmp/said"
test "$(stat -c %s "$volumes/cut.raw")" -eq 1048580

# Repaired: not a byte is lost, and the new end is served.
expect_error '^qbd: check: demo: problems that are left: 3$' \
    qbd check demo --repair >"$tmp/said"
grep '^cut: .* now at its end (repaired)$' "$tmp/said"
test "$(qbd info demo/cut --json | jq .size_bytes)" -eq 1049088
{ cat "$tmp/data"; printf tail; head -c 508 /dev/zero; } >"$tmp/expected"
qbd export demo/cut - | cmp - "$tmp/expected"
test "$(cat "$volumes/mine.raw")" = mine
test "$(cat "$volumes/other")" = other

# A volume that failed at start is served once its file is back.
rm "$volumes/mine.raw" "$volumes/other"
stop_server
start_server --pool demo="file:$tmp/pool"
qbd info demo/lost --json | jq -e '.state == "failed"'
mv "$tmp/lost.raw" "$volumes/lost.raw"
qbd check demo --repair >"$tmp/said"
grep '^lost: could not be opened, and is served now (repaired)$' "$tmp/said"
qbd info demo/lost --json | jq -e '.state == "ready"'
qbd check demo
stop_server

# The catalogue itself.
sqlite3 "$tmp/pool/qbd-pool" "PRAGMA ignore_check_constraints = ON;
    UPDATE volume SET block_size = 1000 WHERE name = 'good'"
start_server --pool demo="file:$tmp/pool"
expect_error '^qbd: check: demo: problems that are left: 2$' \
    qbd check demo --repair >"$tmp/said"
grep '^qbd-pool: CHECK constraint failed in volume: ' "$tmp/said"
grep '^good: .*the row of volume good is damaged$' "$tmp/said"
