#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The server keeps nothing: volumes, their identity and what was set of them
# are the same after a restart, after a kill, and on a second gateway.
source "${0%/*}/functions.sh"
start_cluster
rbd create rbd/theirs --size 8M
start_gateway
qbd create demo/ours 8M --block-size 4096
qbd set demo/ours read_only=on  # at once: it is closed and opened
qbd set demo/ours read_only=off
until_so qbd info demo/theirs
qbd set demo/theirs read_only=on
qbd host add demo/ours nqn.2014-08.org.example:host1

settings ()
{
    for name in ours theirs; do
        qbd info "demo/$name" --json |
            jq -cS '{name, size_bytes, block_size, read_only, uuid, nqn,
                     serial, allowed_hosts}'
    done
}
qbd info demo/ours --json
first=$(settings)
grep -q '"block_size":4096' <<<"$first"
grep -q '"read_only":true' <<<"$first"
grep -q org.example:host1 <<<"$first"
test "$(jq -r .uuid <<<"$first" | sort -u | wc -l)" = 2

stop_server
start_gateway
test "$(settings)" = "$first"
kill_server
start_gateway
test "$(settings)" = "$first"
# The first goes on beside it.
control=$QBD_CONTROL
start_second
QBD_CONTROL=$second_control
until_so qbd info demo/ours
test "$(settings)" = "$first"
QBD_CONTROL=$control
test "$(settings)" = "$first"

# A clone is another volume, and so is what is made anew under an old name.
stop_server
rbd snap create rbd/theirs@s
rbd clone rbd/theirs@s rbd/clone --rbd-default-clone-format 2
start_gateway
until_so qbd info demo/clone
test "$(qbd info demo/clone --json | jq -r .uuid)" != \
     "$(qbd info demo/theirs --json | jq -r .uuid)"
old=$(qbd info demo/ours --json | jq -r .uuid)
qbd rm demo/ours
qbd create demo/ours 8M
test "$(qbd info demo/ours --json | jq -r .uuid)" != "$old"

# With a data pool, and a pool that is not among the first, the names of an
# image's objects are long: all of them counts.
stop_server
for n in {2..10}; do
    cluster ask 'osd pool create' pool="pool$n"
done
rbd create pool10/split --size 8M --data-pool pool2
start_server --pool "demo=rbd:pool10?id=admin"
qbd info demo/split --json >"$tmp/split.json"
prefix=$(rbd info pool10/split --format json | jq -r .block_name_prefix)
test ${#prefix} -ge 24
python3 - "$tmp/split.json" "$prefix" <<'END'
import json, sys, uuid
info = json.load (open (sys.argv[1]))
domain = info["nqn"].split (":")[1]
assert str (uuid.uuid5 (uuid.UUID (domain), sys.argv[2])) == info["uuid"], info
END
