#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What README and manual show as commands is run as it stands there, but for
# places (pools, sockets, ports, addresses) and sizes, which are this test's.
source "${0%/*}/functions.sh"
requires zstd --version
requires curl --version
man=$srcdir/man

# Verbatim lines of standard input, in the section or between the two
# patterns given.
verbatim () { sed -n "/$1/,/$2/s/^ //p" | grep .; }

# The places.  10G is 10M here: what is copied byte by byte should be short.
# What qemu-system and the kernel's nbd-client are needed for is shown by
# tests/vm.
port=$((20000 + $$ % 10000))       # below what connections get
ours ()
{
    sed -E -e 's/\b([0-9]+)G\b/\1M/g' -e 's/\b(1073741824|2147483648)0\b/\1/g' \
        -e "s,/run/qbd/control,$QBD_CONTROL,g" \
        -e "s,tcp://storage[.]example([.]com)?,$QBD_SERVER,g" \
        -e "s,nbd://localhost,nbd://localhost:$port,g"
}

# run LINE...: all in one shell, which ends at the first that fails.
run_lines ()
{
    cat >"$tmp/lines"
    test -s "$tmp/lines" || fail "no example was found"
    cat "$tmp/lines"
    (cd "$tmp" && timeout "$patience" bash -ex -o pipefail "$tmp/lines")
}

mkdir "$tmp/pool"
start_server --pool "demo=file:$tmp/pool" --pool san=ram:

: qbd 1
truncate -s 4M "$tmp/raw"
qemu-img convert -O qcow2 "$tmp/raw" "$tmp/debian.qcow2"
qbd create demo/golden 1M
{ echo "test -e /etc/nvme/hostnqn || cat () { echo nqn.2014-08.org.example:h; }"
  verbatim '^=head1 EXAMPLES' '^=head1 SEE' <"$man/qbd.pod" |
      sed 's/bench.*/& --seconds 1/' | ours; } | run_lines
test "$(qbd info --json demo/disk | jq .size_bytes)" = 20971520
qbd info --json demo/golden | jq -e .read_only
qbd rm demo/disk

: qbd-api 7
verbatim '^=head1 SYNOPSIS' '^=head1 DESC' <"$man/qbd-api.pod" | ours | run_lines
verbatim '^=head1 EXAMPLES' '^=head1 SEE' <"$man/qbd-api.pod" | ours | run_lines
expect_error 'no such volume' qbd info demo/disk

: nbdkit-qbd-plugin 1
start_in_background ()
{
    # nbdkit forks; its last word is its pid.
    sed -E "s,^nbdkit (-i 127.0.0.1 )?,nbdkit -i 127.0.0.1 -p $port -P \$PWD/nbdkit.pid ,"
}
truncate -s 1M "$tmp/disk.img"
cleanup_fn sh -c "kill \$(cat $tmp/nbdkit.pid)"
{ verbatim '^This plugin' '^=head1 EXPORT' <"$man/nbdkit-qbd-plugin.pod" |
      grep -Ev '^(qbd-server |qemu-system|qemu-nbd -c )' |
      start_in_background | ours; } | run_lines
nbdkit=$(<"$tmp/nbdkit.pid")
kill "$nbdkit"
_wait_gone "$nbdkit"
qbd create san/disk 10M || :    # is there
verbatim '^=head1 EXPORT' '^=head1 PARAM' <"$man/nbdkit-qbd-plugin.pod" |
    start_in_background | ours | run_lines
test "$(stat -c %s "$tmp/disk.img")" = 10485760
kill "$(<"$tmp/nbdkit.pid")"
_wait_gone "$(<"$tmp/nbdkit.pid")"
_cleanups=()
stop_server

: qbd-server 8 and qbd-server.conf 5: their files are read
mkdir -p "$tmp/etc" "$tmp/srv/demo" "$tmp/srv/san"
config ()
{
    verbatim "$1" "$2" <"$man/$3.pod" |
        sed -e "s,tcp://[0-9.]*:4420,tcp://127.0.0.1:0,"\
            -e "s,/run/qbd,$tmp/etc,; s,/srv/qbd,$tmp/srv," >"$tmp/etc/conf"
    grep -q '^\[server\]' "$tmp/etc/conf"
    start_server --listen unix://"$tmp/etc/other" -c "$tmp/etc/conf"
    qbd pools
    stop_server
}
config '^=head1 CONFIG' '^=head1 SIGNALS' qbd-server
config '^=head1 DESC' '^=head1 \[server' qbd-server.conf

: qbd-server 8: the last example
mkdir "$tmp/srv/last"
{ verbatim '^=head1 EXAMPLES' '^=head1 SEE' <"$man/qbd-server.pod" |
      sed -e "s,/srv/qbd,$tmp/srv/new,g" -e "s,0.0.0.0:4420,127.0.0.1:0," \
          -e 's,^qbd-server .*,exec & --control '"$tmp/control2"','; } >"$tmp/lines"
: >"$tmp/last.log"
bash -ex "$tmp/lines" >>"$tmp/last.log" 2>&1 &
last=$!
cleanup_fn kill "$last"
wait_for_line "$tmp/last.log" ': ready$'
kill "$last"
wait "$last"
_cleanups=()

: README: quick start by hand
sed -n '/^## Quick start/,/^## The tree/s/^    //p' "$srcdir/README.md" |
    grep -Ev '^(qemu-system|sudo)' >"$tmp/readme"
grep -q '^./run qbd create' "$tmp/readme"
{ sed -E -e "s,/tmp/pool,readme-pool,; s,/tmp/qbd.control,$tmp/readme.control," \
      -e 's,^\./run ,,; s,--progress ,,' \
      -e "s,^(qbd-server .*) &\$,\1 --listen tcp://127.0.0.1:$((port + 1)) 2>server.log \&," \
      "$tmp/readme" | start_in_background | ours |
      sed '/^qbd-server/a until grep -q ": ready" server.log; do :; done
           1i export QBD_SERVER=tcp://127.0.0.1:'$((port + 1))
  echo 'kill $(cat nbdkit.pid) $!; wait $!'
} | run_lines
