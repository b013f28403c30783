#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The management API as curl sees it: statuses, headers, bodies, bounds.
source "${0%/*}/functions.sh"
requires jq --version
requires curl --version
requires python3 --version

start_server --pool mem=ram:
test "$(stat -c %a "$QBD_CONTROL")" = 660

# answers STATUS [ERROR] CURL-ARGUMENT...
answers ()
{
    local expected=$1 status
    shift
    status=$(curl -sS -m "$patience" -o "$tmp/body" -D "$tmp/header" \
                  -w '%{http_code}' --unix-socket "$QBD_CONTROL" "$@")
    test "$status" = "$expected" || fail "$status: $* ($(cat "$tmp/body"))"
    grep -qi '^content-type: application/json' "$tmp/header"
}
code ()
{
    test "$(jq -r .error.code "$tmp/body")" = "$1"
    test -n "$(jq -r .error.message "$tmp/body")"
}
api=http://qbd/v1

answers 200 $api/status
jq -e '.state == "ready"' "$tmp/body"
answers 201 $api/volumes -d '{"name": "mem/a+b", "size_bytes": 1048576}'
answers 200 $api/volumes/mem/a+b
answers 200 $api/volumes/mem%2Fa%2Bb
answers 200 "$api/volumes?pool=mem"
jq -e '.volumes | length == 1' "$tmp/body"
answers 200 -I $api/volumes/mem/a+b
answers 200 -X PATCH $api/volumes/mem/a+b -d '{"size_bytes": 2097152}'
jq -e '.size_bytes == 2097152' "$tmp/body"

answers 409 $api/volumes -d '{"name": "mem/a+b", "size_bytes": 512}'
code EEXIST
answers 404 $api/volumes/mem/nix
code ENOENT
answers 404 http://qbd/v9/status
code ENOENT
answers 405 -X DELETE $api/status
code EOPNOTSUPP
grep -qi '^allow: GET, HEAD' "$tmp/header"
answers 400 $api/volumes -d '{"name": "mem/x", "size_bytes": 512, "a": 1}'
code EINVAL
answers 400 $api/volumes -d 'x'
code EINVAL
answers 400 -g "$api/volumes?a=1&b=2&c=3&d=4&e=5"
code EINVAL

# A name is not cut off at a NUL, nor are dots resolved on the way.
answers 400 -X DELETE "$api/volumes/mem/a+b%00c"
answers 400 --path-as-is -X DELETE "$api/volumes/mem/x/../a+b"
answers 200 $api/volumes/mem/a+b

# Bodies: the bound is 16 KiB, with a length and without.
head -c 17000 /dev/zero | tr '\0' ' ' >"$tmp/large"
answers 413 $api/volumes --data-binary @"$tmp/large"
code E2BIG
answers 413 $api/volumes -H 'Transfer-Encoding: chunked' \
        --data-binary @"$tmp/large"
code E2BIG
{ head -c 16000 "$tmp/large"; echo '{"name":"mem/x","size_bytes":512}'; } \
    >"$tmp/fits"
answers 201 $api/volumes --data-binary @"$tmp/fits"

# A name is in the sentence as it was asked for.
answers 400 -X DELETE $api/volumes/mem/a+b -d x
grep -q '"api: DELETE /v1/volumes/mem/a+b: takes no body"' "$tmp/body"
answers 400 "$api/volumes/mem/a+b?x=1"
grep -q '"api: /v1/volumes/mem/a+b?x: no query is known here"' "$tmp/body"

# What the manual excepts: what the HTTP library refuses itself.
raw ()                          # REQUEST; prints the answer's first line
{
    printf "$1" | timeout "$patience" python3 -c '
import socket, sys
s = socket.socket (socket.AF_UNIX)
s.connect (sys.argv[1])
s.sendall (sys.stdin.buffer.read ())
print (s.makefile ("rb").read ().split (b"\r\n")[0].decode ())' "$QBD_CONTROL"
}
test "$(raw 'GET /v1/status HTTP/9.9\r\n\r\n')" = \
     'HTTP/1.1 505 HTTP Version Not Supported'
test "$(raw 'FOO BAR BAZ QUX\r\n\r\n')" = 'HTTP/1.1 400 Bad Request'
test "$(raw 'GARBAGE\r\n\r\n')" = ''
post='POST /v1/volumes HTTP/1.1\r\nHost: x\r\n'
test "$(raw "${post}Content-Length: abc\r\n\r\n")" = 'HTTP/1.1 400 Bad Request'
test "$(raw "${post}Content-Length: 99999999999999999999\r\n\r\n")" = \
     'HTTP/1.1 413 Content Too Large'
test "$(raw "${post}Transfer-Encoding: chunked\r\n\r\nzz\r\n")" = \
     'HTTP/1.1 400 Bad Request'
long=$(head -c 40000 /dev/zero | tr '\0' 'a')
status=$(curl -sS -o /dev/null -w '%{http_code}' \
              --unix-socket "$QBD_CONTROL" -H "x: $long" $api/status)
test "$status" = 431
status=0
head -c 4M /dev/zero |
    curl -sS -o /dev/null --unix-socket "$QBD_CONTROL" -T - -X POST \
         $api/volumes || status=$?
test $status -ne 0
answers 200 $api/status

answers 200 -X DELETE $api/volumes/mem/x
answers 200 -X DELETE $api/volumes/mem/a+b
answers 200 $api/volumes
jq -e '.volumes == []' "$tmp/body"
