#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# SIGTERM ends nbdkit while requests wait for a server that is lost: it is
# connected to, it accepts and says nothing, it gets again what it has lost, or
# it was given up.
source "${0%/*}/functions.sh"
requires nbdsh --version
requires has_xattrs

# A client that writes, and reads until that fails.
client ()
{
    nbdsh -u "$uri" -c '
for i in range (16):
    h.pwrite (bytes ([i]) * (1 << 20), i << 20)
print ("written", flush=True)
try:
    while True:
        h.pread (4096, 0)
except nbd.Error as e:
    print (e, flush=True)
'
}

serve ()
{
    start_server --pool "demo=$pool_url"
}

start_volume 16M
for state in connects silent replay given-up; do
    case $state in
        connects) start_nbdkit qbd ;;
        silent) start_nbdkit qbd keep_alive_tmo=1 ;;
        replay) start_nbdkit qbd retain=32M ;;
        given-up) start_nbdkit qbd ctrl_loss_tmo=1 ;;
    esac
    uri="nbd+unix:///demo%2Fdisk?socket=$socket"
    client >"$tmp/$state.log" &
    client=$!
    wait_for_line "$tmp/$state.log" '^written$'
    if test $state = silent; then
        kill -s STOP "$server_pid"
    else
        kill_server
    fi
    wait_for_line "$nbdkit_log" 'connection lost'
    case $state in
        replay)
            mark_lost "$tmp/pool/volumes/disk.raw"
            serve
            wait_for_line "$nbdkit_log" 'connected again' ;;
        given-up)
            wait_for_line "$nbdkit_log" 'no connection for 1 s' ;;
    esac
    patience=20 stop_nbdkit
    wait $client
    case $state in
        connects | given-up) serve ;;
        silent) kill -s CONT "$server_pid" ;;
    esac
done
