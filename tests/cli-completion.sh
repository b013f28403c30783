#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# bash completes commands, options, volumes, pools and files.
source "${0%/*}/functions.sh"

start_server --pool mem=ram: --pool other=ram:
qbd create mem/one 1M
qbd create mem/two 1M
qbd create other/three 1M
source "$srcdir/completions/qbd"
cd "$tmp"
touch a-file

# completes EXPECTED WORD...: the last word is the one being typed
completes ()
{
    local expected=$1
    shift
    COMP_WORDS=(qbd "$@")
    COMP_CWORD=$#
    _qbd
    test "$(printf '%s\n' "${COMPREPLY[@]}" | sort | paste -sd' ')" = \
         "$expected" || fail "qbd $*: ${COMPREPLY[*]}, not $expected"
}

completes 'resize rm' r
completes 'set status' s
completes import im
completes '--json' --j
completes '--format --from' import --f
completes '--shrink' resize mem/one 1G --s
completes 'mem/one mem/two' info mem/
completes 'other/three' --json rm o
completes 'mem/two' import a-file mem/tw
completes a-file import a-f
completes a-file export mem/one a
completes 'mem/one' export --format raw mem/o
completes 'mem other' ls ''
completes '4096 512' create mem/x 1G --block-size ''
completes '' create mem/x 1
completes 'add ls reset rm' host ''
completes 'delay duplicate' torture unix:///x --faults d
completes 'nbd+unix:/// nbd://' torture n
completes 'mem/one' torture unix:///x --seed 3 mem/o
completes 'mix' bench mem/one --io-type m
completes 'mem/one' bench --depth 3 mem/o
completes 'mem/one' host ls mem/o
completes 'any' host add mem/one a
completes 'read_only=off read_only=on' set mem/one read
# bash gives words in pieces at these, and wants the last piece back.
COMP_WORDBREAKS=$' \t\n"\'><=;|&(:'
completes 'off on' set mem/one read_only =
completes 'off on' set mem/one read_only = o
completes 'off' set mem/one read_only = of
completes 'raw' export --format = r
completes 'mem/one' export --format = raw mem/o
completes 'mem/one' --control = "$QBD_CONTROL" info mem/o
completes '' --control = "$tmp/nobody" info mem/o
completes 'a-file' --control = a-
touch 'a=b:c'
completes 'c' import a = b : ''
# Hosts: not where none is taken; those that are on the list.
completes 'any' host add mem/two a
completes '' host ls mem/two ''
completes '' host reset mem/two ''
qbd host add mem/two nqn.2026-11.example:one
qbd host add mem/two nqn.2026-11.example:two
completes 'nqn.2026-11.example:one nqn.2026-11.example:two' host rm mem/two n
completes 'two' host rm mem/two nqn.2026-11.example : t
completes 'one two' --control "$QBD_CONTROL" \
          host rm mem/two nqn.2026-11.example :
completes '' pools ''
# The server that is named, and none.
completes 'mem/one' --control "$QBD_CONTROL" info mem/o
completes '' --control "$tmp/nobody" info mem/o

# The server's.
source "$srcdir/completions/qbd-server"
server_completes ()
{
    local expected=$1
    shift
    COMP_WORDS=(qbd-server "$@")
    COMP_CWORD=$#
    _qbd_server
    test "$(printf '%s\n' "${COMPREPLY[@]}" | sort | paste -sd' ')" = \
         "$expected" || fail "qbd-server $*: ${COMPREPLY[*]}, not $expected"
}
server_completes '--control' --cont
server_completes '--config --control' --con
server_completes 'a-file' -c a-
server_completes 'a-file' --config = a-
server_completes 'tcp://' --listen t
server_completes '' --pool x
server_completes '' --pool demo =
server_completes '' --pool demo = f
server_completes '' --limit connections = ''

: a server that is frozen is not waited for
kill -STOP "$server_pid"
SECONDS=0
completes '' info mem/o
kill -CONT "$server_pid"
test $SECONDS -lt 8 || fail "completion took $SECONDS s"
