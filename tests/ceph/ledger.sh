# SPDX-License-Identifier: BSD-3-Clause
#
# A load that knows what every block has to be, so that it notices one that is
# older; after functions.sh.
#
#   start_ledger OFFSET BLOCKS  write blocks of 4 KiB over $uri, a few at a time,
#                    from this offset on, each after it was read: it is what was
#                    written last
#   ledger_goes_on   wait for some more of them
#   end_ledger       it stops, and reads all of them

start_ledger ()
{
    cleanup_fn touch "$tmp/ledger.stop"
    patience=$((patience * 4)) nbdsh -u "$uri" -c - \
        >"$tmp/ledger.log" 2>&1 <<END &
import os, random, struct
OFFSET, BLOCK, BLOCKS, DEPTH = $1, 4096, $2, 4
random.seed (8)
last = [0] * BLOCKS             # the number that was written last
count = said = 0
reads, writes = {}, {}          # block: cookie (and buffer)
def pattern (block, number):
    if number == 0:
        return bytes (BLOCK)
    return struct.pack ("<QQ", block, number) * (BLOCK // 16)
def check (block, data):
    assert data == pattern (block, last[block]), (
        block, last[block], struct.unpack_from ("<QQ", data))
def begin ():
    block = random.randrange (BLOCKS)
    if block not in reads and block not in writes:
        buffer = nbd.Buffer (BLOCK)
        reads[block] = h.aio_pread (buffer, OFFSET + block * BLOCK), buffer
def write (block):
    global count
    count += 1
    last[block] = count
    writes[block] = h.aio_pwrite (pattern (block, count),
                                  OFFSET + block * BLOCK)
def reap ():
    h.poll (-1)
    for block, cookie in list (writes.items ()):
        if h.aio_command_completed (cookie):
            del writes[block]
    for block, (cookie, buffer) in list (reads.items ()):
        if h.aio_command_completed (cookie):
            del reads[block]
            check (block, buffer.to_bytearray ())
            write (block)
while not os.path.exists ("$tmp/ledger.stop"):
    while len (reads) + len (writes) < DEPTH:
        begin ()
    reap ()
    if count - said >= 100:
        said = count
        print ("written", count, flush=True)
while reads or writes:
    reap ()
h.flush ()
for block in range (BLOCKS):
    check (block, h.pread (BLOCK, OFFSET + block * BLOCK))
print ("verified", count, flush=True)
END
    ledger=$!
    _pids+=("$ledger nbdsh")
}

_ledger_written () { grep -c '^written' "$tmp/ledger.log" || :; }
_ledger_is_past () { test "$(_ledger_written)" -gt "$1"; }

ledger_goes_on ()
{
    until_so _ledger_is_past "$(_ledger_written)"
    kill -0 $ledger || fail "the load has ended: $(cat "$tmp/ledger.log")"
}

end_ledger ()
{
    touch "$tmp/ledger.stop"
    wait $ledger || fail "$(cat "$tmp/ledger.log")"
    grep '^verified' "$tmp/ledger.log"
}
