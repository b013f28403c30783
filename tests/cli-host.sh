#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Masking: qbd host add, ls and rm; who is not listed neither sees the volume
# nor connects, and the log names it.
source "${0%/*}/functions.sh"
requires jq --version

mine=nqn.2014-08.org.nvmexpress:uuid:11111111-1111-4111-8111-111111111111
other=nqn.2014-08.org.nvmexpress:uuid:22222222-2222-4222-8222-222222222222
mkdir "$tmp/pool"
start_server --pool demo="file:$tmp/pool"
qbd create demo/disk 1M
qbd create demo/open 1M
nqn=$(qbd info demo/disk --json | jq -r .nqn)

sees ()                         # HOST EXPECTED-NAMES
{
    local names
    start_nbdkit qbd hostnqn="$1"
    names=$(nbdinfo --list --json "$uri" |
                jq -r '[.exports[]."export-name"] | sort | join (" ")')
    test "$names" = "$2" || fail "$1 sees $names"
    stop_nbdkit
}

# Without a list: any host of this machine.
qbd host ls demo/disk 2>&1 >/dev/null | grep -q '^no list'
qbd host ls demo/disk --json | jq -e '.allowed_hosts == null'
sees "$other" 'demo/disk demo/open'
expect_error "^qbd: host: demo/disk: $mine: is not on the list: there is none" \
             qbd host rm demo/disk "$mine"

# The first one masks it from the others.
qbd host add demo/disk "$mine"
test "$(qbd host ls demo/disk)" = "$mine"
qbd info demo/disk | grep -q "^allowed  *$mine$"
qbd info demo/disk --json | jq -e --arg h "$mine" '.allowed_hosts == [$h]'
expect_error "^qbd: host: demo/disk: $mine: is on the list already$" \
             qbd host add demo/disk "$mine"
sees "$mine" 'demo/disk demo/open'
sees "$other" demo/open
expect_error "open: demo/disk: no such volume" \
    nbdkit -f -U - qbd volume=demo/disk hostnqn="$other" --run true
# Nor does it help to know the NQN.
expect_error "host not allowed: $other" \
    nbdkit -f -U - qbd nqn="$nqn" hostnqn="$other" --run true
wait_for_line "$server_log" \
              "warning: $nqn: host $other at unix:.*: is not allowed"
start_nbdkit qbd nqn="$nqn" hostnqn="$mine"
nbdinfo "$uri"
stop_nbdkit

# The machine that the server runs on is a host like any other.
expect_error '^qbd: export: .*host not allowed: nqn.*: qbd host add demo/disk' \
             qbd export demo/disk "$tmp/copy"
qbd export demo/open "$tmp/copy"

# Who sees nothing at all is told once, in the log.
qbd host add demo/open "$mine"
expect_error "open: demo/open: no such volume" \
    nbdkit -f -U - qbd volume=demo/open hostnqn="$other" --run true
wait_for_line "$server_log" \
              "warning: discovery: host $other at .*: sees none of 2 volumes"
test "$(grep -c ": host $other at .*: sees none" "$server_log")" = 1

# It survives a restart, and a volume's lists end with it.
stop_server
start_server --pool demo="file:$tmp/pool"
test "$(qbd host ls demo/disk)" = "$mine"
qbd rm demo/open
qbd create demo/open 1M
qbd host ls demo/open --json | jq -e '.allowed_hosts == null'

# any; and taking the last one off leaves nobody, not everybody.
qbd host add demo/disk any
sees "$other" 'demo/disk demo/open'
qbd host rm demo/disk any
qbd host rm demo/disk "$mine"
qbd host ls demo/disk 2>&1 >/dev/null | grep -q '^an empty list'
sees "$mine" demo/open

# The way back, to what a new volume has; that, too, survives a restart.
qbd host reset demo/disk
wait_for_line "$server_log" 'host: demo/disk: removed the list$'
qbd host ls demo/disk 2>&1 >/dev/null | grep -q '^no list'
sees "$other" 'demo/disk demo/open'
expect_error '^qbd: host: demo/disk: has no list$' qbd host reset demo/disk
stop_server
start_server --pool demo="file:$tmp/pool"
qbd host ls demo/disk --json | jq -e '.allowed_hosts == null'

# A list with its hosts goes at once, and whoever is attached by it stays.
qbd host add demo/disk "$mine"
start_nbdkit qbd demo/disk hostnqn="$mine"
qbd host reset demo/disk
nbdinfo --size "$uri"
stop_nbdkit
# A volume that could not be opened has its list still, and says nothing of it.
qbd host add demo/disk "$mine"
stop_server
mv "$tmp/pool/volumes/disk.raw" "$tmp/disk.raw"
start_server --pool demo="file:$tmp/pool"
for verb in "ls demo/disk" "ls demo/disk --json" "add demo/disk any" \
            "reset demo/disk"; do
    expect_error '^qbd: host: demo/disk: is not served: open: .*/disk.raw is missing' \
                 qbd host $verb
done
stop_server
mv "$tmp/disk.raw" "$tmp/pool/volumes/disk.raw"
start_server --pool demo="file:$tmp/pool"
test "$(qbd host ls demo/disk)" = "$mine"
qbd host reset demo/disk
expect_error '^qbd: host: .* one argument too many' \
             qbd host reset demo/disk any

expect_error '^qbd: host: demo/disk: x y: is neither a host' \
             qbd host add demo/disk 'x y'
expect_error '^qbd: host: demo/none: no such volume$' \
             qbd host add demo/none any
expect_error '^qbd: host: command: dad: unknown, did you mean add\?$' \
             qbd host dad demo/disk any
expect_error '^qbd: host: NQN: is missing$' qbd host add demo/disk

# A command line that is wrong ends with 2, as everywhere.
for line in 'host dad demo/disk any' 'host ls demo/disk x' 'host add demo/disk' \
            'set demo/disk read_only=yes' 'create demo/x 12Q' \
            'resize demo/disk -5' 'bench demo/disk --io-type reed'; do
    status=0
    qbd $line || status=$?
    test $status = 2 || fail "qbd $line ends with $status"
done

# As many as the manual says.
for ((i = 0; i < 256; i++)); do
    echo '{"nqn": "nqn.2026-11.example:host-'$i'"}'
done >"$tmp/hosts"
while read -r body; do
    curl -sS --unix-socket "$QBD_CONTROL" -o /dev/null -w '%{http_code}\n' \
         http://qbd/v1/hosts/demo/open -d "$body"
done <"$tmp/hosts" | uniq -c | grep -Ex ' *256 201'
expect_error 'host: demo/open: .*: the list has 256 hosts already$' \
             qbd host add demo/open any
