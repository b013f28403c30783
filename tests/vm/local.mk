# SPDX-License-Identifier: BSD-3-Clause
#
# Tests that take a kernel: each case boots a machine of its own.  They are
# no part of make check: make check-vm, and one by hand as any other test.
VM_TESTS =
VM_TESTS += tests/vm/crash-ext4.sh
VM_TESTS += tests/vm/guest-disk.sh
VM_TESTS += tests/vm/guest-root.sh
VM_TESTS += tests/vm/guestfish.sh
VM_TESTS += tests/vm/kernel-target.sh
VM_TESTS += tests/vm/nbd-client-connections.sh
VM_TESTS += tests/vm/nbd-client.sh
VM_TESTS += tests/vm/nbd-dies.sh
VM_TESTS += tests/vm/nbd-vsock.sh
VM_TESTS += tests/vm/nvme-host-faults.sh
VM_TESTS += tests/vm/nvme-host-links.sh
VM_TESTS += tests/vm/nvme-host-multipath.sh
VM_TESTS += tests/vm/nvme-host.sh
VM_TESTS += tests/vm/nvmet-faults.sh
VM_TESTS += tests/vm/qemu-nbd.sh
VM_TESTS += tests/vm/rdma-auto.sh
VM_TESTS += tests/vm/rdma-host.sh
VM_TESTS += tests/vm/rdma-lost.sh
VM_TESTS += tests/vm/rdma-nbd.sh
VM_TESTS += tests/vm/rdma-nvmet.sh
VM_TESTS += tests/vm/storage-faults.sh

# The whole list of NBD tests over RDMA, which takes as long as all the others;
# links that fail, devices that are removed, refusals: make check-vm-rdma.
VM_RDMA_TESTS =
VM_RDMA_TESTS += tests/vm/rdma-host-faults.sh
VM_RDMA_TESTS += tests/vm/rdma-link.sh
VM_RDMA_TESTS += tests/vm/rdma-names.sh
VM_RDMA_TESTS += tests/vm/rdma-nbd-1.sh
VM_RDMA_TESTS += tests/vm/rdma-nbd-2.sh
VM_RDMA_TESTS += tests/vm/rdma-nbd-3.sh
VM_RDMA_TESTS += tests/vm/rdma-nbd-4.sh
VM_RDMA_TESTS += tests/vm/rdma-nbd-5.sh
VM_RDMA_TESTS += tests/vm/rdma-nbd-6.sh
VM_RDMA_TESTS += tests/vm/rdma-nbd-7.sh
VM_RDMA_TESTS += tests/vm/rdma-nbd-8.sh
VM_RDMA_TESTS += tests/vm/rdma-nbd-copy.sh
VM_RDMA_TESTS += tests/vm/rdma-nbd-life.sh
VM_RDMA_TESTS += tests/vm/rdma-nbd-parallel.sh
VM_RDMA_TESTS += tests/vm/rdma-paths.sh
VM_RDMA_TESTS += tests/vm/rdma-portals.sh
VM_RDMA_TESTS += tests/vm/rdma-refused.sh
VM_RDMA_TESTS += tests/vm/rdma-removed.sh
VM_RDMA_TESTS += tests/vm/rdma-wire.sh

# What takes minutes a case: make check-vm-long.
VM_LONG_TESTS =
VM_LONG_TESTS += tests/vm/crash-xfs.sh
VM_LONG_TESTS += tests/vm/guest-own-root.sh
VM_LONG_TESTS += tests/vm/guest-swap.sh
VM_LONG_TESTS += tests/vm/nvmet-ana.sh
VM_LONG_TESTS += tests/vm/nvmet-torture.sh

EXTRA_PROGRAMS = tests/vm/fsx tests/vm/working-set
tests_vm_fsx_SOURCES = tests/vm/fsx.c
tests_vm_working_set_SOURCES = tests/vm/working-set.c
if HAVE_RDMA
EXTRA_PROGRAMS += tests/vm/rdma-peer
tests_vm_rdma_peer_SOURCES = tests/vm/rdma-peer.c
tests_vm_rdma_peer_CFLAGS = $(AM_CFLAGS) $(RDMA_CFLAGS)
tests_vm_rdma_peer_LDADD = $(RDMA_LIBS)
endif
CLEANFILES += $(EXTRA_PROGRAMS)

# Seconds for one case, above the limit that it has in the guest.
VM_TEST_TIMEOUT = 760

check-vm: all $(EXTRA_PROGRAMS)
	$(AM_V_at)$(MAKE) $(AM_MAKEFLAGS) check TESTS="$(VM_TESTS)" \
		check_PROGRAMS= check_LTLIBRARIES= TEST_TIMEOUT=$(VM_TEST_TIMEOUT)
check-vm-long: all $(EXTRA_PROGRAMS)
	$(AM_V_at)$(MAKE) $(AM_MAKEFLAGS) check TESTS="$(VM_LONG_TESTS)" \
		check_PROGRAMS= check_LTLIBRARIES= TEST_TIMEOUT=$(VM_TEST_TIMEOUT)
check-vm-rdma: all $(EXTRA_PROGRAMS)
	$(AM_V_at)$(MAKE) $(AM_MAKEFLAGS) check TESTS="$(VM_RDMA_TESTS)" \
		check_PROGRAMS= check_LTLIBRARIES= TEST_TIMEOUT=$(VM_TEST_TIMEOUT)
.PHONY: check-vm check-vm-long check-vm-rdma

EXTRA_DIST += $(VM_TESTS) $(VM_RDMA_TESTS) $(VM_LONG_TESTS) tests/vm/boot.sh \
	tests/vm/crash-points.py tests/vm/crash-points.sh \
	tests/vm/enter.sh tests/vm/filesystems.sh tests/vm/functions.sh \
	tests/vm/guest.sh tests/vm/init tests/vm/machine.sh \
	tests/vm/nbd-over-rdma.sh tests/vm/nvme.sh \
	tests/vm/nvmet.sh tests/vm/rdma-wire.py tests/vm/rdma.sh \
	tests/vm/root-init \
	tests/vm/shell.rc tests/vm/shell.sh
