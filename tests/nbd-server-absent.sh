#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# No server: nbdkit does not start, and says which address it tried.
source "${0%/*}/functions.sh"
requires python3 --version
expect_error "unix://$tmp/none.*No such file" \
    nbdkit -fU "$tmp/s" qbd volume=demo/disk server="unix://$tmp/none"
# A port that nobody listens on, since it was just given back.
port=$(python3 -c 'import socket
s = socket.socket (); s.bind (("127.0.0.1", 0)); print (s.getsockname ()[1])')
expect_error "127.0.0.1:$port.*refused" \
    nbdkit -fU "$tmp/s" qbd volume=demo/disk server="tcp://127.0.0.1:$port"
expect_error 'nowhere.invalid' \
    nbdkit -fU "$tmp/s" qbd volume=demo/disk server=tcp://nowhere.invalid
