#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A volume that cannot be opened keeps no other from being served; it stays
# listed, with the reason, and can be removed.
source "${0%/*}/functions.sh"
requires jq --version

mkdir "$tmp/pool"
start_server --pool demo="file:$tmp/pool"
qbd create demo/bad 1M
qbd create demo/good 1M
stop_server
rm "$tmp/pool/volumes/bad.raw"

start_server --pool demo="file:$tmp/pool"
grep -E '^qbd-server: error: open: demo/bad: .*; demo/bad is not served$' \
     "$server_log"
qbd ls --json | jq -e '[.volumes[] | {name, state}] ==
    [{name: "demo/bad", state: "failed"}, {name: "demo/good", state: "ready"}]'
qbd ls | grep -E '^demo/bad +- +- +- +- +failed$'
qbd info demo/bad | grep -E '^reason +open: demo/bad: '
expect_error '^qbd: resize: demo/bad: is not served: open: demo/bad: ' \
             qbd resize demo/bad 2M
expect_error '^qbd: create: demo/bad: volume exists already$' \
             qbd create demo/bad 2M
qbd info demo/good

qbd rm demo/bad
qbd create demo/bad 2M
qbd info demo/bad --json | jq -e '.state == "ready"'
stop_server
