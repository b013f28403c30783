#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Without options the configuration is /etc/qbd/server.conf; with -c or --pool
# that file is not read.
source "${0%/*}/functions.sh"
requires jq --version
requires unshare --user --map-root-user --mount mount -t tmpfs tmpfs /etc

export QBD_CONTROL=$tmp/control
mkdir -p "$tmp/pool" "$tmp/etc/qbd"
cat >"$tmp/etc/qbd/server.conf" <<END
[server]
listen = unix://$tmp/default.sock
[pool default]
url = file:$tmp/pool
END
cat >"$tmp/other.conf" <<END
[server]
listen = unix://$tmp/other.sock
[pool other]
url = ram:
END

# pools EXPECTED OPTION...: of a server on a machine with that /etc
pools ()
{
    local expected=$1
    shift
    unshare --user --map-root-user --mount \
        sh -c 'mount --bind "$1" /etc; shift; exec "$@"' - "$tmp/etc" \
        qbd-server "$@" </dev/null 2>"$tmp/$expected.log" &
    local pid=$!
    cleanup_fn kill "$pid"
    wait_for_line "$tmp/$expected.log" ': ready$'
    test "$(qbd status --json | jq -r '.pools[].name')" = "$expected"
    # The process is the server: each step was an exec.
    kill "$pid"
    wait "$pid"
}

pools default
pools other -c "$tmp/other.conf"
pools mem --pool mem=ram: --listen "unix://$tmp/mem.sock"
