/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where NVMe status and errno meet: nowhere else.
 * A status is enum nvme_status_field's: SC, SCT << 8, DNR bit 14.
 */
#ifndef QBD_NVMEOF_STATUS_H
#define QBD_NVMEOF_STATUS_H

#include <stdint.h>

/* errno (positive) for a completion's status; 0 for success.  ENOSPC, EROFS,
 * EPERM, EIO and EINVAL survive the way through status_from_errno. */
int status_to_errno (uint16_t status);

/* Status for a positive errno of the storage; DNR where a retry is futile. */
uint16_t status_from_errno (int err);

/* "Capacity Exceeded" and the like, for logs and messages; never NULL. */
const char *status_name (uint16_t status);

#endif
