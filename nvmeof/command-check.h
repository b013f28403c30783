/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Validation of commands as a controller receives them (Base 2.0 section 5,
 * NVM Command Set 1.0 section 3, fabrics commands section 6), once, at the
 * edge.  Pure functions: no state, no clock, no allocation.  Each returns 0
 * or the status (with DNR where a retry is futile) that the command must be
 * answered with, and leaves its results untouched then.
 */
#ifndef QBD_NVMEOF_COMMAND_CHECK_H
#define QBD_NVMEOF_COMMAND_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "nvmeof/command.h"

/* libnvme's enum leaves the status code type out of the codes. */
#define STATUS_SPECIFIC(sc) ((NVME_SCT_CMD_SPECIFIC << NVME_SCT_SHIFT) | (sc))
#define STATUS_PATH(sc) ((NVME_SCT_PATH << NVME_SCT_SHIFT) | (sc))
#define STATUS_DNR(sc) ((uint16_t) ((sc) | NVME_SC_DNR))

/* PSDT says SGL, the command is not fused. */
uint16_t command_check_flags (const struct nvme_sqe *sqe);

/* --- fabrics ------------------------------------------------------------ */

/* What the SQE of a Connect must hold: RECFMT 0, an SQSIZE of at least two
 * entries and at most MQES, or one more (some hosts are off by one).
 * On Invalid Parameters *dw0 names the field (IPO, IATTR). */
uint16_t command_check_connect (const struct nvmf_connect_sqe *sqe,
                                uint16_t mqes_0based, uint32_t *dw0);

/* Names well-formed; CNTLID FFFFh on the admin queue (dynamic controllers),
 * a possible one on an I/O queue. */
uint16_t command_check_connect_data (const struct nvmf_connect_data *data,
                                     bool admin, uint32_t *dw0);

/* dw0 of Invalid Parameters for a field of the data. */
#define CONNECT_IPO_DATA(field)                                         \
  ((uint32_t) offsetof (struct nvmf_connect_data, field) | NVMF_IATTR_DATA)
#define CONNECT_IPO_SQE(field)                                          \
  ((uint32_t) offsetof (struct nvmf_connect_sqe, field))

/* CAP (8 bytes), VS, CC and CSTS (4 bytes) can be read, CC be written. */
uint16_t command_check_property_get (const struct nvmf_property_sqe *sqe);
uint16_t command_check_property_set (const struct nvmf_property_sqe *sqe);

/* CC with EN set: 4 KiB pages, round robin, the NVM command set, entry
 * sizes of 64 and 16 bytes. */
bool command_cc_valid (uint32_t cc);

/* --- admin -------------------------------------------------------------- */

struct log_request {
  uint8_t lid;
  uint32_t bytes;
  uint64_t offset_bytes;
  bool retain_event;            /* RAE */
  bool groups_only;             /* RGO, of log page 0Ch */
};

/* At least a dword, at most max_bytes, at a dword offset. */
uint16_t command_check_get_log (const struct nvme_sqe *sqe,
                                uint32_t max_bytes,
                                struct log_request *request);

/* Set Features: not to be saved.  Get Features: the current value. */
uint16_t command_check_set_features (const struct nvme_sqe *sqe,
                                     uint8_t *fid);
uint16_t command_check_get_features (const struct nvme_sqe *sqe,
                                     uint8_t *fid);

/* Number of Queues: neither count may be FFFFh.  *nr_queues is what both
 * NSQR and NCQR ask for, 1-based. */
uint16_t command_check_nr_queues (uint32_t cdw11, unsigned *nr_queues);

/* --- NVM command set ---------------------------------------------------- */

/* The namespace as commands are checked against it. */
struct command_namespace {
  uint32_t nsid;
  uint64_t nsze;                /* logical blocks */
  unsigned lba_shift;           /* 9 or 12 */
  bool read_only;
};

struct byte_range {
  uint64_t offset_bytes;
  uint64_t length_bytes;
};

uint16_t command_check_read (const struct nvme_rw_sqe *sqe,
                             const struct command_namespace *ns,
                             uint32_t max_bytes, struct byte_range *range);
uint16_t command_check_write (const struct nvme_rw_sqe *sqe,
                              const struct command_namespace *ns,
                              uint32_t max_bytes, struct byte_range *range);
uint16_t command_check_write_zeroes (const struct nvme_rw_sqe *sqe,
                                     const struct command_namespace *ns,
                                     struct byte_range *range);
/* NSID is the namespace's or the broadcast value. */
uint16_t command_check_flush (const struct nvme_sqe *sqe,
                              const struct command_namespace *ns);

enum {
  COMMAND_DSM_RANGES_MAX = 256,
  COMMAND_DSM_BYTES_MAX =
    COMMAND_DSM_RANGES_MAX * sizeof (struct nvme_dsm_range),
};

/* Dataset Management: sgl_bytes hold all the ranges.  Hosts send a list of
 * fixed length, so it may be longer, up to COMMAND_DSM_BYTES_MAX. */
uint16_t command_check_dsm (const struct nvme_sqe *sqe,
                            const struct command_namespace *ns,
                            uint32_t sgl_bytes, unsigned *nr_ranges);
/* Each range lies inside the namespace; empty ones are legal. */
uint16_t command_check_dsm_ranges (const struct nvme_dsm_range *ranges,
                                   unsigned nr_ranges,
                                   const struct command_namespace *ns);

/* Get LBA Status (an admin command; see lba-status.h): ATYPE 02h, a range
 * that begins inside the namespace (RL 0: and ends with it), *bytes of room
 * for the answer: at least its header, at most max_bytes. */
uint16_t command_check_lba_status (const struct nvme_sqe *sqe,
                                   const struct command_namespace *ns,
                                   uint32_t max_bytes, uint32_t *bytes,
                                   struct byte_range *range);

#endif
