#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The machine of a pool on ext4 may crash at any moment: where something was
# acknowledged, and at a sample of all flushes and FUA writes that the file
# system sent, it recovers, the server opens the pool, no volume is lost or
# half made, and what an NBD client had flushed or written with FUA is there.
# A server that does not sync is noticed.
QBD_VM_LIMIT_S=${QBD_VM_LIMIT_S:-600}   # it reckons much, by emulation
source "${0%/*}/functions.sh"
source "${0%/*}/crash-points.sh"

record ext4
"${check[@]}" ext4 60

# A server whose fdatasync of one volume does nothing.
mkdir "$tmp/bin"
cat >"$tmp/bin/qbd-server" <<END
#!/bin/sh
QBD_NO_IO_URING=1 exec strace -D -f -o /dev/null --seccomp-bpf \
    -P "$tmp/mnt/pool/volumes/b.raw" -e trace=fdatasync \
    -e inject=fdatasync:retval=0 $(type -P qbd-server) "\$@"
END
chmod +x "$tmp/bin/qbd-server"
good=$PATH
PATH=$tmp/bin:$PATH
record ext4
PATH=$good
expect_error 'b.raw: block .* holds .*, and not one of' "${check[@]}" ext4 0
