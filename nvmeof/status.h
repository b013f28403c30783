/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where NVMe status and errno meet: nowhere else.
 * A status is enum nvme_status_field's: SC, SCT << 8, DNR bit 14.
 *
 * The command specific codes mean one thing in an I/O command and another in
 * Connect, so that a failed Connect has its own functions.
 */
#ifndef QBD_NVMEOF_STATUS_H
#define QBD_NVMEOF_STATUS_H

#include <stdbool.h>
#include <stdint.h>

/* errno (positive) for an I/O or admin command's status; 0 for success.
 * ENOSPC, EROFS, EPERM, EIO, EINVAL and EOPNOTSUPP survive the way
 * through status_from_errno.  Everything that only says "not now" or "not here"
 * is EIO: it is for the caller to retry first, when DNR is clear. */
int status_to_errno (uint16_t status);

/* The same for Connect: EACCES the host is not allowed, EBUSY the controller
 * is busy (retry), ENOENT the subsystem is not there or another parameter is
 * refused (dw0 says which). */
int status_connect_to_errno (uint16_t status);

/* Status for a positive errno of the storage; DNR where a retry is futile. */
uint16_t status_from_errno (int err);

/* Not the command failed but the way to the namespace: another one may do
 * (Base 2.0 section 3.3.3.2.1, path related status). */
bool status_is_path (uint16_t status);

/* "Capacity Exceeded" and the like, for logs and messages; never NULL. */
const char *status_name (uint16_t status);
const char *status_connect_name (uint16_t status);

#endif
