#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# qbd discover shows what a server offers, without its control socket.
source "${0%/*}/functions.sh"

start_server --pool demo=ram: --listen tcp://127.0.0.1:0 \
             --listen "unix://$tmp/server.sock"
qbd create demo/disk 1M
qbd create demo/more 1M
tcp=$(tcp_address)
nqn=$(qbd info demo/more --json | jq -r .nqn)
export QBD_CONTROL=/nonexistent

qbd discover "$tcp" | tee "$tmp/list"
test "$(wc -l <"$tmp/list")" = 3
grep -Eq "^demo/more +$tcp +$nqn\$" "$tmp/list"
qbd discover "$tcp" --json | jq -e --arg nqn "$nqn" --arg tcp "$tcp" \
    '.subsystems | length == 2 and .[1] ==
     {name: "demo/more", nqn: $nqn, transport: "tcp", address: $tcp}'

# A Unix socket's entries lead to it.  $QBD_SERVER is the default.
QBD_SERVER="unix://$tmp/server.sock" qbd discover --json |
    jq -e --arg unix "unix://$tmp/server.sock" \
       '[.subsystems[] | .transport, .address] == ["unix", $unix, "unix", $unix]'

# Many, and none.
export QBD_CONTROL=$tmp/control
for i in {1..40}; do qbd create demo/v$i 1M; done
test "$(qbd discover "$tcp" --json | jq '.subsystems | length')" = 42
for v in $(qbd ls --json | jq -r '.volumes[].name'); do qbd rm "$v"; done
test "$(qbd discover "$tcp")" = "NAME  ADDRESS  NQN"

expect_error 'qbd: server: http://x' qbd discover http://x
expect_error 'qbd: connect: .*' qbd discover "unix://$tmp/control"
stop_server
expect_error "qbd: connect: $tcp: .*refused" qbd discover "$tcp"
