/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The Asymmetric Namespace Access log page (0Ch; Base 2.0 section 5.16.1.13),
 * as hosts read it.  Pure.
 */
#ifndef QBD_NVMEOF_ANA_H
#define QBD_NVMEOF_ANA_H

#include <stdint.h>

/* Of the whole page. */
uint64_t ana_log_bytes (uint32_t nr_groups, uint32_t nr_namespaces);

/* The state of a group (enum nvme_ana_state), from as much of the page as
 * there is.  0: it does not say, or makes no sense. */
uint8_t ana_find (const uint8_t *page, uint32_t bytes, uint32_t group);

#endif
