#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# --help and the manual list the same options and parameters.
source "${0%/*}/functions.sh"

options ()                      # --words of standard input
{
    grep -oE -- '--[a-z][a-z-]+' | sort -u
}

items ()                        # of the POD $1: options, or what $2 matches
{
    sed -n 's/^=item \(B<\|\[B<\)//p' "$srcdir/man/$1.pod" |
        grep -oE -- "${2:---[a-z][a-z-]+}" | sort -u
}

same ()
{
    test -s "$tmp/help" || fail "$1: --help shows no option"
    diff -u "$tmp/help" "$tmp/manual" || fail "$1: --help and manual differ"
}

qbd-server --help | options >"$tmp/help"
items qbd-server >"$tmp/manual"
same qbd-server

{ qbd --help
  for command in $(qbd --help | sed -n '/^Commands:/,/^$/s/^  \([a-z][a-z]*\) .*/\1/p')
  do
      qbd $command --help
  done; } | options >"$tmp/help"
items qbd >"$tmp/manual"
same qbd

# Each command has its item, and each key of the configuration file.
qbd --help | sed -n '/^Commands:/,/^$/s/^  \([a-z][a-z]*\) .*/\1/p' |
    sort >"$tmp/help"
sed -n '/^=head1 COMMANDS/,/^=head1 /s/^=item B<\([a-z]*\)>.*/\1/p' \
    "$srcdir/man/qbd.pod" | sort -u >"$tmp/manual"
same 'qbd: commands'
qbd-server --help | sed -n 's/^  \([a-z_]*\) = .*/\1/p' | sort -u >"$tmp/help"
sed -n 's/^=item B<\([a-z_]*\)> = .*/\1/p' "$srcdir/man/qbd-server.conf.pod" |
    sort -u >"$tmp/manual"
same qbd-server.conf

nbdkit qbd --help | grep -oE '^[a-z_]+=' | sort -u >"$tmp/help"
items nbdkit-qbd-plugin '^[a-z_]+=' >"$tmp/manual"
same nbdkit-qbd-plugin
