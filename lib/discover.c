/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The discovery log (Base 2.0 section 5.16.1.22, log 70h), read as Linux reads
 * it: header, entries in pieces, header again; when the generation moved
 * meanwhile, all over.  And POOL/VOL to an NQN: a volume's name is in its NQN,
 * and its server's log lists the NQNs.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/nearest.h"
#include "lib/internal.h"
#include "nvmeof/status.h"

enum {
  LOG_DISCOVERY = 0x70,
  HEADER_BYTES = 1024,
  ENTRIES_AT_ONCE = ASSOCIATION_BUFFER_BYTES / HEADER_BYTES,
  READS_MAX = 10,               /* of a log that keeps changing */
};

struct log {
  struct association *association;
  uint64_t deadline_ms;
  const struct discovery_reader *reader;
};

static int
get_log (struct log *log, uint64_t offset_bytes, uint32_t bytes,
         struct error *err)
{
  struct association *association = log->association;
  uint32_t numd_0based = bytes / 4 - 1;
  union nvme_command sqe = { .common = {
      .opcode = nvme_admin_get_log_page,
      .cdw10 = cpu_to_le32 (LOG_DISCOVERY | (numd_0based & 0xffff) << 16),
      .cdw11 = cpu_to_le32 (numd_0based >> 16),
      .cdw12 = cpu_to_le32 ((uint32_t) offset_bytes),
      .cdw13 = cpu_to_le32 ((uint32_t) (offset_bytes >> 32)),
    } };
  uint16_t status;

  association_admin (association, &sqe, TRANSPORT_FROM_CONTROLLER, bytes);
  while (!association->step_done) {
    uint64_t now_ms = clock_now_ms ();

    if (now_ms >= log->deadline_ms)
      association_lose (association, ETIMEDOUT,
                        "no answer to Get Log Page in time");
    if (association_drive (association, now_ms) != ASSOCIATION_LIVE)
      break;
    if (!association->step_done)
      association_poll (association);
  }
  if (association_get_state (association, err) != ASSOCIATION_LIVE)
    return -err->code;
  status = nvme_cqe_status (&association->step.transport.cqe);
  if (status != 0)
    return error_set (err, status_to_errno (status),
                      "connect: %s: Get Log Page, discovery: %s",
                      association->uri, status_name (status));
  return 0;
}

static int
get_header (struct log *log, struct discovery_header *header,
            struct error *err)
{
  const char *fault;
  int r = get_log (log, 0, HEADER_BYTES, err);

  if (r < 0)
    return r;
  if (discovery_check_header (log->association->buffer, header,
                              &fault) < 0)
    return error_set (err, EPROTO, "connect: %s: discovery log: %s",
                      log->association->uri, fault);
  return 0;
}

static int
read_entries (struct log *log, const struct discovery_header *header,
              struct error *err)
{
  const struct nvmf_disc_log_entry *entries = log->association->buffer;
  uint32_t at_once = log->association->controller.max_transfer_bytes /
    HEADER_BYTES;

  if (at_once > ENTRIES_AT_ONCE)
    at_once = ENTRIES_AT_ONCE;
  for (uint64_t i = 0; i < header->numrec;) {
    uint32_t n = at_once;
    int r;

    if (n > header->numrec - i)
      n = (uint32_t) (header->numrec - i);
    r = get_log (log, HEADER_BYTES * (1 + i), n * HEADER_BYTES, err);
    if (r < 0)
      return r;
    for (uint32_t k = 0; r == 0 && k < n; k++)
      r = log->reader->entry (log->reader->opaque, &entries[k]);
    if (r < 0)
      return error_set (err, -r, "connect: %s: discovery log: %s",
                        log->association->uri,
                        r == -EFBIG ? "it has too many entries" :
                        strerror (-r));
    i += n;
  }
  return 0;
}

static int
read_log (struct log *log, struct error *err)
{
  struct discovery_header before, after;
  int r = get_header (log, &before, err);

  for (unsigned i = 0; r == 0 && i < READS_MAX; i++) {
    log->reader->restart (log->reader->opaque);
    r = read_entries (log, &before, err);
    if (r == 0)
      r = get_header (log, &after, err);
    if (r == 0 && before.genctr == after.genctr)
      return 0;
    before = after;
  }
  if (r == 0)
    return error_set (err, EAGAIN,
                      "connect: %s: the discovery log keeps changing",
                      log->association->uri);
  return r;
}

int
discover (const struct options *options, struct attempt *attempt,
          uint64_t deadline_ms, const struct discovery_reader *reader,
          bool *reached, struct error *err)
{
  struct association_params params = {
    .options = *options,
    .subnqn = NVMEOF_DISCOVERY_NQN,
    .discovery = true,
    .attempt = attempt,
  };
  struct log log = { .deadline_ms = deadline_ms, .reader = reader };
  int r;

  r = association_open (&params, &log.association, reached, err);
  if (r < 0)
    return r;
  *reached = true;
  r = read_log (&log, err);
  association_free (log.association);
  return r;
}

/* --- one volume --------------------------------------------------------- */

struct search {
  const char *volume;
  char nqn[NVMEOF_NQN_MAX + 1];         /* "" until found */
  char near[NVMEOF_NQN_MAX + 1];        /* the nearest other name */
  bool ambiguous;
};

static void
search_restart (void *opaque)
{
  struct search *search = opaque;

  search->nqn[0] = search->near[0] = '\0';
  search->ambiguous = false;
}

static int
search_entry (void *opaque, const struct nvmf_disc_log_entry *entry)
{
  struct search *search = opaque;
  const char *name;

  /* All of one server, over whatever it was asked. */
  if (!discovery_entry_usable (entry, NVMF_TRTYPE_TCP) &&
      !discovery_entry_usable (entry, NVMF_TRTYPE_RDMA))
    return 0;
  name = nqn_volume_name (entry->subnqn);
  if (!name)
    return 0;
  if (strcmp (name, search->volume) == 0) {
    if (search->nqn[0] && strcmp (search->nqn, entry->subnqn) != 0)
      search->ambiguous = true;
    strcpy (search->nqn, entry->subnqn);        /* it is valid: it fits */
  } else {
    const char *const names[] = { name, search->near[0] ? search->near : NULL,
                                  NULL };

    if (nearest_name (search->volume, names) == name)
      snprintf (search->near, sizeof search->near, "%s", name);
  }
  return 0;
}

static int
conclude (const struct search *search, const struct address *server,
          const char *hostnqn, char *nqn, struct error *err)
{
  char uri[ADDRESS_TEXT_MAX];

  address_format (server, uri, sizeof uri);
  if (search->ambiguous)
    return error_set (err, EINVAL, "open: %s: %s has several volumes of that "
                      "name", search->volume, uri);
  if (search->nqn[0]) {
    memcpy (nqn, search->nqn, sizeof search->nqn);
    return 0;
  }
  if (search->near[0])
    return error_set (err, ENOENT, "open: %s: no such volume on %s; did you "
                      "mean %s?", search->volume, uri, search->near);
  return error_set (err, ENOENT, "open: %s: no such volume on %s, or it is not "
                    "for host %s", search->volume, uri, hostnqn);
}

int
discover_volume (const struct options *options,
                 struct attempt *attempt, uint64_t deadline_ms,
                 char nqn[NVMEOF_NQN_MAX + 1], bool *reached,
                 struct error *err)
{
  struct search search = { .volume = options->volume };
  const struct discovery_reader reader = {
    .restart = search_restart, .entry = search_entry, .opaque = &search,
  };
  int r = discover (options, attempt, deadline_ms, &reader, reached, err);

  return r < 0 ? r : conclude (&search, &options->server, options->hostnqn,
                            nqn, err);
}
