# SPDX-License-Identifier: BSD-3-Clause
# Each source file begins with its licence, and each C file then says what it
# is for.
source "${0%/*}/functions.sh"
set +x

# Each file in the tree $1 that does not is a line.
check_tree ()
{
    local file lines licence="SPDX-License-Identifier: BSD-3-Clause"
    (cd "$1" &&
         find common nvmeof lib plugin cli server include tests bench dev man \
              fuzzing -type f 2>/dev/null) |
        while read -r file; do
            mapfile -t -n 3 lines <"$1/$file"
            case $file in
                bench/NOTES | bench/README) ;;
                bench/flames/* | bench/plots/* | bench/results/*) ;;
                *.[ch])
                    [[ ${lines[0]} == "/* $licence */" &&
                       ${lines[1]} == "/*" && ${lines[2]} == " * "?* ]] ;;
                *.sh | *.py | *.mk | dev/* | bench/*)
                    [[ ${lines[*]::2} == *"# $licence"* ]] ;;
            esac || echo "$file"
        done
}

# It does find what is missing.
mkdir -p "$tmp/tree/common" "$tmp/tree/tests"
cd "$tmp/tree"
printf '%s\n' '/* SPDX-License-Identifier: BSD-3-Clause */' '/*' ' * x' ' */' \
       >common/good.c
printf '%s\n' '#!/bin/bash' '# SPDX-License-Identifier: BSD-3-Clause' \
       >tests/good.sh
printf '%s\n' '/* SPDX-License-Identifier: BSD-3-Clause */' 'int x;' \
       >common/no-purpose.c
printf '%s\n' '/*' ' * x' ' */' >common/no-licence.h
echo 'exit 0' >tests/no-licence.sh
cd - >/dev/null
diff -u - <(check_tree "$tmp/tree" | sort) <<EOT ||
common/no-licence.h
common/no-purpose.c
tests/no-licence.sh
EOT
    fail "this test does not find what is wrong"

missing=$(check_tree "$srcdir")
test -z "$missing" || fail "these lack a header:
$missing"
