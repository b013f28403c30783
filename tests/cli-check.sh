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
grep '^lost: volumes/lost.raw is missing, but open and served: ' "$tmp/said"
grep '^volumes/mine.raw: belongs to no volume: ' "$tmp/said"
grep '^volumes/other: belongs to no volume: ' "$tmp/said"
grep '^cut: volumes/cut.raw ends inside a block of 512 bytes' "$tmp/said"
test "$(stat -c %s "$volumes/cut.raw")" -eq 1048580

# A file may have any name; none steers the terminal.
touch "$volumes"/$'\e[31mred\nline \302\233 \302\241\177'
expect_error 'problems that are left: 5$' qbd check demo >"$tmp/said"
grep -Fx 'volumes/\x1b[31mred\x0aline \xc2\x9b '$'\302\241''\x7f: belongs to no volume: move it away (qbd import makes a volume of it)' "$tmp/said"
rm "$volumes"/*red*

# Repaired: not a byte is lost, and the new end is served.
expect_error '^qbd: check: demo: problems that are left: 3$' \
    qbd check demo --repair >"$tmp/said"
grep '^cut: .* now at its end (repaired)$' "$tmp/said"
test "$(qbd info demo/cut --json | jq .size_bytes)" -eq 1049088
{ cat "$tmp/data"; printf tail; head -c 508 /dev/zero; } >"$tmp/expected"
qbd export demo/cut - | cmp - "$tmp/expected"
test "$(cat "$volumes/mine.raw")" = mine
test "$(cat "$volumes/other")" = other

# Scripts can tell it from a check that failed.
status=0
qbd check demo || status=$?
test $status -eq 3
status=0
qbd check nix || status=$?
test $status -eq 1

# Another file in the place of one that is open.
mv "$volumes/cut.raw" "$tmp/cut.raw"
cp "$tmp/cut.raw" "$volumes/cut.raw"
expect_error 'problems that are left: 4$' qbd check demo --repair \
             >"$tmp/said"
grep '^cut: volumes/cut.raw is not the file that is open and served: ' \
     "$tmp/said"
mv "$tmp/cut.raw" "$volumes/cut.raw"

# The file of an open volume became longer, or shorter: told only, and what
# hosts see stays.
cp "$volumes/good.raw" "$tmp/good.raw"
truncate -s 2000000 "$volumes/good.raw"
expect_error 'problems that are left: 4$' qbd check demo --repair \
             >"$tmp/said"
grep '^good: volumes/good.raw is longer than what hosts see: ' "$tmp/said"
test "$(stat -c %s "$volumes/good.raw")" -eq 2000000
test "$(qbd info demo/good --json | jq .size_bytes)" -eq 1048576
truncate -s 1M "$volumes/good.raw"
for size in 1000100 524288 0; do
    truncate -s $size "$volumes/good.raw"
    expect_error 'problems that are left: 4$' qbd check demo --repair \
                 >"$tmp/said"
    grep "^good: volumes/good.raw is shorter than what hosts see: $size of 1048576 bytes: restore it while the server is stopped\$" \
         "$tmp/said"
    test "$(stat -c %s "$volumes/good.raw")" -eq $size
    test "$(qbd info demo/good --json | jq .size_bytes)" -eq 1048576
done

# What was cut off is no hole: it is not copied as zeroes, and stays missing
# when the file has its length again.
expect_error '^qbd: resize: demo/good: its file is shorter than the volume: ' \
             qbd resize demo/good 2M
truncate -s 1M "$volumes/good.raw"
expect_error '^qbd: export: ' qbd export demo/good "$tmp/copy"
expect_error 'problems that are left: 4$' qbd check demo --repair \
             >"$tmp/said"
grep '^good: volumes/good.raw was shorter than what hosts see, ' "$tmp/said"
test "$(grep -c ': error: volume: demo/good: its file is shorter than the volume: 1000100 of 1048576 bytes: ' "$server_log")" -eq 1
stop_server
cp "$tmp/good.raw" "$volumes/good.raw"
start_server --pool demo="file:$tmp/pool"
qbd export demo/good - | cmp - "$tmp/good.raw"

# A volume that failed at start is served once its file is back.
rm "$volumes/mine.raw" "$volumes/other"
stop_server
start_server --pool demo="file:$tmp/pool"
qbd info demo/lost --json | jq -e '.state == "failed"'
expect_error 'problems that are left: 1$' qbd check demo >"$tmp/said"
grep '^lost: volumes/lost.raw is missing: restore it, or remove the volume$' \
     "$tmp/said"
mv "$tmp/lost.raw" "$volumes/lost.raw"
# Its file is right again, and it is served only after a repair.
expect_error 'problems that are left: 1$' qbd check demo >"$tmp/said"
grep '^lost: is not served (.*): a repair, or the next start of the server, tries again$' \
     "$tmp/said"
qbd check demo --repair >"$tmp/said"
grep '^lost: could not be opened, and is served now (repaired)$' "$tmp/said"
qbd info demo/lost --json | jq -e '.state == "ready"'
qbd check demo
stop_server

# Cut while no server ran, by whole blocks or by less: that is no volume of
# another size, and nothing to be repaired.
start_server --pool demo="file:$tmp/pool"
qbd export demo/cut "$tmp/cut"
stop_server
for size in 100 1049000; do
    truncate -s $size "$volumes/cut.raw"
    start_server --pool demo="file:$tmp/pool"
    qbd info demo/cut | grep "^reason .*/cut.raw is shorter than the volume: $size of 1049088 bytes: restore it"
    expect_error 'problems that are left: 1$' qbd check demo --repair \
                 >"$tmp/said"
    grep "^cut: volumes/cut.raw is shorter than the volume: $size of 1049088 bytes: restore it; " \
         "$tmp/said"
    test "$(stat -c %s "$volumes/cut.raw")" -eq $size
    cp "$tmp/cut" "$volumes/cut.raw"
    qbd check demo --repair >"$tmp/said"
    grep '^cut: could not be opened, and is served now (repaired)$' "$tmp/said"
    qbd export demo/cut - | cmp - "$tmp/cut"
    stop_server
done

# What an interrupted create or rm left: a repair removes it, row and file.
start_server --pool demo="file:$tmp/pool"
sqlite3 "$tmp/pool/qbd-pool" "
    INSERT INTO volume (name, uuid, block_size, state, created) VALUES
    ('half', '01234567-89ab-cdef-0123-456789abcdef', 512, 0, 0)"
mkdir "$volumes/half.raw"               # which cannot be removed as a file
expect_error 'problems that are left: 1$' qbd check demo >"$tmp/said"
grep '^half: was being made or removed: a repair, or the next start' \
     "$tmp/said"
expect_error 'problems that are left: 1$' qbd check demo --repair \
             >"$tmp/said"
grep '^half: pool: .*/pool: what is left of volume half cannot be removed' \
     "$tmp/said"
rmdir "$volumes/half.raw"
truncate -s 1M "$volumes/half.raw"
qbd check demo --repair >"$tmp/said"
grep '^half: .* what was left is removed now (repaired)$' "$tmp/said"
test ! -e "$volumes/half.raw"
qbd check demo
qbd create demo/half 1M
stop_server

# The catalogue itself.
sqlite3 "$tmp/pool/qbd-pool" "PRAGMA ignore_check_constraints = ON;
    UPDATE volume SET block_size = 1000 WHERE name = 'good'"
start_server --pool demo="file:$tmp/pool"
expect_error '^qbd: check: demo: problems that are left: 2$' \
    qbd check demo --repair >"$tmp/said"
grep '^qbd-pool: CHECK constraint failed in volume: ' "$tmp/said"
grep '^good: .*the row of volume good is damaged$' "$tmp/said"

# One that cannot be read, in the file and not in the server's memory: files are
# told all the same, and the start says where to read on.  An import into a new
# pool brings the volumes back.
qbd export demo/cut "$tmp/saved"
head -c 40000 /dev/zero | tr '\0' x |
    dd of="$tmp/pool/qbd-pool" bs=4096 seek=1 conv=notrunc status=none
expect_error '^qbd: check: demo: problems that are left: ' \
             qbd check demo --repair >"$tmp/said"
grep '^qbd-pool: ' "$tmp/said"
stop_server
expect_error '^qbd-server: error: catalogue: .*/qbd-pool: .*: see qbd-engine-file.7., A DAMAGED CATALOGUE$' \
             qbd-server --pool demo="file:$tmp/pool" --control "$QBD_CONTROL" \
             --listen "$QBD_SERVER"
mkdir "$tmp/new"
start_server --pool new="file:$tmp/new"
qbd import "$volumes/cut.raw" new/cut
qbd export new/cut - | cmp - "$tmp/saved"
