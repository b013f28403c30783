#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A name server that does not answer delays an open by connect_tmo, and not by
# as much as the resolver would wait.
source "${0%/*}/functions.sh"
requires unshare -rmn true
requires ip -V

echo 'hosts: dns' >"$tmp/nsswitch.conf"
printf '%s\n' 'nameserver 127.0.0.1' 'options timeout:30 attempts:5' \
       >"$tmp/resolv.conf"
cat >"$tmp/inside" <<'EOS'
ip link set lo up
mount --bind "$tmp/nsswitch.conf" /etc/nsswitch.conf
mount --bind "$tmp/resolv.conf" "$(realpath /etc/resolv.conf)"
# Takes questions, and is silent.
python3 -c '
import signal, socket
s = socket.socket (socket.AF_INET, socket.SOCK_DGRAM)
s.bind (("127.0.0.1", 53))
print (flush=True)
signal.pause ()' >"$tmp/fifo" &
read -r <"$tmp/fifo"
status=0
nbdkit -f -U - qbd volume=demo/disk server=tcp://somewhere.example \
       connect_tmo=1 --run true || status=$?
kill $!
exit $status
EOS
mkfifo "$tmp/fifo"
export tmp
begin=$SECONDS
expect_error 'connect: tcp://somewhere.example:4420: Connection timed out$' \
             unshare -rmn bash "$tmp/inside"
test $((SECONDS - begin)) -lt 20
