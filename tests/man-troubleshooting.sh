#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# qbd-troubleshooting(7) speaks of what there is: each command of qbd is run as
# it stands there, each message and parameter that it quotes is in the sources,
# and each shell line can be read.
source "${0%/*}/functions.sh"
requires curl --version
page=$srcdir/man/qbd-troubleshooting.pod

start_server --pool demo=ram:
qbd create demo/disk 1M
start_nbdkit qbd volume=demo/disk control="$tmp/nbdkit.control"
nbdinfo --size "$uri"

# The shell can read all of them; those of qbd and curl it runs.
sed -n 's/^ //p' "$page" >"$tmp/lines"
test "$(wc -l <"$tmp/lines")" -gt 25
bash -n "$tmp/lines"

grep -E '^(qbd|curl) ' "$tmp/lines" |
    sed -e "s,/run/qbd/control,$QBD_CONTROL,; s,/run/qbd/nbdkit,$tmp/nbdkit," \
        -e "s,tcp://storage.example,$QBD_SERVER,; s,/etc/nvme/hostnqn,$tmp/nqn," \
        -e 's,bench.*,& --seconds 1,' | sort -u >"$tmp/ours"
test "$(wc -l <"$tmp/ours")" -ge 10
echo nqn.2014-08.org.example:h >"$tmp/nqn"
# What masks the volume comes last.
{ grep -v '^qbd host add' "$tmp/ours"
  grep '^qbd host add' "$tmp/ours" | sed 's/host add/& --force/'
} >"$tmp/ordered"
bash -ex -o pipefail "$tmp/ordered"

while read -r message; do
    grep -rqF -- "$message" "$srcdir"/{lib,server,nvmeof,plugin,cli} ||
        fail "no part says \"$message\""
    grep -qF -- "$message" "$page"
done <<'END'
connection lost
connected again
no answer to Keep Alive
no answer to a command
no answer from the server
Connect Controller Busy
host not allowed
RDMA needs locked memory
does not answer
has left
the server closed the connection
this server did not answer, and another fenced
qbd_operation_duration_seconds
END
grep -oE 'B<[a-z_]+=?>' "$page" | grep _ | tr -d 'B<>=' | sort -u |
    grep -Ev '^(client|server)_' |      # probes: probes.sh has those
    while read -r name; do
        grep -qE "B<$name=?>|^$name" "$srcdir/man/nbdkit-qbd-plugin.pod" ||
            fail "$name: no parameter"
    done
