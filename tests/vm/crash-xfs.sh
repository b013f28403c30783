#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The machine of a pool on XFS, written by way of the page cache, may crash at any
# moment: as crash-ext4.sh.
QBD_VM_LIMIT_S=${QBD_VM_LIMIT_S:-600}   # it reckons much, by emulation
source "${0%/*}/functions.sh"
source "${0%/*}/crash-points.sh"

record xfs '?cache=buffered'
"${check[@]}" xfs 50
