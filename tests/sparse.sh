#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# sparse finds no confusion of wire and CPU byte order.
source "${0%/*}/functions.sh"
requires command -v sparse
cd "$srcdir"
check=(sparse -Wsparse-error -std=gnu17 -D_GNU_SOURCE -DHAVE_CONFIG_H
       -I. -Iinclude -include "$QBD_BUILDDIR/config.h")

# It does complain when there is reason to.
echo '#include <linux/types.h>
int wrong (__le32 v); int wrong (__le32 v) { return v; }' >"$tmp/wrong.c"
expect_error 'incorrect type|different base types' "${check[@]}" "$tmp/wrong.c"

find common nvmeof lib plugin cli server -name '*.c' -print0 |
    xargs -0 -n 1 "${check[@]}"
