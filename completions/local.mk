# SPDX-License-Identifier: BSD-3-Clause
completionsdir = $(datadir)/bash-completion/completions
dist_completions_DATA = completions/qbd completions/qbd-server
