#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The sources of the manual are valid POD.
source "${0%/*}/functions.sh"
requires command -v podchecker
podchecker -warnings "$srcdir"/man/*.pod
