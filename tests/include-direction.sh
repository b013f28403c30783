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
    [server/reactor]="common/"
    [server/engine]="server/reactor/ common/ nvmeof/command.h"
    [server/target]="nvmeof/ server/engine/engine.h server/reactor/reactor.h
                     common/"
    [server/transport]="server/target/ server/reactor/ nvmeof/ common/"
    [server/control]="server/target/target.h server/engine/engine.h
                      nvmeof/nqn.h common/"
    [server]="server/ nvmeof/nqn.h common/"
)
# folder: system headers it must not know
declare -A never=(
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

seen=0 wrong=0
while IFS=: read -r file line; do
    folder=${file%/*}
    [[ -v may[$folder] ]] || fail "$folder: this test does not know it"
    header=${line#*[<\"]}
    header=${header%%[>\"]*}
    seen=$((seen + 1))
    case $line in
        *'"'*) starts_with_one_of "$header" "$folder/ ${may[$folder]}" ;;
        *) ! starts_with_one_of "$header" "${never[$folder]-}" ;;
    esac || { echo "$file: $header"; wrong=$((wrong + 1)); }
done < <(cd "$srcdir" &&
         grep -rE --include='*.[ch]' '^ *# *include *[<"]' \
              common nvmeof lib plugin cli server)

test $seen -gt 100 || fail "only $seen #include lines were found"
test $wrong -eq 0 || fail "$wrong #include lines point the wrong way"
