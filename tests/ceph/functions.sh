# SPDX-License-Identifier: BSD-3-Clause
#
# What the tests of the Ceph engine share, beside tests/functions.sh:
#
#   start_cluster [OSDS [ADDRESS]]  a cluster of this test's own, and CEPH_CONF
#                    for its clients; skips the test where Ceph is not installed
#   cluster VERB [DAEMON]  kill, restart, pause, resume, settle, manage, ask,
#                    stop: see cluster.py
#   start_gateway [OPTION]...       start_server with the pool demo in Ceph's
#                    pool "rbd"
#   start_second [OPTION]...        another gateway of it, and its
#                    $second_control, $second_server, $second_log, $second_pid
#   until_so CMD...  until the command succeeds: for what nobody tells of
#   rbd ARG...       Ceph's own tool
#
# Its data is in memory where that is possible: an OSD waits for its disk.

source "${BASH_SOURCE[0]%/*}/../functions.sh"

# The engine is left out of a build --without-rbd.
grep -q '^#define HAVE_RBD 1' "$QBD_BUILDDIR/config.h" || {
    echo "$test_name: skipped: this build has no Ceph engine"
    exit 77
}

cluster ()
{
    timeout $((patience * 2)) "$srcdir/tests/ceph/cluster.py" "$1" \
        "$cluster_dir" "${@:2}" >"$tmp/cluster.log" 2>&1 ||
        fail "cluster: $*: $(cat "$tmp/cluster.log")"
}

start_cluster ()
{
    local parent=$tmp
    requires ceph-mon --version
    requires ceph-osd --version
    requires rbd --version
    requires /usr/bin/python3 -c 'import rados'
    test ! -w /dev/shm || parent=/dev/shm
    cluster_dir=$(mktemp -d -u "$parent/qbd-ceph.XXXXXX")
    cleanup_fn stop_cluster
    cluster start "$@"
    export CEPH_CONF="$cluster_dir/ceph.conf"
}

# At the end of the test: who uses it ends before it does.
stop_cluster ()
{
    test $status -eq 0 || test $status -eq 77 ||
        timeout "$patience" "$srcdir/tests/ceph/cluster.py" report "$cluster_dir"
    _end_all || status=1        # of _at_exit
    timeout "$patience" "$srcdir/tests/ceph/cluster.py" stop "$cluster_dir" ||
        status=1
}

start_gateway ()
{
    start_server --pool "demo=rbd:rbd?id=gateway" "$@"
}

start_second ()
{
    second_control=$tmp/second second_server=unix://$tmp/second.sock
    second_log=$tmp/second$((++_count)).log
    qbd-server --control "$second_control" --listen "$second_server" \
               --pool "demo=rbd:rbd?id=gateway" "$@" >"$second_log" 2>&1 </dev/null &
    second_pid=$!
    _pids+=("$second_pid qbd-server")
    wait_for_line "$second_log" ': ready$'
}

until_so ()
{
    local end=$((SECONDS + patience))
    set +x
    until "$@" >/dev/null 2>&1; do
        test $SECONDS -lt $end || fail "it does not come true: $*"
        read -r -t 0.1 <> <(:) || :
    done
    set -x
}

rbd ()
{
    timeout "$patience" rbd "$@"
}
