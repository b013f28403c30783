# SPDX-License-Identifier: BSD-3-Clause
#
# Paths to the server that can be cut, and a load over them; after functions.sh.
#
#   start_path NAME [FAULT VALUE]   a way to the server, at unix://$tmp/NAME,
#                          with this fault of path.py's
#   cut_path NAME          it ends, in the midst of whatever it carries
#   carried NAME           how many bytes it has carried
#   carries NAME           wait until it carries the load
#   start_load             threads write and verify over $uri, until...
#   load_goes_on           wait for more of them
#   stop_load [MS]         ...this; no request may have taken longer

declare -A _path_pid

start_path ()
{
    mkfifo -m 600 "$tmp/$1.in" 2>/dev/null || :
    : >"$tmp/$1.log"
    python3 "$srcdir/tests/path.py" "$tmp/$1" "${server_uri#unix://}" "${@:2}" \
        <>"$tmp/$1.in" >>"$tmp/$1.log" 2>&1 &
    _path_pid[$1]=$!
    cleanup_fn kill -s KILL $!  # also when it was stopped
    wait_for_line "$tmp/$1.log" '^listening'
}

cut_path ()
{
    kill -9 "${_path_pid[$1]}"
    wait "${_path_pid[$1]}" || :
}

carried ()
{
    : >"$tmp/$1.log"
    echo >"$tmp/$1.in"
    wait_for_line "$tmp/$1.log" '^carried'
    sed -n 's/^carried //p' "$tmp/$1.log"
}

carries ()
{
    local before
    before=$(carried "$1")
    while test "$(carried "$1")" -lt $((before + 500000)); do
        load_goes_on
    done
}

start_load ()
{
    : >"$tmp/load.log"          # before anybody looks at it
    cleanup_fn touch "$tmp/load.stop"
    nbdsh -u "$uri" -c - >>"$tmp/load.log" 2>&1 <<END &
import os, threading, time
M = 1 << 20
failed, longest, over = [], [0] * 4, threading.Event ()

def work (i):
    n = nbd.NBD ()
    n.connect_uri ("$uri")
    k = 0
    while not over.is_set ():
        data = bytes ([i, k & 255, k >> 8 & 255, 7]) * 2048
        at = (8 * i + k % 8) * M + k * 512 % (M - 8192)
        begun = time.monotonic ()
        n.pwrite (data, at)
        longest[i] = max (longest[i], time.monotonic () - begun)
        assert n.pread (8192, at) == data, (i, k)
        if k % 100 == 0:
            n.flush ()
        k += 1
        if i == 0 and k % 50 == 0:
            print ("went on", k, flush=True)
    n.shutdown ()

def guarded (i):
    try:
        work (i)
    except BaseException as e:
        failed.append (e)
        print ("failed", e, flush=True)
        over.set ()

threads = [threading.Thread (target=guarded, args=(i,)) for i in range (4)]
for t in threads: t.start ()
while not over.wait (0.02):
    if os.path.exists ("$tmp/load.stop"):
        over.set ()
for t in threads: t.join ()
assert not failed, failed
print ("longest", int (max (longest) * 1000), flush=True)
END
    load=$!
    wait_for_line "$tmp/load.log" '^went on'
}

load_goes_on ()
{
    timeout 60 tail -n 0 -s 0.1 -f "$tmp/load.log" | head -n 3 >"$tmp/went"
    ! grep '^failed' "$tmp/load.log" || fail "the load failed"
    test "$(grep -c '^went on' "$tmp/went")" = 3 || fail "the load hangs"
}

stop_load ()
{
    local longest limit_ms=${1:-1000}
    # All of it is several times slower then.
    not_sanitized || limit_ms=$((10 * limit_ms))
    : >"$tmp/load.stop"
    wait $load || fail "the load failed"
    rm "$tmp/load.stop"
    longest=$(sed -n 's/^longest //p' "$tmp/load.log")
    echo "longest pause: $longest ms"
    test "$longest" -lt "$limit_ms"
}
