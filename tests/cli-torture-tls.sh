#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# qbd torture of an NBD server that takes nothing but TLS, through the proxy;
# a client with another key is none of its clients.
source "${0%/*}/functions.sh"
source "${0%/*}/torture.sh"
requires sh -c "nbdkit --dump-config | grep -x tls=yes"
requires nbdsh -c 'assert h.supports_tls ()'

key () { echo "qbd:$(od -An -v -tx1 -N32 /dev/urandom | tr -d ' \n')"; }
key >"$tmp/keys"
key >"$tmp/others"
start_nbdkit -t 1 --tls=require --tls-psk="$tmp/keys" memory 8M
uri="nbds+unix://qbd@/?socket=$socket&tls-psk-file=$tmp"
torture "$uri/keys" --seed 3 --seconds 2 --json >"$tmp/report"
jq -e '.violated == false and .protocol == "NBD over TLS" and
       .requests.read > 100 and .faults.cut + .faults.duplicate > 0' \
   "$tmp/report"
expect_error '^qbd: torture: nbds.*: nbd_.*: ' \
             qbd torture "$uri/others" --overwrite
expect_error '^qbd: torture: nbd.unix:.*: nbd_.*: .*TLS' \
             qbd torture "nbd+unix:///?socket=$socket" --overwrite
