#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# sparse finds no confusion of wire and CPU byte order.
source "${0%/*}/functions.sh"
requires command -v sparse
cd "$srcdir"

# What sparse finds in the files $@, except in the system's headers.  It does
# not know _Atomic (type), only _Atomic type.
check ()
{
    local file
    for file; do
        sparse -Wsparse-error -Wno-non-pointer-null -fmax-warnings=unlimited \
               -std=gnu17 '-D_Atomic(type)=type' -D_GNU_SOURCE -DHAVE_CONFIG_H \
               -I. -Iinclude -include "$QBD_BUILDDIR/config.h" "$file" || :
    done 2>&1 | grep -E '(error|warning): ' | grep -v '^/usr/' || :
}

# It does complain when there is reason to.
echo '#include <linux/types.h>
int wrong (__le32 v); int wrong (__le32 v) { return v; }' >"$tmp/wrong.c"
check "$tmp/wrong.c" | grep 'different base types'

check $(find common nvmeof lib plugin cli server -name '*.c') >"$tmp/found"
if test -s "$tmp/found"; then
    cat "$tmp/found"
    fail "sparse found $(wc -l <"$tmp/found") lines"
fi
