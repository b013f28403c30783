# SPDX-License-Identifier: BSD-3-Clause
#
# Tests that take a kernel: each case boots a machine of its own.  They are
# no part of make check: make check-vm, and one by hand as any other test.
VM_TESTS =
VM_TESTS += tests/vm/guest-disk.sh
VM_TESTS += tests/vm/guestfish.sh
VM_TESTS += tests/vm/nbd-client.sh
VM_TESTS += tests/vm/nvme-host.sh
VM_TESTS += tests/vm/rdma-auto.sh
VM_TESTS += tests/vm/rdma-host.sh
VM_TESTS += tests/vm/rdma-lost.sh
VM_TESTS += tests/vm/rdma-nbd.sh
VM_TESTS += tests/vm/rdma-nvmet.sh

# Seconds for one case, above the limit that it has in the guest.
VM_TEST_TIMEOUT = 400

check-vm: all
	$(AM_V_at)$(MAKE) $(AM_MAKEFLAGS) check TESTS="$(VM_TESTS)" \
		check_PROGRAMS= check_LTLIBRARIES= TEST_TIMEOUT=$(VM_TEST_TIMEOUT)
.PHONY: check-vm

EXTRA_DIST += $(VM_TESTS) tests/vm/boot.sh tests/vm/enter.sh \
	tests/vm/filesystems.sh tests/vm/functions.sh tests/vm/guest.sh tests/vm/init \
	tests/vm/machine.sh tests/vm/nvme.sh tests/vm/rdma.sh \
	tests/vm/shell.rc tests/vm/shell.sh
