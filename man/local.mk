# SPDX-License-Identifier: BSD-3-Clause
#
# The manual is POD; pages are made where pod2man is.  A page is listed
# twice: man/NAME.pod in EXTRA_DIST, man/NAME.SECTION in man_pages.
POD2MAN_RULE = $(AM_V_GEN)$(MKDIR_P) $(@D) && $(POD2MAN) --utf8 --errors=die \
	--section=$(subst .,,$(suffix $@)) --name=$(basename $(@F)) \
	--center="qbd" --release="qbd $(PACKAGE_VERSION)" $< $@

SUFFIXES = .pod .1 .3 .5 .7 .8
.pod.1:
	$(POD2MAN_RULE)
.pod.3:
	$(POD2MAN_RULE)
.pod.5:
	$(POD2MAN_RULE)
.pod.7:
	$(POD2MAN_RULE)
.pod.8:
	$(POD2MAN_RULE)

if HAVE_POD2MAN
man_MANS += $(man_pages)
endif
CLEANFILES += $(man_pages)

EXTRA_DIST += man/nbdkit-qbd-plugin.pod man/qbd.pod man/qbd-api.pod \
	man/qbd-engine-file.pod man/qbd-engine-rbd.pod man/qbd-server.conf.pod \
	man/qbd-server.pod man/qbd-torture.pod man/qbd-troubleshooting.pod
man_pages += man/nbdkit-qbd-plugin.1 man/qbd.1 man/qbd-torture.1 man/qbd-api.7 \
	man/qbd-engine-file.7 man/qbd-engine-rbd.7 man/qbd-server.conf.5 \
	man/qbd-server.8 man/qbd-troubleshooting.7
