#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Who may connect and read, as SECURITY.md says: by default the world may do
# nothing, and the server is on loopback only.
source "${0%/*}/functions.sh"
umask 000                       # whatever the caller's is
mkdir "$tmp/pool"
start_server --pool "demo=file:$tmp/pool" --control "$tmp/new/control" \
             --listen "unix://$tmp/server.sock"
export QBD_CONTROL=$tmp/new/control
qbd create demo/disk 1M
mode () { stat -c %a "$1"; }
test "$(mode "$tmp/new/control")" = 660
case $(id -u),$(mode "$tmp/new") in
    0,755 | [1-9]*,700) ;;
    *) fail "the control socket's directory has mode $(mode "$tmp/new")" ;;
esac
test "$(mode "$tmp/server.sock")" = 700
find "$tmp/pool" -mindepth 1 -perm /077 >"$tmp/open"
diff /dev/null "$tmp/open"
stop_server

qbd-server --help | grep -q 'tcp://127.0.0.1:4420'
