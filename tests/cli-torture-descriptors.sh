#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# qbd torture with fewer descriptors than its connections take: those that the
# proxy cannot accept wait, and it does not spin meanwhile.
source "${0%/*}/functions.sh"
source "${0%/*}/torture.sh"
# LeakSanitizer cannot look at a process that is traced.
export ASAN_OPTIONS="$ASAN_OPTIONS:detect_leaks=0"
requires strace -f -o "$tmp/probe" -e trace=accept4 true

start_nbdkit memory 8M
( ulimit -n 36
  exec timeout "$patience" strace -f -o "$tmp/accepts" -e trace=accept4 \
       qbd torture "$uri" --overwrite --quiet --seconds 1 --clients 16 \
       --depth 1 --faults none ) >"$tmp/report"
grep -Fx 'result: nothing found' "$tmp/report"
nr=$(grep -c EMFILE "$tmp/accepts")
test "$nr" -lt 1000 || fail "accept failed $nr times"
