# SPDX-License-Identifier: BSD-3-Clause
#
# What the functional tests share.  A test starts with
#     #!/usr/bin/env bash
#     # SPDX-License-Identifier: BSD-3-Clause
#     # What is shown.
#     source "${0%/*}/functions.sh"
# and runs in the build directory under ./run (make check does that; by
# hand: ./run ../tests/NAME.sh).  It may use:
#
#   $tmp             a private directory, gone afterwards
#   $srcdir          the source tree
#   requires CMD     skip unless the command succeeds (output is dropped):
#                    for what a machine may lack, never for parts of qbd
#   requires not_sanitized          skip in a build with sanitizers
#   fail MESSAGE     end the test
#   expect_error PATTERN CMD...     the command must fail in good order, and
#                    say a line that matches PATTERN (grep -E)
#   must_fail CMD... the command must fail, whatever it says (what begins with
#                    "!" ends no script)
#   cleanup_fn CMD   run at the end, last one first
#   start_server ARG...    qbd-server on unix:// in $tmp (unless --listen is
#                    given); sets $server_pid and $server_log, and
#                    QBD_CONTROL and QBD_SERVER for its clients
#   start_configured_server FILE    the same, but on what the configuration says;
#                    QBD_SERVER is for the caller to set
#   start_volume SIZE [ARG...]      start_server with a new pool, and in it the
#                    volume demo/disk (ARG: of qbd create).  It is a file
#                    pool, or where QBD_TEST_POOL says, like "ram:"
#   $pool_url        that pool, as after --pool demo=
#   mark_lost FILE   as a volume's file is marked when its cache may be lost
#   has_xattrs       files in $tmp can be marked
#   stop_server, kill_server        SIGTERM (it must end with 0), SIGKILL
#   start_nbdkit ARG...    nbdkit's own arguments, as in "-r qbd demo/disk";
#                    sets $nbdkit_pid, $nbdkit_log, $uri and $socket; another
#                    $uri is for the caller to set with "-p PORT" or --vsock
#   stop_nbdkit, kill_nbdkit        the last one started
#   qemu_io [OPTION...] URI CMD...  qemu-io's commands: all must succeed
#   nbdsh            libnbd's Python shell
#   end_coproc       end the input of bash's coprocess, which then must end well
#   wait_for_line FILE PATTERN      until a log has such a line (grep -E)
#   make_filesystem FILE SIZE       an ext4 image with real files
#   tcp_address      the server's tcp://HOST:PORT, as it reports it
#
# Over which transport start_server serves by default, and its clients attach,
# is QBD_TEST_LISTEN's: unix:// in $tmp, or e.g. rdma://ADDRESS:0.  $server_uri
# is the address, before a server is there too.
#
# Nothing polls and nothing sleeps: what is waited for is a process that
# ends, a line in a log or a descriptor that closes, for $patience seconds.

set -e

: "${QBD_BUILDDIR:?run me under ./run of the build directory}"
srcdir=$(cd "${BASH_SOURCE[0]%/*}/.." && pwd)
patience=${QBD_TEST_PATIENCE:-120}
test_name=${0##*/}; test_name=${test_name%.sh}
tmp=$(mktemp -d "${TMPDIR:-/tmp}/qbd-$test_name.XXXXXX")
pool_url=${QBD_TEST_POOL:-file:$tmp/pool}
# Whoever starts the server again finds it where it was.
server_uri=${QBD_TEST_LISTEN:-unix://$tmp/server.sock}
server_uri=${server_uri/%:0/:$((20000 + $$ % 10000))}
unset QBD_SERVER QBD_CONTROL

_cleanups=()
_pids=()                        # "PID LOG NAME" of all that still may run
_count=0
_failure='' _failure_said=

cleanup_fn ()
{
    _cleanups+=("$(printf '%q ' "$@")")
}

fail ()
{
    set +x
    _failure=$*
    echo "$test_name: $*" >&2
    exit 1
}

requires ()
{
    if ! "$@" </dev/null >/dev/null 2>&1; then
        echo "$test_name: skipped: this machine lacks: $*"
        exit 77
    fi
}

# For requires: what a sanitizer's own allocator, threads or lack of mlock
# make impossible.
not_sanitized ()
{
    ! grep -Eq '__(a|t)san_init' "$QBD_BUILDDIR/.libs/libqbd.so"
}

expect_error ()
{
    local pattern=$1 status=0 output
    shift
    output=$(timeout -k 5 "$patience" "$@" 2>&1 </dev/null) || status=$?
    printf '%s\n' "$output"
    # 124 is timeout's; 125 and up: not found, or ended by a signal.
    if test $status -eq 0 || test $status -ge 124; then
        fail "this ended with $status, expected an error: $*"
    fi
    grep -Eq -- "$pattern" <<<"$output" ||
        fail "no line matches \"$pattern\": $*"
}

# Debian 12's takes nothing for true: with -e, who pipes nothing into it fails.
jq ()
{
    local - output status=0
    set +x
    case " $* " in
        *" -e "* | *" -er "*) ;;
        *) command jq "$@"; return ;;
    esac
    output=$(command jq "$@") || status=$?
    test -z "$output" || printf '%s\n' "$output"
    test $status -ne 0 || test -n "$output" || status=4
    return $status
}

must_fail ()
{
    if "$@"; then
        fail "this succeeded, expected a failure: $*"
    fi
}

end_coproc ()
{
    # Bash forgets both as soon as it has ended.
    local in=${COPROC[1]} pid=$COPROC_PID
    exec {in}>&-
    wait "$pid"
}

# Wait until process $1 has ended: false when it takes too long.
_wait_gone ()
{
    timeout "$patience" tail -s 0.05 --pid="$1" -f /dev/null
}

# Why process $1 does not end: what holds its signals back, whom it is connected
# to, and where each thread is, if there is a debugger.
_explain ()
{
    grep -H -E '^(Name|State|Sig|Shd)' "/proc/$1"/task/*/status
    ls -l "/proc/$1/fd"
    ! command -v gdb ||
        timeout 60 gdb -nx -batch -p "$1" -ex 'thread apply all backtrace'
}

# Forget process $1; it must end by itself or by signal $2.
_end ()
{
    local pid=$1 signal=$2 entry rest=() status=0
    for entry in "${_pids[@]}"; do
        test "${entry%% *}" = "$pid" || rest+=("$entry")
    done
    _pids=("${rest[@]}")
    kill -s "$signal" "$pid" 2>/dev/null || :
    if ! _wait_gone "$pid"; then
        _explain "$pid" >&2 || :
        kill -s KILL "$pid"
        wait "$pid" || :
        echo "$test_name: process $pid took no notice of $signal" >&2
        return 1
    fi
    wait "$pid" || status=$?
    case $signal,$status in
        *,0 | KILL,137) return 0 ;;
        *) echo "$test_name: process $pid ended with status $status" >&2
           return 1 ;;
    esac
}

# The youngest first: clients before the server.
_end_all ()
{
    local status=0
    while test ${#_pids[@]} -gt 0; do
        _end "${_pids[-1]%% *}" TERM || status=1
    done
    return $status
}

# The last line of all, where the logs are long: what failed, and which line of
# the test that was in a function.
_say_failure ()
{
    local status=$1 command=$2 lines=("${@:3}") line=
    test ${#lines[@]} -le 2 || line=" in line ${lines[-2]}"
    echo "$test_name: failed$line: ${_failure:-status $status of: $command}" >&2
}

_at_exit ()
{
    local status=$? command=$BASH_COMMAND lines=("${BASH_LINENO[@]}") i log
    trap '' INT TERM
    set +e +x
    # nbdkit waits for its idle clients, until it is killed.
    # The process may be a shell that waits for the client, which then only
    # sees the end of its input.
    if test -n "${COPROC_PID-}"; then
        kill "$COPROC_PID" 2>/dev/null
        i=${COPROC[1]-}
        test -z "$i" || exec {i}>&-
    fi
    for ((i = ${#_cleanups[@]} - 1; i >= 0; i--)); do
        eval "${_cleanups[i]}"
    done
    _end_all || test $status -ne 0 || status=1
    for log in "$tmp"/*.log; do
        if grep -Eqs 'Sanitizer|runtime error:' "$log"; then
            test $status -ne 0 || status=1
        fi
    done
    if test $status -ne 0 && test $status -ne 77; then
        for log in "$tmp"/*.log; do
            if test -s "$log"; then
                echo "--- ${log##*/}:"
                tail -n 200 "$log"
            fi
        done
        test -n "$_failure_said" ||
            _say_failure $status "${command%%$'\n'*}" "${lines[@]}"
    fi
    rm -rf "$tmp"
    exit $status
}
trap _at_exit EXIT
trap 'exit 130' INT
# Whoever ends a test that takes too long wants its logs, and soon.
trap 'patience=5; exit 143' TERM

start_server ()
{
    local listen=()
    case " $* " in
        *" --listen"*) ;;
        *) listen=(--listen "$server_uri")
           test -z "$QBD_TEST_LISTEN" || listen+=(--allow-any-host)
           export QBD_SERVER=$server_uri ;;
    esac
    _start_server "${listen[@]}" "$@"
}

start_configured_server ()
{
    _start_server -c "$@"
}

_start_server ()
{
    export QBD_CONTROL="$tmp/control"
    server_log="$tmp/server$((++_count)).log"
    : >"$server_log"
    qbd-server --control "$QBD_CONTROL" "$@" \
        </dev/null >>"$server_log" 2>&1 &
    server_pid=$!
    _pids+=("$server_pid qbd-server")
    # tail ends with the server, or when grep has seen enough.
    grep -q ': ready$' < <(timeout "$patience" tail -n +1 -s 0.1 -f \
                               --pid="$server_pid" "$server_log") ||
        fail "qbd-server did not become ready"
}

start_volume ()
{
    mkdir "$tmp/pool"
    start_server --pool "demo=$pool_url"
    qbd create demo/disk "$@"
}

stop_server ()
{
    _end "$server_pid" TERM
}

kill_server ()
{
    _end "$server_pid" KILL
}

start_nbdkit ()
{
    local fifo="$tmp/nbdkit$((++_count)).pid" listen=()
    socket="$tmp/nbd$_count.sock"
    uri="nbd+unix:///?socket=$socket"
    nbdkit_log="$tmp/nbdkit$_count.log"
    case " $* " in
        *" -p "* | *" --vsock "*) ;;
        *) listen=(-U "$socket") ;;
    esac
    # By emulation an RDMA connection takes seconds.
    case "$QBD_TEST_LISTEN $* " in
        *" connect_tmo="*) ;;
        rdma://*" qbd "*) set -- "$@" connect_tmo=60 ;;
    esac
    mkfifo "$fifo"
    # nbdkit writes its pid once its socket listens.  It also inherits the
    # fifo, so that we read end of file when it ends before that.
    ( exec 9>"$fifo"
      exec nbdkit -f -P "$fifo" "${listen[@]}" "$@" ) \
        </dev/null >"$nbdkit_log" 2>&1 &
    nbdkit_pid=$!
    _pids+=("$nbdkit_pid nbdkit")
    read -r -t "$patience" _ <"$fifo" || fail "nbdkit did not start"
}

stop_nbdkit ()
{
    _end "$nbdkit_pid" TERM
}

kill_nbdkit ()
{
    _end "$nbdkit_pid" KILL
}

qemu_io ()
{
    local target command commands=() status=0
    while [[ $1 == -* ]]; do
        commands+=("$1")
        shift
    done
    target=$1
    shift
    for command; do
        commands+=(-c "$command")
    done
    timeout "$patience" qemu-io -f raw -d unmap "${commands[@]}" "$target" \
        >"$tmp/qemu-io" 2>&1 || status=$?
    cat "$tmp/qemu-io"
    if test $status -ne 0 || grep -Eiq 'fail|error' "$tmp/qemu-io"; then
        fail "qemu-io ended with $status"
    fi
}

# Its module belongs to the distribution's python3, whatever PATH says.
nbdsh ()
{
    PATH="/usr/bin:$PATH" timeout "$patience" nbdsh "$@"
}

wait_for_line ()
{
    # Who writes it may not have opened it yet.
    : >>"$1"
    grep -Eq -- "$2" < <(timeout "$patience" tail -n +1 -s 0.1 -f "$1") ||
        fail "$1: no line matches \"$2\""
}

mark_lost ()
{
    python3 -c 'import os, sys
os.setxattr (sys.argv[1], "user.qbd.lost", os.urandom (16))' "$1"
}

has_xattrs ()
{
    : >"$tmp/file"
    python3 -c "import os; os.setxattr ('$tmp/file', 'user.x', b'1')"
}

tcp_address ()
{
    qbd status --json |
        jq -r '[.listeners[].address | select (startswith ("tcp:"))][0]'
}

make_filesystem ()
{
    local from=/usr/share/doc
    test -d "$from/bash" || from=$srcdir
    mkdir "$tmp/files"
    # As much of it as surely fits.
    find "$from" -type f -size -64k -readable -print0 | head -z -n 400 |
        xargs -0 cp --parents -t "$tmp/files"
    mke2fs -q -F -t ext4 -d "$tmp/files" "$1" "$2"
    rm -rf "$tmp/files"
}

set -x
