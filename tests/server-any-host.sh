#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# On an address that other machines reach, volumes need a list of hosts, or
# --allow-any-host; on loopback and Unix sockets of the same server they do
# not.  In a network of its own, where this machine has such an address.
if test -z "$QBD_TEST_OWN_NET"; then
    unshare -rn true 2>/dev/null || {
        echo "skipped: this machine lacks: unshare -rn"
        exit 77
    }
    QBD_TEST_OWN_NET=1 exec unshare -rn "$0" "$@"
fi
source "${0%/*}/functions.sh"
requires jq --version
requires ip -Version

ip link set lo up
ip address add 10.99.0.1/24 dev lo
mine=nqn.2014-08.org.nvmexpress:uuid:11111111-1111-4111-8111-111111111111
mkdir "$tmp/pool"
addresses=(--listen tcp://0.0.0.0:4420 --listen "unix://$tmp/server.sock")

volumes ()                      # what host $mine sees at ADDRESS
{
    qbd discover "$1" --json | jq -r '[.. | .name? // empty] | join (" ")'
}
attach=(nbdkit -f -U - qbd volume=demo/disk hostnqn="$mine"
        --run 'nbdinfo "$uri"')

start_server --pool demo="file:$tmp/pool" "${addresses[@]}"
wait_for_line "$server_log" 'are for those that come in on .* only; --allow-any-host'
qbd create demo/disk 1M
nqn=$(qbd info demo/disk --json | jq -r .nqn)
test "$(volumes tcp://127.0.0.1)" = demo/disk
test "$(volumes "unix://$tmp/server.sock")" = demo/disk
test "$(volumes tcp://10.99.0.1)" = ''
wait_for_line "$server_log" 'discovery: host nqn.*sees none of 1 volumes'
"${attach[@]}" server=tcp://127.0.0.1
expect_error 'open: demo/disk: no such volume' \
    "${attach[@]}" server=tcp://10.99.0.1
expect_error "host not allowed: $mine" \
    nbdkit -f -U - qbd server=tcp://10.99.0.1 nqn="$nqn" hostnqn="$mine" \
           --run true
wait_for_line "$server_log" "$nqn: host $mine at tcp://10.99.0.1.*not allowed"

# A list works on every address, and so does "any" when somebody says it.
qbd host add demo/disk "$mine"
"${attach[@]}" server=tcp://10.99.0.1
qbd host rm demo/disk "$mine"
qbd host add demo/disk any
"${attach[@]}" server=tcp://10.99.0.1
stop_server

# The same by the server's option, and by its configuration file.
rm -r "$tmp/pool"
mkdir "$tmp/pool"
start_server --pool demo="file:$tmp/pool" "${addresses[@]}" --allow-any-host
qbd create demo/disk 1M
"${attach[@]}" server=tcp://10.99.0.1
stop_server
printf '%s\n' '[server]' 'allow_any_host = yes' >"$tmp/server.conf"
start_server --pool demo="file:$tmp/pool" "${addresses[@]}" \
             -c "$tmp/server.conf"
"${attach[@]}" server=tcp://10.99.0.1
