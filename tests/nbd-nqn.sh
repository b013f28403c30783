#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# nqn= attaches a subsystem by its name, nsid= chooses its namespace.
source "${0%/*}/functions.sh"

start_volume 16M
nqn=$(qbd info demo/disk --json | jq -r .nqn)
make_filesystem "$tmp/in" 16M

start_nbdkit qbd "nqn=$nqn"
nbdcopy "$tmp/in" "$uri"
stop_nbdkit
start_nbdkit qbd "nqn=$nqn" nsid=1
nbdcopy "$uri" "$tmp/out"
cmp "$tmp/in" "$tmp/out"
stop_nbdkit

attach=(nbdkit -f -U - qbd --run true)
expect_error 'no active namespace 2' "${attach[@]}" "nqn=$nqn" nsid=2
expect_error 'no such subsystem: nqn.2014-08.org.example:x' \
             "${attach[@]}" nqn=nqn.2014-08.org.example:x
expect_error 'nqn: x: not an NVMe qualified name' "${attach[@]}" nqn=x
expect_error 'nqn: .*: not together with volume' \
             "${attach[@]}" volume=demo/disk "nqn=$nqn"
expect_error 'volume: .*: not together with nqn' \
             "${attach[@]}" "nqn=$nqn" volume=demo/disk
expect_error 'nsid: only together with nqn' \
             "${attach[@]}" volume=demo/disk nsid=1
expect_error 'nsid: 0: not a number' "${attach[@]}" "nqn=$nqn" nsid=0
