#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# qbd torture calls what a target does wrong by its name, also when the target
# lost what it had acknowledged; the same seed makes the same requests.
source "${0%/*}/functions.sh"
source "${0%/*}/torture.sh"

# Who takes a connection and says nothing is no target; told of at the end.
coproc python3 -c "
import socket, sys
s = socket.socket (socket.AF_UNIX)
s.bind ('$tmp/silent')
s.listen ()
print ('listens', flush=True)
sys.stdin.read ()"
read -r -t "$patience" _ <&"${COPROC[0]}"
qbd torture "nbd+unix:///?socket=$tmp/silent" 2>"$tmp/silent.said" &
silent_pid=$!

finds ()                        # NAME FAULT ARG...
{
    start_nbdkit "$broken" "fault=$2"
    violates "$1" "$uri" "${@:3}" --faults none
    stop_nbdkit
}
finds 'lost write' lose --seed 1 --ops 2000
finds 'stale write' stale --seed 2 --ops 4000
finds 'torn write' tear --seed 3 --ops 2000
finds 'torn write' half --seed 3 --ops 2000
finds 'lost zeroes' zero --seed 4 --ops 2000
finds 'never written' stray --seed 4 --ops 2000
start_nbdkit "$broken" fault=lose
torture "$uri" --seed 1 --ops 2000 --faults none >"$tmp/text" || test $? -eq 3
grep -Eq '^(lost|stale) write: block [0-9]+ \(512 bytes from [0-9]+\)$' "$tmp/text"
grep -Eq '^ +[0-9.]+ +[0-9.]+  client [1-4]: write [0-9]+ of ' "$tmp/text"
grep -Fxq 'result: VIOLATED' "$tmp/text"
stop_nbdkit

# Its cache goes with it, by a command that ends it.
cat >"$tmp/restart" <<EOT
kill -9 \$(cat $tmp/nbdkit.pid)
rm -f $tmp/nbd.sock
echo restarted
exec nbdkit -P $tmp/nbdkit.pid -U $tmp/nbd.sock $broken file=$tmp/file fault=\$1
EOT
cleanup_fn sh -c "kill -9 \$(cat $tmp/nbdkit.pid)"
honest=(--restart-command "bash $tmp/restart honest" --seconds 2 --faults cut)
lying=(--restart-command "bash $tmp/restart flush" --seconds 2 --faults cut)
nbdkit -P "$tmp/nbdkit.pid" -U "$tmp/nbd.sock" "$broken" file="$tmp/file"
uri="nbd+unix:///?socket=$tmp/nbd.sock"
torture "$uri" "${honest[@]}" --volatile --seed 5
bash "$tmp/restart" flush
violates 'stale write' "$uri" "${lying[@]}" --seed 6
violates 'flush that lied' "$uri" "${lying[@]}" --volatile --seed 7

for i in 1 2; do
    start_nbdkit --filter=log memory 8M logfile="$tmp/requests$i"
    torture "$uri" --seed 12 --ops 300 --clients 1 --depth 1 --faults none
    stop_nbdkit
    sed -En 's/^.* (Read|Write|Zero|Trim|Flush) id=[0-9]* (.*) \.\.\.$/\1 \2/p' \
        "$tmp/requests$i" >"$tmp/list$i"
    grep -q ^Trim "$tmp/list$i"
done
test "$(grep -c offset "$tmp/list1")" -gt 300
cmp "$tmp/list1" "$tmp/list2"

# What it says of itself is respected; what it says and does not do is told.
start_nbdkit --filter=blocksize-policy memory 1M blocksize-minimum=4096 \
             blocksize-preferred=4096 blocksize-maximum=8192 \
             blocksize-error-policy=error
torture "$uri" --ops 300 --json >"$tmp/report"
jq -e '.block_size == 4096 and .range_bytes == 1048576 and
       .requests.failed == 0 and .requests.zero > 0' "$tmp/report"
stop_nbdkit
start_nbdkit --filter=multi-conn memory 1M multi-conn-mode=disable
torture "$uri" --seconds 1 --volatile --restart-command true --json \
        >"$tmp/report"
jq -e '.clients == 1 and .faults.cut + .faults.duplicate == 0 and
       .faults.restart > 0' "$tmp/report"
stop_nbdkit
# A socket that its server knows by another name.
start_nbdkit memory 1M
mv "$socket" "$tmp/an other"
mkdir "$tmp/t"
TMPDIR=$tmp/t torture "nbd+unix:///?socket=$tmp/an%20other" --ops 100
rmdir "$tmp/t"                  # nothing is left in it
# A name that is too long for a socket's path, in a place that is not there.
TMPDIR=/$(printf '%0100d' 0) \
    torture "nbd+unix:///?socket=$tmp/an%20other" --ops 100
stop_nbdkit
start_nbdkit --filter=error memory 1M error-zero=EIO error-zero-rate=100%
torture "$uri" --ops 300 --json --faults none >"$tmp/report"
jq -e '.requests.failed == 0 and .requests.zero == 0 and
       .zero_error == "Input/output error"' "$tmp/report"
stop_nbdkit
# Trimmed blocks may be anything, here they are no zeroes; not those of who
# cannot trim.
start_nbdkit "$broken"
torture "$uri" --ops 1000 --json --faults none >"$tmp/report"
jq -e '.requests.trim > 0 and .trim_error == null' "$tmp/report"
stop_nbdkit
start_nbdkit --filter=error memory 1M error-trim=EIO error-trim-rate=100%
torture "$uri" --ops 300 --json --faults none >"$tmp/report"
jq -e '.requests.failed == 0 and .requests.trim == 0 and
       .trim_error == "Input/output error"' "$tmp/report"
stop_nbdkit
# A trim that was not answered may be carried out later: no run begins.
truncate -s 64K "$tmp/image"
: >"$tmp/dies.log"
while :; do
    rm -f "$tmp/dies.sock"
    nbdkit -f --exit-with-parent -U "$tmp/dies.sock" eval \
           after_fork="echo listens >>$tmp/dies.log" \
           get_size='echo 65536' can_write='exit 0' can_trim='exit 0' \
           pread="dd if=$tmp/image iflag=skip_bytes,count_bytes \
                     skip=\$4 count=\$3 status=none" \
           pwrite="dd of=$tmp/image oflag=seek_bytes seek=\$4 conv=notrunc \
                      status=none" \
           trim='kill -KILL $PPID' || :
done &
dies=$!
cleanup_fn kill $dies
wait_for_line "$tmp/dies.log" listens
expect_error 'Transport endpoint is not connected' \
    qbd torture "nbd+unix:///?socket=$tmp/dies.sock" --overwrite --quiet \
    --ops 10 --faults none

# It can be ended early, also before the clients begin, and says what it has
# seen.
start_nbdkit --filter=log --filter=delay memory 8M wdelay=100ms \
             logfile="$tmp/clearing"
qbd torture "$uri" --overwrite --seconds 1000 2>"$tmp/said" &
pid=$!
wait_for_line "$tmp/clearing" ' Write id='
kill -s INT $pid
must_fail wait $pid
grep -Fx 'qbd: torture: interrupted' "$tmp/said"
stop_nbdkit
start_nbdkit --filter=log memory 8M logfile="$tmp/requests"
qbd torture "$uri" --overwrite --quiet --seconds 1000 >"$tmp/text" &
pid=$!
wait_for_line "$tmp/requests" ' Read id='
kill -s INT $pid
wait $pid
grep -Fxq 'result: nothing found' "$tmp/text"
stop_nbdkit

# A server that takes the five connections that look at it and clear the range,
# then none for a while: no client has got through, so nothing is known.
start_nbdkit memory 8M
cat >"$tmp/fickle" <<EOT
import socket, threading, time

def copy (source, sink):
    while data := source.recv (1 << 16):
        sink.sendall (data)
    sink.shutdown (socket.SHUT_WR)

listener = socket.socket (socket.AF_UNIX)
listener.bind ('$tmp/fickle.sock')
listener.listen ()
print ('listens', flush=True)
nr = 0
while True:
    here = listener.accept ()[0]
    nr += 1
    if nr == 5:
        until = time.monotonic () + 20
    elif nr > 5 and time.monotonic () < until:
        continue
    there = socket.socket (socket.AF_UNIX)
    there.connect ('$socket')
    for pair in (here, there), (there, here):
        threading.Thread (target=copy, args=pair, daemon=True).start ()
EOT
python3 "$tmp/fickle" >"$tmp/fickle.out" &
cleanup_fn kill $!
wait_for_line "$tmp/fickle.out" listens
expect_error ': no request succeeded, so that nothing is known$' \
             qbd torture "nbd+unix:///?socket=$tmp/fickle.sock" --overwrite \
             --seconds 1
stop_nbdkit

# Not by accident, and not what it cannot do.
start_nbdkit memory 8M
expect_error 'the first 4M of 8M would be lost: say --overwrite$' \
             qbd torture "$uri"
stop_nbdkit
start_nbdkit -r memory 8M
expect_error ': is read-only$' qbd torture "$uri" --overwrite
expect_error '^qbd: option: --faults: cutt: unknown, did you mean cut\?$' \
             qbd torture "$uri" --overwrite --faults delay,cutt
expect_error 'an NBD export is named in the URI$' qbd torture "$uri" demo/disk
expect_error 'say POOL/VOL, or an NQN, behind it$' \
             qbd torture tcp://127.0.0.1 --overwrite
expect_error 'RDMA does not go through the fault proxy$' \
             qbd torture rdma://127.0.0.1 demo/disk

must_fail wait $silent_pid
grep ': its handshake takes too long$' "$tmp/silent.said"
