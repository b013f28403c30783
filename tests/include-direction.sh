#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Each folder includes only what it may depend on (HACKING.md has the table).
source "${0%/*}/functions.sh"
set +x

# folder: prefixes of what it may include, besides its own folder
declare -A may=(
    [common]=""
    [nvmeof]="common/"
    [lib]="nvmeof/ common/ libqbd.h"
    [plugin]="libqbd.h common/"
    [cli]="libqbd.h common/"
    [cli/torture]="libqbd.h cli/ common/"
    [server/reactor]="common/"
    [server/engine]="server/reactor/ common/ nvmeof/command.h"
    [server/target]="nvmeof/ server/engine/engine.h server/reactor/reactor.h
                     common/"
    [server/transport]="server/target/ server/reactor/ nvmeof/ common/"
    [server/control]="server/target/target.h server/target/limits.h server/engine/engine.h
                      nvmeof/nqn.h common/"
    [server]="server/ nvmeof/nqn.h common/"
)
# folder: system headers it must not know
declare -A never=(
    [common]="nvme/ isa-l/ infiniband/ rdma/ rados/ rbd/ liburing.h sqlite3.h
              microhttpd.h jansson.h curl/ nbdkit-plugin.h"
    [nvmeof]="sys/socket.h time.h pthread.h netinet/ unistd.h"
    [server/target]="sys/socket.h netinet/ liburing.h"
    [server/reactor]="nvme/"
    [plugin]="nvme/ sys/socket.h"
)

starts_with_one_of ()
{
    local prefix
    for prefix in $2; do
        [[ $1 != "$prefix"* ]] || return 0
    done
    return 1
}

# Sets $seen; each arrow in the tree $1 that points the wrong way is a line.
check_tree ()
{
    local file line folder header
    seen=0
    while IFS=: read -r file line; do
        folder=${file%/*}
        [[ -v may[$folder] ]] || fail "$folder: this test does not know it"
        header=${line#*[<\"]}
        header=${header%%[>\"]*}
        seen=$((seen + 1))
        case $line in
            *'"'*) starts_with_one_of "$header" "$folder/ ${may[$folder]}" ;;
            *) ! starts_with_one_of "$header" "${never[$folder]-}" ;;
        esac || echo "$file: $header"
    done < <(cd "$1" &&
             grep -rE --include='*.[ch]' '^ *# *include *[<"]' \
                  common nvmeof lib plugin cli server)
}

# It does find wrong arrows, and nothing but those.
mkdir -p "$tmp"/tree/{common,nvmeof,lib,plugin,cli} \
      "$tmp"/tree/server/{reactor,engine,target,transport,control}
cd "$tmp/tree"
bad ()
{
    echo "#include $2" >>"$1"
    echo "$1: ${2//[<>\"]/}" >>"$tmp/expected"
}
echo '#include <stdio.h>
#include "common/error.h"
 # include "nvmeof/command.h"
/* #include "server/target/target.h" */' >lib/good.c
bad common/a.c '"nvmeof/command.h"'
bad common/a.c '<nvme/types.h>'
bad nvmeof/a.h '"lib/transport.h"'
bad nvmeof/a.h '<sys/socket.h>'
bad lib/a.c '"server/target/target.h"'
bad plugin/a.c '"nvmeof/status.h"'
bad cli/a.c '"lib/internal.h"'
bad server/reactor/a.c '"server/engine/engine.h"'
bad server/engine/a.c '"nvmeof/status.h"'
bad server/target/a.c '"server/transport/transport.h"'
bad server/transport/a.c '"server/engine/engine.h"'
bad server/control/a.c '"server/transport/transport.h"'
bad server/a.c '"lib/transport.h"'
check_tree . >"$tmp/found"
cd - >/dev/null
diff -u <(sort "$tmp/expected") <(sort "$tmp/found") ||
    fail "this test does not find what is wrong"

check_tree "$srcdir" >"$tmp/found"
cat "$tmp/found"
test $seen -gt 100 || fail "only $seen #include lines were found"
test ! -s "$tmp/found" || fail "these #include lines point the wrong way"
