#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# libqbd(3) has each public function, with the prototype of libqbd.h; and its
# synopsis is a program that can be built.
source "${0%/*}/functions.sh"
requires cc --version
page=$srcdir/man/libqbd.pod
cc=(cc -Werror -Wall -I"$srcdir/include" -c -o "$tmp/out.o")

sed -n 's/^=item \(.*qbd_.*;\)$/\1/p' "$page" >"$tmp/prototypes"
names () { grep -oE '\bqbd_[a-z_]+ \(' | tr -d ' (' | sort -u; }
# Definitions at the start of a line, not what comments say.
grep -E '^(const |struct |unsigned |int|uint|void|char).*\bqbd_[a-z_]+ \(' \
    "$srcdir/include/libqbd.h" | names >"$tmp/in-header"
test -s "$tmp/in-header"
names <"$tmp/prototypes" | diff -u "$tmp/in-header" - ||
    fail "libqbd.h and libqbd(3) have other functions"

# Declared twice, they must agree.
{ echo '#include <libqbd.h>'; cat "$tmp/prototypes"; } >"$tmp/same.c"
"${cc[@]}" "$tmp/same.c"
sed 's/size_t count/short count/' "$tmp/same.c" >"$tmp/other.c"
expect_error 'conflicting types' "${cc[@]}" "$tmp/other.c"

sed -n '/^=head1 SYNOPSIS/,/^=head1 DESCRIPTION/s/^ //p' "$page" |
    grep -v '^cc ' >"$tmp/synopsis"
{ echo '#include <stdio.h>'
  grep '^#include' "$tmp/synopsis"
  echo 'int main (void) { char buf[4096];'
  grep -v '^#include' "$tmp/synopsis"
  echo 'return 0; }'; } >"$tmp/synopsis.c"
"${cc[@]}" "$tmp/synopsis.c"
