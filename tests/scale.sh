#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# 100 volumes, 64 NBD connections at once, and thousands of volumes made and
# removed ($QBD_SCALE_CHURN, dev/check: 10,000): no memory is lost, and
# qbd-server and nbdkit have as many descriptors afterwards as before.
source "${0%/*}/functions.sh"
requires nbdsh --version
churn=${QBD_SCALE_CHURN:-1000}

descriptors () { ls "/proc/$1/fd" | wc -l; }

# Until process $1 has at most $2 descriptors: the end of a connection is
# noticed a moment later.
export -f descriptors
settles ()
{
    timeout "$patience" bash -c \
        'until test "$(descriptors "$1")" -le "$2"; do :; done' - "$1" "$2" ||
        fail "$(cat "/proc/$1/comm") has $(descriptors "$1") descriptors," \
             "and had $2"
}

# Private memory, in KiB.
memory () { sed -n 's/^RssAnon:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$1/status"; }

# Process $1 had $2 KiB before and may have $3 more.  Sanitizers keep what was
# freed; the one for leaks judges at the end.
not_grown ()
{
    local after
    not_sanitized || return 0
    after=$(memory "$1")
    test "$after" -le $(($2 + $3)) ||
        fail "$(cat "/proc/$1/comm") grew from $2 to $after KiB"
}

mkdir "$tmp/pool"
start_server --pool "demo=file:$tmp/pool"

# make_and_remove N: from four connections at once.
make_and_remove ()
{
    python3 - "$QBD_CONTROL" "$1" <<'END'
import concurrent.futures, http.client, json, socket, sys

class Control (http.client.HTTPConnection):
    def connect (self):
        self.sock = socket.socket (socket.AF_UNIX)
        self.sock.connect (sys.argv[1])

def ask (control, method, path, body, status):
    control.request (method, path, json.dumps (body) if body else None)
    reply = control.getresponse ()
    text = reply.read ()
    assert reply.status == status, (method, path, reply.status, text)

def work (worker):
    control = Control ("qbd")
    for i in range (int (sys.argv[2]) // 4):
        name = "demo/w%d-%d" % (worker, i)
        ask (control, "POST", "/v1/volumes",
             {"name": name, "size_bytes": 1 << 20}, 201)
        ask (control, "DELETE", "/v1/volumes/" + name, None, 200)

with concurrent.futures.ThreadPoolExecutor () as pool:
    list (pool.map (work, range (4)))
END
}

: volumes that come and go
make_and_remove 400
before=$(descriptors "$server_pid")
before_kib=$(memory "$server_pid")
make_and_remove "$churn"
settles "$server_pid" "$before"
not_grown "$server_pid" "$before_kib" 512   # 10,000 times 52 bytes
qbd ls --json | jq -e '.volumes == []'

: 100 volumes
for i in {0..99}; do qbd create "demo/v$i" 1M; done
start_nbdkit qbd
test "$(nbdinfo --list --json "$uri" | jq '.exports | length')" = 100

# 64 connections to 16 of the volumes, each with a part of its own, all of
# them writing and reading before the first one ends.
use_64 ()
{
    nbdsh -c - <<END
import nbd, threading
opened = threading.Barrier (64)
written = threading.Barrier (64)
good = []

def client (n):
    h = nbd.NBD ()
    h.set_export_name ("demo/v%d" % ($1 + n % 16))
    h.connect_unix ("$socket")
    opened.wait ()
    part = n // 16 * 65536
    for i in range (16):
        h.pwrite (bytes ([n + i]) * 4096, part + i * 4096)
    h.flush ()
    written.wait ()
    for i in range (16):
        assert h.pread (4096, part + i * 4096) == bytes ([n + i]) * 4096
    h.shutdown ()
    good.append (n)

threads = [threading.Thread (target=client, args=(n,)) for n in range (64)]
for t in threads: t.start ()
for t in threads: t.join ()
assert len (good) == 64
END
}

: the first rounds show how much is kept for the next connections
use_64 0
use_64 0
timeout "$patience" bash -c 'until qbd ls --json |
    jq -e "[.volumes[].attached] | add <= 4"; do :; done'
nbdkit_before=$(descriptors "$nbdkit_pid")
before=$(descriptors "$server_pid")
before_kib=$(memory "$server_pid")
nbdkit_kib=$(memory "$nbdkit_pid")
for first in 16 32 48 64 80; do use_64 $first; done
settles "$nbdkit_pid" "$nbdkit_before"
settles "$server_pid" "$before"
not_grown "$server_pid" "$before_kib" 1024
not_grown "$nbdkit_pid" "$nbdkit_kib" 8192

: all of them at once on one volume
stop_nbdkit
start_nbdkit qbd demo/v0 nr_io_queues=4
nbdinfo --size "$uri"
one=$(descriptors "$nbdkit_pid")
nbdcopy --connections=64 -- "$uri" null:
nbdsh -c - <<END
import nbd
hs = [nbd.NBD () for _ in range (64)]
for h in hs: h.connect_uri ("$uri")
for n, h in enumerate (hs): h.pwrite (bytes ([n]) * 512, n * 512)
hs[0].flush ()
for n, h in enumerate (reversed (hs)):
    assert h.pread (512, n * 512) == bytes ([n]) * 512
END
settles "$nbdkit_pid" "$one"

: and back to where it was
stop_nbdkit
timeout "$patience" bash -c 'until qbd ls --json |
    jq -e "[.volumes[].attached] | add == 0"; do :; done'
for i in {0..99}; do qbd rm "demo/v$i"; done
stop_server
