/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Validation of what a controller says about itself: Identify (Base 2.0
 * section 5.17) and the discovery log (section 5.16.1.22).  A peer fills these pages:
 * every field that the client goes by is checked here, once, and comes
 * out as a plain number.  Pure functions.
 *
 * A function returns 0, or -1 with *fault naming the field and what is
 * wrong with it, e.g. "MAXCMD is 0".
 */
#ifndef QBD_NVMEOF_IDENTIFY_CHECK_H
#define QBD_NVMEOF_IDENTIFY_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <nvme/types.h>

#include "nvmeof/cross-reset.h"

struct controller_expect {
  uint16_t cntlid;              /* what Connect returned */
  bool discovery;
  bool keep_alive;              /* KATO is not 0 */
  uint8_t mpsmin;               /* CAP.MPSMIN: 4096 << mpsmin bytes */
  bool keyed;                   /* RDMA: SGLs must be keyed, and only SGLS bit
                                   20 lets data go in capsules */
};

struct controller_info {
  uint32_t max_transfer_bytes;  /* MDTS; UINT32_MAX: no limit */
  uint32_t in_capsule_bytes;    /* of an I/O command */
  uint16_t maxcmd;
  bool volatile_cache;          /* VWC */
  bool namespace_events;        /* OAES: Namespace Attribute Changed */
  uint64_t ana_log_bytes;       /* 0: all paths are good alike (no ANA) */
  uint32_t anatt_ms;            /* ANATT; 0: not said */
  bool can_dsm;                 /* ONCS */
  bool can_write_zeroes;
  bool can_lba_status;          /* OACS */
  bool can_cross_reset;         /* CCRL, CIRN */
  bool traffic_keeps_alive;     /* CTRATT.TBKAS */
  uint32_t kato_unit_ms;        /* KAS: it rounds KATO up; 0: no keep-alive */
  struct controller_instance instance;
  uint8_t serial[20 + 40];      /* SN and MN, as they are */
  /* From the NVM command set's own page; defaults without it. */
  uint32_t zeroes_max_bytes;    /* UINT32_MAX: no limit */
  uint32_t dsm_max_blocks;      /* of one range; UINT32_MAX: no limit */
};

int identify_check_controller (const struct nvme_id_ctrl *id,
                               const struct controller_expect *expect,
                               struct controller_info *info,
                               const char **fault);

/* What users of old were told holds for what the controller says now: no
 * limit is narrower, nothing is missing. */
int identify_check_no_less (const struct controller_info *old,
                            const struct controller_info *now,
                            const char **fault);

/* What holds for both. */
void identify_merge (struct controller_info *info,
                     const struct controller_info *other);

/* CNS 06h, CSI 0: sets the limits in info. */
void identify_apply_nvm (const struct nvme_id_ctrl_nvm *id, uint8_t mpsmin,
                         struct controller_info *info);

/* What tells a namespace from all others; all 0: it was not told. */
struct namespace_ids {
  uint8_t eui64[8];
  uint8_t nguid[16];
  uint8_t uuid[16];
};

struct namespace_info {
  struct namespace_ids ids;
  uint64_t epoch;               /* nvmeof/epoch.h; 0: not told */
  uint32_t ana_group;           /* ANAGRPID; 0: none */
  uint64_t size_bytes;
  uint32_t block_bytes;
  uint32_t preferred_bytes;     /* at least block_bytes */
  bool read_only;
  bool deallocated_zero;        /* DLFEAT: deallocated blocks read as 0 */
  bool zeroes_deallocate;       /* DLFEAT: Write Zeroes knows DEAC */
  bool rotational;              /* CNS 08h; false without it */
};

int identify_check_namespace (const struct nvme_id_ns *id,
                              struct namespace_info *info,
                              const char **fault);
/* Those of the descriptors come before those of Identify Namespace. */
void identify_merge_ids (struct namespace_info *info,
                         const struct namespace_ids *descriptors);
bool identify_ids_known (const struct namespace_ids *ids);

/* CNS 08h, which is optional: RMEDIA. */
bool identify_is_rotational (const struct nvme_id_independent_id_ns *id);

/* The active list (CNS 02h), asked for from `wanted` on: the wanted
 * namespace, or the only one when that is 0.  0, or -EPROTO, -ENODEV (there is
 * none), -ENOENT (not the wanted one), -EINVAL (several: fault lists the
 * first of them). */
#define IDENTIFY_PICK_FAULT 160
int identify_pick_namespace (const __le32 list[1024], uint32_t wanted,
                             uint32_t *nsid,
                             char fault[IDENTIFY_PICK_FAULT]);

/* Descriptors (CNS 03h): each inside the page, lengths as their types have
 * them. */
int identify_check_descriptors (const uint8_t *page, size_t page_bytes,
                                struct namespace_ids *ids,
                                const char **fault);

struct discovery_header {
  uint64_t genctr;
  uint64_t numrec;
};

enum { DISCOVERY_RECORDS_MAX = 1 << 20 };

int discovery_check_header (const struct nvmf_discovery_log *log,
                            struct discovery_header *header,
                            const char **fault);

/* An entry that describes an NVM subsystem; its NQN is a checked string
 * then.  Others (referrals, discovery itself) are none of ours: false. */
bool discovery_entry_valid (const struct nvmf_disc_log_entry *entry);
/* And it is on this transport. */
bool discovery_entry_usable (const struct nvmf_disc_log_entry *entry,
                             uint8_t trtype);

/* Where a valid entry's subsystem is. */
struct discovery_where {
  const char *transport;        /* "tcp", "unix", "rdma", "fc", "loop", "?" */
  char address[304];            /* tcp://HOST:PORT, rdma://HOST:PORT,
                                   unix://PATH, else TRADDR;
                                   "" where it is not printable */
};
void discovery_entry_where (const struct nvmf_disc_log_entry *entry,
                            struct discovery_where *where);

#endif
