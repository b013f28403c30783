#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# When standard error is systemd's journal, each line begins with its
# priority, and with nothing that the journal adds itself.
source "${0%/*}/functions.sh"

log=$tmp/journal
: >"$log"
printf '%s\n' '[pool mem]' 'url = ram:' >"$tmp/server.conf"
serve ()
{
    JOURNAL_STREAM=$(stat -c %d:%i "$log") \
        qbd-server -c "$tmp/server.conf" --control "$tmp/control" \
                   --listen "unix://$tmp/sock" "$@" </dev/null 2>>"$log" &
    pid=$!
    _pids+=("$pid qbd-server")
}
serve --verbose
wait_for_line "$log" '^<6>ready$'
qbd --control "$tmp/control" status
wait_for_line "$log" '^<7>control: GET /v1/status: 200'
printf '%s\n' '[server]' 'reactors = 63' >>"$tmp/server.conf"
kill -s HUP $pid
wait_for_line "$log" '^<4>reload: reactors: the change takes a restart$'
echo nonsense >>"$tmp/server.conf"
kill -s HUP $pid
wait_for_line "$log" '^<3>config: .*; reload: nothing is changed$'
_end $pid TERM
grep -v '^<[3467]>' "$log" && fail "a line without a priority"
grep -n 'qbd-server:' "$log" && fail "the journal knows the program"

# Elsewhere the variable, which may be inherited, means nothing.
JOURNAL_STREAM=1:2 expect_error '^qbd-server: error: config: ' \
    qbd-server -c "$tmp/server.conf"
