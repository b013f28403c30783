#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# qbd-server's options: defaults, --help, the configuration file, and each
# mistake in one sentence.
source "${0%/*}/functions.sh"
requires jq --version

# says STATUS LINE ARG...: qbd-server ends, with this line as its last.
says ()
{
    local expected=$1 line=$2 status=0
    shift 2
    timeout "$patience" qbd-server --control "$tmp/ctl" "$@" \
            >"$tmp/stdout" 2>"$tmp/stderr" </dev/null || status=$?
    test $status -eq "$expected" || fail "status $status: $*"
    test "$(tail -n 1 "$tmp/stderr")" = "qbd-server: error: $line" ||
        fail "$* said: $(cat "$tmp/stderr")"
    test ! -e "$tmp/ctl"
}

says 2 'option: --pooll: unknown, did you mean --pool?' --pooll a=ram:
says 2 'option: -z: unknown' -z
says 2 'option: --listen: needs a value' --listen
says 2 'argument: a=ram:: none is expected' a=ram:
says 2 'pool: a: engine: raam: unknown, did you mean ram?' --pool a=raam:
says 2 'pool: a: given twice' --pool a=ram: --pool a=ram:
says 2 'reactors: 0: must be a number from 1 to 64' --reactors 0
says 2 'poll_us: 1001: must be a number from 0 to 1000' --poll-us 1001
expect_error '^qbd-server: error: listen: tpc://x: unknown scheme, did you mean tcp://' \
             qbd-server --listen tpc://x --pool a=ram:
# No RDMA device has that address, if there is RDMA at all.
expect_error '^qbd-server: error: listen: rdma://127.0.0.1:4420: .*RDMA' \
             qbd-server --control "$tmp/c" --listen rdma://127.0.0.1 \
             --pool a=ram:
expect_error '^qbd-server: error: listen: tcp://h:99999: the port' \
             qbd-server --listen tcp://h:99999 --pool a=ram:
: >"$tmp/empty.conf"
says 1 'pool: none is given: add --pool NAME=file:DIR, or /etc/qbd/server.conf' \
     -c "$tmp/empty.conf"
expect_error '^qbd-server: error: output: No space left on device$' \
             bash -c 'qbd-server --help >/dev/full'
expect_error '^qbd-server: error: output: No space left on device$' \
             bash -c 'qbd-server --version >/dev/full'

# Directories that are no pool.
says 1 "pool: $tmp/none: No such file or directory: make an empty directory first" \
     --pool a="file:$tmp/none"
mkdir "$tmp/full"
echo precious >"$tmp/full/data"
expect_error "^qbd-server: error: pool: $tmp/full: " \
             qbd-server --control "$tmp/ctl" --pool a="file:$tmp/full"
test "$(cat "$tmp/full/data")" = precious
test "$(ls "$tmp/full")" = data

# A control socket that cannot be.
expect_error "^qbd-server: error: control: $tmp/no/such: cannot make this directory: No such file or directory; name a socket with --control$" \
             qbd-server --control "$tmp/no/such/socket" \
             --listen "unix://$tmp/other.sock" --pool b=ram:
test ! -e "$tmp/other.sock"

# An address that is taken.
start_server --listen tcp://127.0.0.1:0 --pool mem=ram:
address=$(tcp_address)
says 1 "listen: $address: Address already in use" \
     --listen "$address" --pool b=ram:
# A control socket that is served.
expect_error "^qbd-server: error: listen: unix://$QBD_CONTROL: another process" \
             qbd-server --control "$QBD_CONTROL" \
             --listen "unix://$tmp/other.sock" --pool b=ram:
test ! -e "$tmp/other.sock"
qbd status
stop_server
