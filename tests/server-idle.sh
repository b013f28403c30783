#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Many volumes and idle connections (dev/check: 10,000 and 1,000) cost no
# processor time, memory below 64 MiB and 16 KiB a connection, and in memory
# one descriptor each.
source "${0%/*}/functions.sh"
requires not_sanitized
requires test -w /dev/shm
volumes=${QBD_IDLE_VOLUMES:-500}
connections=${QBD_IDLE_CONNECTIONS:-200}        # two for each volume attached
window_s=2
ulimit -n $((volumes + connections + 100))

# In memory: making them is not what is measured.
pool=$(mktemp -d /dev/shm/qbd-idle.XXXXXX)
cleanup_fn rm -rf "$pool"
# In a sandbox only root sees its descriptors.
start_server --sandbox off --pool "demo=file:$pool" \
             --listen tcp://127.0.0.1:0

python3 - <<END
import http.client, json, socket

class Control (http.client.HTTPConnection):
    def connect (self):
        self.sock = socket.socket (socket.AF_UNIX)
        self.sock.connect ("$QBD_CONTROL")

control = Control ("qbd")
for i in range ($volumes):
    body = json.dumps ({"name": "demo/v%d" % i, "size_bytes": 1 << 20})
    control.request ("POST", "/v1/volumes", body)
    reply = control.getresponse ()
    text = reply.read ()
    assert reply.status == 201, (i, reply.status, text)
END

# By their NQN: discovery would tell each of them of all volumes.
nqn=$(qbd info --json demo/v0 | jq -r .nqn)

# Says "there" when all are attached, and leaves at the end of its input.
attach_all ()
{
    python3 -c "
import ctypes, sys
qbd = ctypes.CDLL ('libqbd.so.0')
for name in ('qbd_config_new', 'qbd_open', 'qbd_errmsg'):
    getattr (qbd, name).restype = ctypes.c_void_p
open_volume = qbd.qbd_open
open_volume.argtypes = [ctypes.c_void_p, ctypes.c_uint]
qbd.qbd_config_set.argtypes = [ctypes.c_void_p] + [ctypes.c_char_p] * 2
for i in range ($connections // 2):
    config = qbd.qbd_config_new ()
    for key, value in (('server', '$1'), ('nqn', '${nqn%0}%d' % i),
                       ('keep_alive_tmo', '0')):
        assert qbd.qbd_config_set (config, key.encode (), value.encode ()) == 0
    if not open_volume (config, 0):
        sys.exit (ctypes.string_at (qbd.qbd_errmsg ()).decode ())
print ('there', flush=True)
sys.stdin.read ()"
}
coproc attach_all "$(tcp_address)"
read -r -t "$patience" answer <&"${COPROC[0]}"
test "$answer" = there
test "$(qbd ls --json | jq '[.volumes[].attached] | add')" \
     -eq $((connections / 2))
test "$(ls -l "/proc/$server_pid/fd" | grep -c socket:)" -ge "$connections"

# Nanoseconds that its threads have run.
run_ns ()
{
    cat /proc/"$server_pid"/task/*/schedstat | awk '{ n += $1 } END { print n }'
}

# The work of the last requests may not be over: a window without any is
# what must come.
idle ()
{
    local before
    before=$(run_ns)
    sleep "$window_s"           # what is measured is that nothing happens
    echo "ran $((($(run_ns) - before) / 1000)) us in $window_s s"
    test "$(run_ns)" -lt $((before + window_s * 1000000))
}
idle || idle

kib=$(awk '/^Rss(Anon|File):/ { n += $2 } END { print n }' \
          "/proc/$server_pid/status")
echo "$volumes volumes, $connections connections: $kib KiB resident"
test "$kib" -lt $((64 * 1024 + 16 * connections)) ||
    fail "more than 64 MiB and 16 KiB a connection"
