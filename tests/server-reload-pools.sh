#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# SIGHUP opens the pools that are new in the configuration file and closes
# those that are gone from it, unless a host is attached; what cannot be
# opened changes nothing.
source "${0%/*}/functions.sh"
requires jq --version

# configure NAME=URL...
configure ()
{
    local pool
    echo '[server]' >"$tmp/server.conf"
    for pool; do
        printf '%s\n' "[pool ${pool%%=*}]" "url = ${pool#*=}"
    done >>"$tmp/server.conf"
}

# Until it is over; $since is what was logged before it.
reload ()
{
    since=$(wc -l <"$server_log")
    kill -s HUP "$server_pid"
    grep -Eq ': reload: .*log level|nothing is changed$' \
         < <(timeout "$patience" tail -n +$((since + 1)) -s 0.1 -f \
                     "$server_log") || fail "no reload"
}
logged ()
{
    tail -n +$((since + 1)) "$server_log" | grep -E -- "$1"
}
# Until the server knows that the host has left b/disk.
detach ()
{
    local cntlid
    cntlid=$(qbd info b/disk --json | jq '.hosts[0].cntlid')
    stop_nbdkit
    wait_for_line "$server_log" ":b/disk: controller $cntlid .* has left"
}
pools_are ()
{
    qbd pools --json | jq -e '[.pools[].name] == $ARGS.positional' --args "$@"
}

mkdir "$tmp"/{a,b,c}
configure a="file:$tmp/a"
# In a sandbox only root sees its descriptors.
start_server -c "$tmp/server.conf" --sandbox off
qbd create a/disk 1M

# A new one, which is made of an empty directory, serves at once.
configure a="file:$tmp/a" b="file:$tmp/b" mem=ram:
reload
pools_are a b mem
qbd create b/disk 1M
start_nbdkit qbd b/disk
nbdsh -u "$uri" -c 'h.pwrite (b"b" * 4096, 0); h.flush ()'
# Nobody else may have it.
expect_error "in use by process $server_pid$" \
             qbd-server --pool "b=file:$tmp/b" --control "$tmp/other" \
             --listen tcp://127.0.0.1:0

# It is gone from the file, and a host is attached: it stays.
configure a="file:$tmp/a"
reload
logged ': warning: reload: b/disk: attached by nqn.*; pool b stays: reload again when no host is attached$'
logged ': pool: mem: closed$'
pools_are a b
nbdsh -u "$uri" -c 'assert h.pread (4096, 0) == b"b" * 4096'
detach

# Another server may have it as soon as it is closed.
reload
logged ': pool: b: closed$'
pools_are a
expect_error ': info: b: no such pool$' qbd info b/disk
expect_error 'b/disk' nbdkit -f qbd b/disk
qbd-server --pool "b=file:$tmp/b" --listen "unix://$tmp/other.sock" \
           --control "$tmp/other" </dev/null 2>"$tmp/other.log" &
other=$!
_pids+=("$other qbd-server")
wait_for_line "$tmp/other.log" ': ready$'
start_nbdkit -r qbd b/disk server="unix://$tmp/other.sock"
nbdsh -u "$uri" -c 'assert h.pread (4096, 0) == b"b" * 4096'
stop_nbdkit
_end $other TERM

# One of two new ones cannot be opened: neither is there, nor is any other
# change made.
rmdir "$tmp/c"
configure b="file:$tmp/b" c="file:$tmp/c"
reload
logged ": error: pool: $tmp/c: No such file or directory.*; reload: nothing is changed\$"
pools_are a
qbd info a/disk
mkdir "$tmp/c"
reload
pools_are b c
qbd info b/disk

# The same pool, in another way; when that cannot be, as it was.
configure b="file:$tmp/b?cache=buffered" c="file:$tmp/c"
reload
qbd pools --json |
    jq -e --arg url "file:$tmp/b?cache=buffered" '.pools[0].url == $url'
start_nbdkit qbd b/disk
nbdsh -u "$uri" -c 'assert h.pread (4096, 0) == b"b" * 4096'
configure b="file:$tmp/b" c="file:$tmp/c"
reload
logged ': warning: reload: b/disk: attached by nqn.*; pool b is not changed$'
detach
configure b="file:$tmp/none" c="file:$tmp/c"
reload
logged ": error: pool: $tmp/none: No such file .*; reload: nothing is changed\$"
qbd info b/disk
pools_are b c

# What only memory holds is not closed for an url with a mistake, nor for a
# pool that another server has; and nothing else of the file happens then.
configure b="file:$tmp/b" c="file:$tmp/c" mem=ram:
reload
qbd create mem/disk 1M
start_nbdkit qbd mem/disk
nbdsh -u "$uri" -c 'h.pwrite (b"m" * 4096, 0); h.flush ()'
cntlid=$(qbd info mem/disk --json | jq '.hosts[0].cntlid')
stop_nbdkit
wait_for_line "$server_log" ":mem/disk: controller $cntlid .* has left"
mem_is_there ()
{
    qbd export mem/disk - | cmp -n 4096 - <(printf 'm%.0s' {1..4096})
}
mkdir "$tmp/new" "$tmp/full"
echo mine >"$tmp/full/mine"
for url in 'ram:?x' "file:$tmp/none" "file:$tmp/full" \
           "file:$tmp/new?cache=fast" 'file:' 'rom:'; do
    configure new="file:$tmp/new" b="file:$tmp/b?cache=buffered" mem="$url"
    reload
    logged ': error: .*; reload: nothing is changed$'
    pools_are b c mem
    mem_is_there
    qbd pools --json | jq -e --arg url "file:$tmp/b" '.pools[0].url == $url'
    test -z "$(ls "$tmp/new")"
done
mkdir "$tmp/theirs"
qbd-server --pool "x=file:$tmp/theirs" --listen "unix://$tmp/other.sock" \
           --control "$tmp/other" </dev/null 2>"$tmp/theirs.log" &
other=$!
_pids+=("$other qbd-server")
wait_for_line "$tmp/theirs.log" ': ready$'
configure b="file:$tmp/b" c="file:$tmp/c" mem="file:$tmp/theirs"
reload
logged ": warning: .*in use by process $other; pool mem is not changed\$"
mem_is_there
_end $other TERM
reload
logged ": pool: mem: file:$tmp/theirs, 0 volumes\$"
configure b="file:$tmp/b" c="file:$tmp/c"
reload
pools_are b c

# Many times: nothing is left behind.
descriptors ()
{
    ls "/proc/$server_pid/fd" | wc -l
}
before=$(descriptors)
for i in $(seq 10); do
    configure b="file:$tmp/b" c="file:$tmp/c" a="file:$tmp/a"
    reload
    pools_are b c a
    configure b="file:$tmp/b" c="file:$tmp/c"
    reload
    pools_are b c
done
test "$(descriptors)" -le "$before"     # that of a client may be gone since
stop_server
