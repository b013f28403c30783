#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# nbdkit qbd --dump-plugin says which version and transports there are.
source "${0%/*}/functions.sh"
nbdkit qbd --dump-plugin >"$tmp/dump"
version=$(qbd --version | cut -d' ' -f2)
grep -qx "qbd_version=$version" "$tmp/dump"
grep -qx "version=$version" "$tmp/dump"
grep -Eqx 'qbd_transports=tcp unix( rdma)?' "$tmp/dump"
grep -qx 'qbd_policies=failover round-robin queue-depth' "$tmp/dump"
grep -qx 'name=qbd' "$tmp/dump"
grep -qx 'magic_config_key=volume' "$tmp/dump"
grep -qx 'thread_model=parallel' "$tmp/dump"
