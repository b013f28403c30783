#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What qbd is asked wrongly it says in one sentence, and nothing changes.
source "${0%/*}/functions.sh"

# The limit of file systems differs, and may be above all sizes: this is ours.
ulimit -f 1048576               # 1 GiB
mkdir "$tmp/pool"
start_server --pool demo="file:$tmp/pool"
qbd create demo/disk 1M
qbd create demo/other 1M --block-size 4096
qbd info demo/disk --json >"$tmp/before"

# says STATUS LINE COMMAND...: exactly this on standard error, nothing on
# standard output.
says ()
{
    local expected=$1 line=$2 status=0
    shift 2
    "$@" >"$tmp/stdout" 2>"$tmp/stderr" </dev/null || status=$?
    test $status -eq "$expected" || fail "status $status: $*"
    test "$(cat "$tmp/stderr")" = "$line" ||
        fail "$* said: $(cat "$tmp/stderr")"
    test ! -s "$tmp/stdout" || fail "$* printed: $(cat "$tmp/stdout")"
}

# The command line.
says 2 'qbd: command: none is given (see qbd --help)' qbd
says 2 'qbd: command: crate: unknown, did you mean create?' qbd crate x
says 2 'qbd: command: frobnicate: unknown' qbd frobnicate
says 2 'qbd: option: --blocksize: unknown, did you mean --block-size?' \
     qbd create demo/x 1M --blocksize 512
says 2 'qbd: option: -z: unknown' qbd ls -z
says 2 'qbd: option: --control: needs a value' qbd ls --control
says 2 'qbd: option: --json: takes no value' qbd ls --json=yes
says 2 'qbd: ls: --shrink: is no option of this command' qbd --shrink ls
says 2 'qbd: create: SIZE: is missing' qbd create demo/x
says 2 'qbd: rm: POOL/VOL: is missing' qbd rm
says 2 'qbd: rm: demo/other: is one argument too many' \
     qbd rm demo/disk demo/other

# Sizes.
says 2 'qbd: create: size: -5G: a size cannot be negative' \
     qbd create demo/x -5G
says 2 'qbd: create: size: -5G: a size cannot be negative' \
     qbd --json create demo/x -- -5G
says 2 'qbd: resize: size: -1: a size cannot be negative' \
     qbd resize -- demo/disk -1
says 2 'qbd: create: size: 0: the size must not be 0' qbd create demo/x 0
says 2 'qbd: create: size: 16E: the size is too large' qbd create demo/x 16E
says 2 'qbd: create: size: 0.3K: not a whole number of bytes' \
     qbd create demo/x 0.3K
expect_error '^qbd: create: size: lots: not a size' qbd create demo/x lots
expect_error '^qbd: create: size: 5X: unknown suffix' qbd create demo/x 5X
says 1 'qbd: create: demo/x: size 1000 is no multiple of the block size 512' \
     qbd create demo/x 1000
says 1 'qbd: create: demo/x: size 512 is no multiple of the block size 4096' \
     qbd create demo/x 512 --block-size 4096
says 1 'qbd: resize: demo/other: size 1049088 is no multiple of the block size 4096' \
     qbd resize demo/other 1049088
says 1 'qbd: create: demo/x: block size 1024 is neither 512 nor 4096' \
     qbd create demo/x 1M --block-size 1024
expect_error "^qbd: create: demo/x: 2G is beyond what the file system of $tmp/pool can hold in one file$" \
             qbd create demo/x 2G
expect_error "^qbd: resize: demo/disk: 2G is beyond what the file system of $tmp/pool can hold in one file$" \
             qbd resize demo/disk 2G

# Names.
for name in '' demo demo/ /disk demo//x demo/x/y demo/.. demo/../x ../demo/x \
            'demo/a b' demo/-x demo/x..y $'demo/\xff' $'demo/a\nb' \
            'demo/a?b' 'demo/a%00b' "demo/$(printf %0200d 0)"; do
    expect_error '^qbd: [a-z]+: ' qbd create "$name" 1M
    expect_error '^qbd: [a-z]+: ' qbd info "$name"
    expect_error '^qbd: [a-z]+: ' qbd rm "$name"
done
expect_error '^qbd: volume: demo/0+: the name is too long: its NQN would have [0-9]+ bytes' \
             qbd create "demo/$(printf %0180d 0)" 1M

# What is there, and what is not.
says 1 'qbd: create: demo/disk: volume exists already' \
     qbd create demo/disk 2M
says 1 'qbd: create: nix: no such pool' qbd create nix/disk 2M
says 1 'qbd: ls: nix: no such pool' qbd ls nix
says 1 'qbd: info: demo/nix: no such volume' qbd info demo/nix
says 1 'qbd: resize: demo/nix: no such volume' qbd resize demo/nix 2M
says 1 'qbd: rm: demo/nix: no such volume' qbd rm demo/nix
says 1 'qbd: resize: demo/disk: size 524288 is below the 1048576 bytes it has, and cuts off data: say --shrink' \
     qbd resize demo/disk 512K

# Nothing of that changed anything.
qbd info demo/disk --json | cmp - "$tmp/before"
qbd ls | awk '{ print $1 }' >"$tmp/names"
printf 'NAME\ndemo/disk\ndemo/other\n' | cmp - "$tmp/names"
