#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# kill -9 while volumes are created, resized and removed: what was
# acknowledged stays so, and what was not is done or not, but never half.
source "${0%/*}/functions.sh"
requires jq --version

mkdir "$tmp/pool"

# Each line: a volume, and the sizes that it may have until the next line.
change ()
{
    local i name
    for i in $(seq 1000); do
        name=demo/$1-$i
        echo "$name-keep none 1048576"
        qbd create $name-keep 1M || return 0
        echo "$name-keep 1048576"

        echo "$name-grow none 1048576"
        qbd create $name-grow 1M || return 0
        echo "$name-grow 1048576 3145728"
        qbd resize $name-grow 3M || return 0
        echo "$name-grow 3145728"

        echo "$name-gone none 1048576"
        qbd create $name-gone 1M || return 0
        echo "$name-gone 1048576 none"
        qbd rm $name-gone || return 0
        echo "$name-gone none"
    done
    fail "was not killed"
}

cat >"$tmp/compare.awk" <<'EOF'
FNR == NR { size[$1] = $2; allowed[$1] = " none "; next }
{ name = $1; $1 = ""; allowed[name] = $0 " " }
END {
    for (name in allowed) {
        now = name in size ? size[name] : "none"
        if (!index (allowed[name], " " now " ")) {
            print name ": " now ", allowed:" allowed[name]
            wrong = 1
        }
    }
    exit wrong
}
EOF

for round in 1 2 3 4 5; do
    start_server --pool demo="file:$tmp/pool"
    jobs=()
    for job in a b c; do
        change $round$job >"$tmp/$round$job.said" 2>"$tmp/$round$job.err" &
        jobs+=($!)
    done
    # Each round ends at another moment.
    wait_for_line "$tmp/${round}b.said" "-$((round * 2))-(keep|grow|gone) "
    kill_server
    for job in "${jobs[@]}"; do
        wait "$job"
    done

    start_server --pool demo="file:$tmp/pool"
    qbd ls --json |
        jq -r '.volumes[] | select (.state == "ready") |
               "\(.name) \(.size_bytes)"' >"$tmp/now"
    awk -f "$tmp/compare.awk" "$tmp/now" "$tmp"/*.said
    # A file for each volume, and none besides.
    ls "$tmp/pool/volumes" | wc -l >"$tmp/files"
    qbd ls --json | jq '.volumes | length' | cmp - "$tmp/files"
    stop_server
done
