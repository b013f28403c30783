#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The plugin's control= names the request that does not come back: on the wire
# while the server is frozen, waiting for a connection when it is gone; also of
# an nbdkit in the background.
source "${0%/*}/functions.sh"
requires jq --version
requires curl --version
requires nbdsh --version

start_volume 16M
control=$tmp/nbdkit.control
# The server stands still for longer than five seconds on a slow machine.
start_nbdkit qbd volume=demo/disk control="$control" queue_size=3 \
             keep_alive_tmo=60
list () { qbd inflight "$@" --control "$control" --json; }

nbdinfo --size "$uri"           # it is ready when it serves
test "$(stat -c %a "$control")" = 660
list | jq -e '.program == "nbdkit" and .requests == [] and .more == 0'

# Three reads, of which the queue holds two.  Nothing tells when nbdkit has them
# all but the list itself.
kill -STOP "$server_pid"
cleanup_fn eval 'kill -CONT "$server_pid" 2>/dev/null || :'
coproc nbdsh -u "$uri" -c '
import nbd
bufs = [nbd.Buffer (4096) for _ in range (3)]
for i, b in enumerate (bufs):
    h.aio_pread (b, 8192 * (i + 1), lambda error: 1)
while h.aio_in_flight () > 0:
    h.poll (-1)' 2>"$tmp/nbdsh.log"
reading=$COPROC_PID
exec 7<&"${COPROC[0]}"
seen ()                         # CONDITION: until the list has it
{
    timeout "$patience" bash -c '
        until qbd inflight --control "$0" --json | tee "$1" | jq -e "$2"; do
            :
        done' "$control" "$tmp/list" "$1" >"$tmp/seen" ||
        fail "not seen: $1: $(cat "$tmp/list")"
}
seen '[.requests[].stage] | sort == ["slot", "wire", "wire"]'
jq -e '.requests[0] | .op == "read" and .stage == "wire" and
       .length_bytes == 4096 and .volume == "demo/disk" and .qid == 1 and
       (.path | startswith ("unix:///"))' "$tmp/list"
jq -e '[.requests[].offset_bytes] | sort == [8192, 16384, 24576]' "$tmp/list"
# What it says grows old, oldest first, and is in the table.
seen '.requests[0].age_ms >= 200'
jq -e '[.requests[].age_ms] | . == (sort | reverse)' "$tmp/list"
qbd inflight demo/disk --control "$control" |
    grep -E '^ *[0-9.]+  wire +-  read +[0-9]+ +4096  demo/disk  unix:'
list demo/other | jq -e '.requests == []'

# A part of a block waits for another in the same place.
kill -CONT "$server_pid"
wait "$reading"
kill -STOP "$server_pid"
coproc nbdsh -c '
h.set_strict_mode (0)
h.connect_uri ("'"$uri"'")
for i in range (2):
    h.aio_pwrite (b"x" * 100, 1000 * i, lambda error: 1)
while h.aio_in_flight () > 0:
    h.poll (-1)' 2>"$tmp/nbdsh2.log"
reading=$COPROC_PID
seen '[.requests[].stage] | sort == ["range", "wire"]'
jq -e '.requests[] | select (.stage == "range") | .op == "write" and
       .length_bytes == 100 and .volume == "demo/disk"' "$tmp/list"

# Gone, and back.
kill_server
seen '[.requests[].stage] | sort == ["connection", "range"]'
start_server --pool demo="$pool_url"
wait "$reading"
list | jq -e '.requests == []'

# Who asks for something else, or says nothing, keeps nobody from asking.
test "$(curl -sS --unix-socket "$control" -o "$tmp/body" -w '%{http_code}' \
             http://qbd/v1/volumes)" = 404
jq -e .error.message "$tmp/body"
test "$(curl -sS --unix-socket "$control" -o "$tmp/body" -w '%{http_code}' \
             -d x http://qbd/v1/inflight)" = 405
expect_error '^qbd: control: there is no such path here$' qbd ls --control "$control"
stop_nbdkit
test ! -e "$control"

expect_error "control: $tmp/nowhere/x: |listen: unix://$tmp/nowhere/x: " \
    nbdkit -f -U - qbd demo/disk control="$tmp/nowhere/x" --run true

# In the background nbdkit is another process, in another directory.
cd "$tmp"
mkfifo "$tmp/background.pid"    # who writes it goes on without its parent
nbdkit -P "$tmp/background.pid" -U "$tmp/background" qbd demo/disk \
       control=background.control
read -r -t "$patience" pid <"$tmp/background.pid"
cleanup_fn eval "kill $pid && _wait_gone $pid"
nbdinfo --size "nbd+unix:///?socket=$tmp/background"
qbd inflight --control "$tmp/background.control" --json |
    jq -e '.requests == []'
