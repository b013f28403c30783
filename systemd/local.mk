# SPDX-License-Identifier: BSD-3-Clause
#
# Installed where configure was told of a directory for units.
EXTRA_DIST += systemd/qbd-server.service.in systemd/qbd.sysusers
noinst_DATA += systemd/qbd-server.service
CLEANFILES += systemd/qbd-server.service

systemd/qbd-server.service: $(srcdir)/systemd/qbd-server.service.in Makefile
	$(AM_V_GEN)$(MKDIR_P) systemd && \
	sed 's,@sbindir[@],$(sbindir),' \
	    $(srcdir)/systemd/qbd-server.service.in >$@.tmp && mv $@.tmp $@

if HAVE_SYSTEMD
systemdsystemunit_DATA = systemd/qbd-server.service
install-data-local: install-sysusers
uninstall-local: uninstall-sysusers
endif

# Under the name of the package, as the directory is everybody's.
sysusersdir = $(prefix)/lib/sysusers.d
.PHONY: install-sysusers uninstall-sysusers
install-sysusers:
	$(MKDIR_P) '$(DESTDIR)$(sysusersdir)'
	$(INSTALL_DATA) $(srcdir)/systemd/qbd.sysusers \
		'$(DESTDIR)$(sysusersdir)/qbd.conf'
uninstall-sysusers:
	rm -f '$(DESTDIR)$(sysusersdir)/qbd.conf'
