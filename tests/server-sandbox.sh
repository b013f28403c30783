#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The sandbox holds for all threads of the server; what a pool's links point
# to outside is out of reach; SIGHUP says what takes a restart, and
# --sandbox=off takes it away.
source "${0%/*}/functions.sh"

says ()
{
    expect_error "^qbd-server: error: $1\$" qbd-server "${@:2}" --pool a=ram:
}
says 'sandbox: yes: must be on or off' --sandbox yes

of_threads ()                   # what they have of FIELD
{
    awk -v field="$1:" '$1 == field { print $2 }' \
        /proc/"$server_pid"/task/*/status | sort -u
}

mkdir "$tmp/more" "$tmp/more/new" "$tmp/other"
configure ()                    # with these pools
{
    printf '[pool %s]\nurl = file:%s\n' "$@" >"$tmp/server.conf"
}
mkdir "$tmp/pool"
configure demo "$tmp/pool"
start_server -c "$tmp/server.conf" --sandbox-path "$tmp/more"
test "$(of_threads Seccomp)" = 2
test "$(of_threads NoNewPrivs)" = 1
qbd create demo/disk 1M
# The kernel's word: landlock_create_ruleset says the version of its ABI.
requires python3 -c 'import ctypes, sys
sys.exit (ctypes.CDLL (None).syscall (444, None, 0, 1) < 2)'
grep -q ': sandbox: Landlock [0-9]*, seccomp$' "$server_log"

# A pool in a directory that it knows of, and one elsewhere.
configure demo "$tmp/pool" new "$tmp/more/new"
kill -s HUP "$server_pid"
wait_for_line "$server_log" ': reload: .*/server.conf: log level info$'
qbd create new/disk 1M
configure demo "$tmp/pool" new "$tmp/more/new" other "$tmp/other"
kill -s HUP "$server_pid"
wait_for_line "$server_log" \
    ": error: sandbox: other: $tmp/other: the server cannot reach it since its start: restart it, or see sandbox_path; reload: nothing is changed\$"
qbd info new/disk
test -z "$(ls "$tmp/other")"
stop_server

# What was moved elsewhere is not followed.
mv "$tmp/pool/volumes" "$tmp/elsewhere"
ln -s "$tmp/elsewhere" "$tmp/pool/volumes"
start_server --pool "demo=file:$tmp/pool"
grep -q ": error: open: demo/disk: .*: Permission denied; demo/disk is not served\$" \
     "$server_log"
# Nor does a check say that all is well, or a repair, which tries in vain.
for repair in "" --repair; do
    expect_error 'problems that are left: 1$' qbd check demo $repair \
                 >"$tmp/said"
    grep '^disk: is not served (.*: Permission denied)' "$tmp/said"
done
stop_server
start_server --pool "demo=file:$tmp/pool" --sandbox off
test "$(of_threads NoNewPrivs)" = "$(awk '$1 == "NoNewPrivs:" { print $2 }' \
                                         /proc/self/status)"
qbd info demo/disk
