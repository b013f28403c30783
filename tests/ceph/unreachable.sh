#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What is wrong with the way to the cluster is said, within a bounded time, when
# the server starts; later, requests wait for the cluster, or as long as their
# client's policy is, and the server can be stopped all the same.
source "${0%/*}/functions.sh"
requires nbdsh --version
start_cluster

# says LINE POOL: qbd-server ends, with this line.
says ()
{
    expect_error "^qbd-server: error: pool: demo: $1" \
        qbd-server --control "$tmp/none" --listen "unix://$tmp/none.sock" \
                   --pool "demo=rbd:$2"
}
says 'rbd: needs a Ceph pool: rbd:CEPHPOOL$' ''
says 'nmaespace: unknown option of rbd:CEPHPOOL, did you mean namespace\?$' \
     'rbd?nmaespace=x'
says 'rbd: conf= needs a value$' 'rbd?conf='
says 'rbd: id= is given twice$' 'rbd?id=a&id=b'
says "$tmp/no.conf: No such file or directory\$" "rbd?conf=$tmp/no.conf"
sed "s|^keyring = .*|keyring = $tmp/no.keyring|" "$CEPH_CONF" >"$tmp/key.conf"
says 'rbd: .* its key is not in the keyring that' "rbd?conf=$tmp/key.conf"
says 'rbd: the cluster refuses client.nobody, or' 'rbd?id=nobody'
says 'rbd: Ceph pool data: there is none$' data
says 'rbd: namespace rbd/space: there is none$' 'rbd?namespace=space'
test -z "$(rados -p rbd --namespace space ls)"
CEPH_CONF=$tmp/no.conf says 'rbd: no ceph.conf in \$CEPH_CONF or /etc/ceph' rbd
printf '[client.bad]\n\tkey = %s\n' "$(ceph-authtool --gen-print-key)" \
    >>"$cluster_dir/keyring"
says 'rbd: the cluster refuses client.bad, or' 'rbd?id=bad'

# They wait as long as it takes, whatever ceph.conf says.
printf '[client.gateway]\nrados osd op timeout = 1\n' >>"$CEPH_CONF"
start_gateway
grep 'rados_osd_op_timeout = 1.* is not heard' "$server_log"
qbd create demo/disk 8M
start_nbdkit qbd volume=demo/disk
qemu_io "$uri" 'write -P 1 0 64k'

cluster kill osd.0
nbdsh -u "$uri" -c - >"$tmp/nbdsh.log" 2>&1 <<'END' &
h.pwrite (b"2" * 65536, 65536)
h.flush ()
assert h.pread (65536, 0) == b"\1" * 65536
END
client=$!
sed 's/^\[client\]/&\nclient mount timeout = 3/' "$CEPH_CONF" \
    >"$cluster_dir/quick.conf"
says 'rbd: Ceph pool rbd: its OSDs do not answer$' \
     "rbd?conf=$cluster_dir/quick.conf"
kill -0 $client
cluster restart osd.0
wait $client
qemu_io "$uri" 'read -P 1 0 64k' 'read -P 0x32 64k 64k'

# A client whose policy is another one does not wait: EIO, in bounded time.
patient=$uri patient_nbdkit=$nbdkit_pid
start_nbdkit qbd volume=demo/disk io_tmo=1 fast_io_fail_tmo=1
cluster kill osd.0
start=$SECONDS
nbdsh -u "$uri" -c '
try:
    h.pwrite (b"4" * 4096, 0)
    raise SystemExit ("it was written without a cluster")
except nbd.Error as e:
    assert e.errno == "EIO", e'
test $((SECONDS - start)) -lt 30
stop_nbdkit
uri=$patient nbdkit_pid=$patient_nbdkit

# While they wait the server ends when it is told to.
cluster kill mon.a
says 'rbd: no monitor of the cluster answers \(mon host = .*127.0.0.1' rbd
nbdsh -u "$uri" -c 'h.pwrite (b"3" * 65536, 0)' >"$tmp/nbdsh2.log" 2>&1 &
client=$!
stop_nbdkit
wait $client && fail "a write ended well without a cluster"
start=$SECONDS
stop_server || :                # it leaves requests behind, and says so
test $((SECONDS - start)) -lt 20        # five are promised
grep 'requests in flight do not end; leaving without them' "$server_log"
