#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Not a case: a shell in the guest, with what cases can use at hand.
# In the build directory: ./run ../tests/vm/shell.sh
source "${0%/*}/../functions.sh"
set +x
source "${0%/*}/machine.sh"
source "${0%/*}/boot.sh"
vm_limit_s=${QBD_VM_LIMIT_S:-86400}
boot_case
