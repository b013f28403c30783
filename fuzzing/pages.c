/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Pages and private data as their readers check them: the first byte says
 * which, the rest is the page.  What a check accepts has to hold.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzzing/fuzz.h"
#include "nvmeof/ana.h"
#include "nvmeof/command-describe.h"
#include "nvmeof/identify-check.h"
#include "nvmeof/lba-status.h"
#include "nvmeof/nqn.h"
#include "nvmeof/rdma.h"

#define PAGE_BYTES 4096u

static union {
  uint8_t bytes[PAGE_BYTES];
  struct nvme_id_ctrl ctrl;
  struct nvme_id_ns ns;
  struct nvme_id_ctrl_nvm ctrl_nvm;
  struct nvme_id_independent_id_ns independent;
  struct nvmf_discovery_log log;
  struct nvmf_disc_log_entry entry;
  __le32 list[1024];
  union nvme_command sqe;
} page;
static size_t page_bytes;       /* of the input; zeroes follow */

static void
must (bool holds)
{
  if (!holds)
    abort ();
}

static void
controller (void)
{
  struct controller_expect expect = {
    .cntlid = le16_to_cpu (page.ctrl.cntlid),
    .keep_alive = page.bytes[page_bytes / 2] & 1,
    .keyed = page.bytes[page_bytes / 2] & 2,
    .discovery = page.bytes[page_bytes / 2] & 4,
  };
  struct controller_info info, now;
  const char *fault = NULL;

  if (identify_check_controller (&page.ctrl, &expect, &info, &fault) < 0) {
    must (fault != NULL);
    return;
  }
  must (info.max_transfer_bytes >= 4096);
  must (expect.discovery || info.maxcmd > 0);
  must (identify_check_no_less (&info, &info, &fault) == 0);
  now = info;
  identify_apply_nvm (&page.ctrl_nvm, expect.mpsmin, &now);
  must (now.zeroes_max_bytes >= 4096 && now.dsm_max_blocks > 0);
}

static void
namespace (void)
{
  struct namespace_info info = { 0 };
  const char *fault = NULL;

  if (identify_check_namespace (&page.ns, &info, &fault) < 0) {
    must (fault != NULL);
    return;
  }
  must (info.block_bytes >= 512
        && (info.block_bytes & (info.block_bytes - 1)) == 0);
  must (info.size_bytes > 0 && info.size_bytes % info.block_bytes == 0
        && info.size_bytes <= INT64_MAX);
  must (info.preferred_bytes >= info.block_bytes);
  (void) identify_is_rotational (&page.independent);
}

static void
descriptors (void)
{
  struct namespace_ids ids = { 0 };
  const char *fault = NULL;
  /* Its exact size, so that a read beyond it is seen. */
  uint8_t *exact = malloc (page_bytes ? page_bytes : 1);

  must (exact != NULL);
  memcpy (exact, page.bytes, page_bytes);
  if (identify_check_descriptors (exact, page_bytes, &ids, &fault) < 0)
    must (fault != NULL);
  free (exact);
}

static void
active_list (void)
{
  char fault[IDENTIFY_PICK_FAULT];
  uint32_t nsid = 0;

  if (identify_pick_namespace (page.list, 0, &nsid, fault) == 0)
    must (nsid != 0 && nsid < UINT32_MAX - 1);
  if (identify_pick_namespace (page.list, 7, &nsid, fault) == 0)
    must (nsid == 7);
}

static void
discovery (void)
{
  struct discovery_header header;
  struct discovery_where where;
  const char *fault = NULL;

  if (discovery_check_header (&page.log, &header, &fault) == 0)
    must (header.numrec <= DISCOVERY_RECORDS_MAX);
  if (!discovery_entry_valid (&page.entry))
    return;
  must (memchr (page.entry.subnqn, 0, sizeof page.entry.subnqn) != NULL);
  discovery_entry_where (&page.entry, &where);
  must (memchr (where.address, 0, sizeof where.address) != NULL);
  for (const char *s = where.address; *s; s++)
    must (*s >= 0x20 && *s < 0x7f);
}

static void
private_data (void)
{
  struct rdma_asked asked;
  uint16_t depth = 128;
  const char *fault = NULL;

  if (rdma_check_request (page.bytes, page_bytes, 128, &asked) == 0) {
    must (asked.entries >= 2);
    must (asked.depth >= 1 && asked.depth <= asked.entries);
  }
  if (rdma_check_accept (page.bytes, page_bytes, &depth, &fault) == 0)
    must (depth >= 1 && depth <= 128);
  (void) rdma_cm_status_name (rdma_reject_status (page.bytes, page_bytes));
}

/* As lists of what is in flight have it: before anything was checked. */
static void
describe (bool admin)
{
  const struct nvme_dsm_range *range = NULL;
  struct command_description description;

  if (page_bytes >= sizeof page.sqe + sizeof *range)
    range = (const void *) (page.bytes + sizeof page.sqe);
  command_describe (&page.sqe, admin, 4096, range, &description);
  must (description.op != NULL);
  must (description.offset_bytes <= INT64_MAX
        && description.length_bytes <= INT64_MAX);
}

static void
capsule (void)
{
  struct rdma_data data;

  if (page_bytes < sizeof page.sqe)
    return;
  describe (false);
  describe (true);
  if (rdma_check_capsule (&page.sqe.common, (uint32_t) page_bytes, 4096,
                          &data) != 0)
    return;
  if (data.in_capsule)
    must (data.bytes <= 4096 && data.bytes <= page_bytes - sizeof page.sqe);
}

/* Of the group that the page's first word names; the log follows. */
static void
ana (void)
{
  uint32_t group = le32_to_cpu (page.list[0]), n;
  uint8_t *exact, state;

  if (page_bytes < 4)
    return;
  n = (uint32_t) page_bytes - 4;
  exact = malloc (n ? n : 1);
  must (exact != NULL);
  memcpy (exact, page.bytes + 4, n);
  state = ana_find (exact, n, group);
  must (state <= NVME_ANA_STATE_PERSISTENT_LOSS
        || state == NVME_ANA_STATE_CHANGE);
  free (exact);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t bytes)
{
  static void (*const kinds[]) (void) = {
    controller, namespace, descriptors, active_list, discovery,
    private_data, capsule, ana,
  };

  if (bytes < 1)
    return -1;
  page_bytes = bytes - 1 < PAGE_BYTES ? bytes - 1 : PAGE_BYTES;
  memset (&page, 0, sizeof page);
  memcpy (page.bytes, data + 1, page_bytes);
  kinds[data[0] % (sizeof kinds / sizeof kinds[0])] ();
  return 0;
}
