/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The namespaces of an association: asked for as Linux asks (Base 2.0 section
 * 5.17: active list, descriptors, the namespace itself), judged, and kept for
 * as long as the association lives.  One is found during set-up; others of
 * the same subsystem join it later, by a thread that opens a volume.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "lib/internal.h"
#include "nvmeof/status.h"

enum { IDENTIFY_BYTES = 4096, VERSION_1_3 = 0x00010300 };

/* --- questions ---------------------------------------------------------- */

static union nvme_command
ask (uint8_t cns, uint32_t nsid)
{
  return (union nvme_command) { .common = {
      .opcode = nvme_admin_identify,
      .nsid = cpu_to_le32 (nsid),
      .cdw10 = cpu_to_le32 (cns),
    } };
}

/* The list holds what is above the NSID of the command. */
union nvme_command
namespace_ask_list (uint32_t wanted)
{
  return ask (NVME_IDENTIFY_CNS_NS_ACTIVE_LIST, wanted ? wanted - 1 : 0);
}

union nvme_command
namespace_ask_descriptors (uint32_t nsid)
{
  return ask (NVME_IDENTIFY_CNS_NS_DESC_LIST, nsid);
}

union nvme_command
namespace_ask_independent (uint32_t nsid)
{
  return ask (NVME_IDENTIFY_CNS_CSI_INDEPENDENT_ID_NS, nsid);
}

union nvme_command
namespace_ask (uint32_t nsid)
{
  return ask (NVME_IDENTIFY_CNS_NS, nsid);
}

/* --- answers ------------------------------------------------------------ */

int
namespace_judge_list (const struct association *association,
                      const void *page, uint32_t wanted, uint32_t *nsid,
                      struct error *err)
{
  char fault[IDENTIFY_PICK_FAULT];
  int r = identify_pick_namespace (page, wanted, nsid, fault);

  if (r < 0)
    return error_set (err, -r, "connect: %s: %s: %s", association->uri,
                      association->params.subnqn, fault);
  return 0;
}

/* Mandatory from 1.3 on; what is older may not know it. */
int
namespace_judge_descriptors (const struct association *association,
                             uint16_t status, const void *page,
                             struct namespace_ids *ids, struct error *err)
{
  const char *fault = status_name (status);
  bool bad = status != 0 && association->vs >= VERSION_1_3;

  memset (ids, 0, sizeof *ids);
  if (status == 0)
    bad = identify_check_descriptors (page, IDENTIFY_BYTES, ids, &fault) < 0;
  if (bad)
    return error_set (err, EPROTO,
                      "connect: %s: Identify, namespace descriptors: %s",
                      association->uri, fault);
  return 0;
}

/* Few controllers before 2.0 know it. */
bool
namespace_judge_independent (uint16_t status, const void *page)
{
  return status == 0 && identify_is_rotational (page);
}

int
namespace_judge (const struct association *association, const void *page,
                 const struct namespace_ids *ids,
                 struct namespace_info *info, struct error *err)
{
  const char *fault;

  if (identify_check_namespace (page, info, &fault) < 0)
    return error_set (err, EPROTO, "connect: %s: Identify Namespace: %s",
                      association->uri, fault);
  if (info->block_bytes > association->controller.max_transfer_bytes)
    return error_set (err, EPROTO, "connect: %s: a block is larger than a "
                      "transfer (MDTS)", association->uri);
  identify_merge_ids (info, ids);
  return 0;
}

/* Without identifiers, the subsystem's serial number has to do. */
static bool
is_same (const struct association *association, const struct namespace *ns,
         const struct namespace_info *info)
{
  if (identify_ids_known (&ns->info.ids))
    return memcmp (&ns->info.ids, &info->ids, sizeof info->ids) == 0;
  return memcmp (association->controller.serial, association->fresh.serial,
                 sizeof association->fresh.serial) == 0;
}

int
namespace_judge_again (const struct association *association,
                       const struct namespace *ns,
                       const struct namespace_info *info, struct error *err)
{
  const char *fault = NULL;

  if (!is_same (association, ns, info))
    fault = "another volume has this name now";
  else if (info->block_bytes != ns->info.block_bytes)
    fault = "its block size has changed";
  else if (info->size_bytes < ns->size_bytes)
    fault = "it has become smaller";
  else if (ns->info.deallocated_zero && !info->deallocated_zero)
    fault = "DLFEAT: deallocated blocks do not read as zeroes any more";
  else
    return 0;
  return error_set (err, EIO, "%s: %s: connected again, but %s",
                    options_name (&association->params.options),
                    association->uri, fault);
}

static void
grow (struct namespace *ns, uint64_t size_bytes)
{
  uint64_t old_bytes = ns->size_bytes;

  while (old_bytes < size_bytes &&
         !atomic_compare_exchange_weak (&ns->size_bytes, &old_bytes,
                                        size_bytes))
    ;
}

/* The answers of several paths overtake each other: a smaller size may be the
 * older one. */
void
namespace_resized (struct association *association, struct namespace *ns,
                   uint64_t size_bytes)
{
  const struct paths *paths = association->paths;

  if (!paths)
    ns->size_bytes = size_bytes;
  for (unsigned i = 0; paths && i < paths->nr; i++)
    grow (&paths->association[i]->namespaces[0], size_bytes);
}

/* --- the table ---------------------------------------------------------- */

/* False: out of memory. */
static bool
prepare_retain (const struct association *association, struct namespace *ns,
                const struct namespace_info *info)
{
  uint64_t bytes = association->params.options.retain_bytes;

  /* Several paths have it together: paths_retain. */
  if (bytes == 0 || !association->params.reconnects ||
      association->params.several || !association->controller.volatile_cache)
    return true;
  ns->retain = retain_create (bytes, info->block_bytes,
                              association->params.disorderly);
  return ns->retain != NULL;
}

struct namespace *
namespace_add (struct association *association, uint32_t nsid, bool only,
               const struct namespace_info *info)
{
  uint32_t n = association->nr_namespaces;
  struct namespace *ns;

  if (n == NAMESPACES_MAX)
    return NULL;
  ns = &association->namespaces[n];
  if (!prepare_retain (association, ns, info))
    return NULL;
  ns->nsid = nsid;
  ns->only = only;
  ns->info = *info;
  ns->size_bytes = info->size_bytes;
  ns->durable.epoch = durable_epoch (association, info->epoch);
  association->nr_namespaces = n + 1;   /* from now on others see it */
  return ns;
}

struct namespace *
namespace_find (struct association *association, uint32_t wanted)
{
  for (uint32_t i = 0; i < association->nr_namespaces; i++) {
    struct namespace *ns = &association->namespaces[i];

    if (wanted == 0 ? ns->only : ns->nsid == wanted)
      return ns;
  }
  return NULL;
}

/* --- one more ----------------------------------------------------------- */

/* May *status not be 0? */
static int
call (struct association *association, const union nvme_command *sqe,
      void *page, uint16_t *status, bool optional, struct error *err)
{
  int r = association_call (association, sqe, TRANSPORT_FROM_CONTROLLER,
                            page, IDENTIFY_BYTES, true, status, NULL);

  if (r < 0 && association_get_state (association, err) != ASSOCIATION_LIVE)
    return r;
  if (r < 0)
    return error_set (err, -r, "connect: %s: Identify: no answer",
                      association->uri);
  if (*status != 0 && !optional)
    return error_set (err, status_to_errno (*status),
                      "connect: %s: Identify: %s", association->uri,
                      status_name (*status));
  return 0;
}

static int
identify (struct association *association, uint32_t nsid, void *page,
          const struct namespace_ids *ids, struct namespace_info *info,
          struct error *err)
{
  union nvme_command sqe = namespace_ask (nsid);
  uint16_t status;
  int r = call (association, &sqe, page, &status, false, err);

  return r < 0 ? r : namespace_judge (association, page, ids, info, err);
}

int
namespace_attach (struct association *association, uint32_t wanted,
                  struct namespace **ns, struct error *err)
{
  CLEANUP_FREE void *page = aligned_alloc (4096, IDENTIFY_BYTES);
  union nvme_command sqe = namespace_ask_list (wanted);
  struct namespace_info info;
  struct namespace_ids ids;
  uint16_t status;
  bool rotational;
  uint32_t nsid;

  if (!page)
    return error_set (err, ENOMEM, "connect: %s: out of memory",
                      association->uri);
  if (call (association, &sqe, page, &status, false, err) < 0 ||
      namespace_judge_list (association, page, wanted, &nsid, err) < 0)
    return -err->code;
  sqe = namespace_ask_descriptors (nsid);
  if (call (association, &sqe, page, &status, true, err) < 0 ||
      namespace_judge_descriptors (association, status, page, &ids,
                                   err) < 0)
    return -err->code;
  sqe = namespace_ask_independent (nsid);
  if (call (association, &sqe, page, &status, true, err) < 0)
    return -err->code;
  rotational = namespace_judge_independent (status, page);
  if (identify (association, nsid, page, &ids, &info, err) < 0)
    return -err->code;
  info.rotational = rotational;
  *ns = namespace_add (association, nsid, wanted == 0, &info);
  if (!*ns && association->nr_namespaces == NAMESPACES_MAX)
    return error_set (err, ENOSPC, "connect: %s: too many namespaces",
                      association->uri);
  if (!*ns)
    return error_set (err, ENOMEM, "connect: %s: retain: out of memory",
                      association->uri);
  /* Events follow it from now on; what happened before is in this. */
  if (identify (association, nsid, page, &ids, &info, err) < 0)
    return -err->code;
  if (memcmp (&info.ids, &(*ns)->info.ids, sizeof info.ids) != 0)
    return error_set (err, EIO, "connect: %s: another namespace has this "
                      "identifier now", association->uri);
  (*ns)->size_bytes = info.size_bytes;
  return 0;
}
