#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Without volume= the export name picks the volume, and the list of exports
# is the discovery log.
source "${0%/*}/functions.sh"
requires nbdsh --version

# Its own pools: two with a volume each.
start_server --pool a=ram: --pool b=ram:
start_nbdkit qbd
for_export () { echo "nbd+unix:///$1?socket=$socket"; }
names () { nbdinfo --list --json "$uri" | jq -c '[.exports[]."export-name"]'; }

# No volume: nothing to list, and the default export is an error that says so.
test "$(names)" = "[]"
expect_error . nbdinfo --size "$uri"
wait_for_line "$nbdkit_log" 'error: export: "": the server has no volume'

# The only one is the default export.
qbd create a/one 8M
test "$(names)" = '["a/one"]'
test "$(nbdinfo --size "$uri")" = 8388608
nbdsh -c - <<END
h.set_full_info (True)
h.connect_uri ("$uri")
assert h.get_canonical_export_name () == "a/one"
assert h.get_export_description ().endswith (":a/one")
END

# Each name has its own data, whatever its size; the NQN is a name, too.
qbd create b/two 16M
test "$(names)" = '["a/one","b/two"]'
nbdinfo --list --json "$uri" | jq -e --arg nqn \
    "$(qbd info b/two --json | jq -r .nqn)" '.exports[1].description == $nqn'
nqn=$(qbd info b/two --json | jq -r .nqn)
test "$(nbdinfo --size "$(for_export b/two)")" = 16777216
nbdsh -c - <<END
import nbd, threading
def connect (name):
    n = nbd.NBD ()
    n.set_strict_mode (n.get_strict_mode () & ~nbd.STRICT_ALIGN)
    n.set_export_name (name)
    n.connect_unix ("$socket")
    return n
one, two, same = connect ("a/one"), connect ("b/two"), connect ("$nqn")
one.pwrite (b"1" * 700, 100)
two.pwrite (b"2" * 700, 100)
same.pwrite (b"3" * 100, 200)
same.flush ()
assert one.pread (700, 100) == b"1" * 700
assert two.pread (700, 100) == b"2" * 100 + b"3" * 100 + b"2" * 500

# Under both of its names it is one volume: parts of a block are kept apart.
def write (n, offset):
    for i in range (300):
        data = bytes ([i % 256]) * 100
        n.pwrite (data, offset)
        assert n.pread (100, offset) == data, offset
        done.append (offset)
done = []
threads = [threading.Thread (target=write, args=a)
           for a in ((two, 4096), (same, 4196))]
for t in threads: t.start ()
for t in threads: t.join ()
assert len (done) == 600
END

# Which of two?  And names that are not there.
expect_error . nbdinfo --size "$uri"
wait_for_line "$nbdkit_log" \
    'error: export: "": the server has 2 volumes: ask for one by its name'
expect_error . nbdinfo --size "$(for_export b/tow)"
wait_for_line "$nbdkit_log" 'open: b/tow: no such volume .*; did you mean b/two'
expect_error . nbdinfo --size "$(for_export ../etc)"
wait_for_line "$nbdkit_log" 'export: pool: ..: a name cannot hold'
stop_nbdkit

# With volume= the name is ignored.
start_nbdkit qbd volume=a/one
test "$(nbdinfo --size "$(for_export b/two)")" = 8388608
test "$(names)" = '[""]'
stop_nbdkit

# At start discovery must work.
stop_server
expect_error "connect: ${QBD_SERVER%%:*}://.*: " nbdkit -f -U - qbd --run true
