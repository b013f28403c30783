#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The server is killed and started again, frozen, and cut off, under the load of
# the kernel's NVMe host: the host goes on, and all data is right.
source "${0%/*}/functions.sh"
source "${0%/*}/../network.sh"
source "${0%/*}/nvme.sh"

serve ()
{
    start_server --pool "demo=file:$tmp/pool" --listen "$listen" \
                 --allow-any-host
}

setup_host
address=$far
listen=tcp://$far:$port
run_far qbd-server
mkdir "$tmp/pool"
serve
qbd create demo/disk 128M
host_connect "$(qbd info --json demo/disk | jq -r .nqn)" --reconnect-delay=1
start_load "$device"
for _ in 1 2 3; do
    progress 8000
    kill_server
    serve
done
# For longer than the host's keep-alive; nothing tells of its end.
progress 8000
kill -s STOP "$server_pid"
sleep 12
kill -s CONT "$server_pid"
progress 8000
cut_link
sleep 12
mend_link
progress 8000
end_load
nvme disconnect-all
