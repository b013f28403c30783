/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The discovery log page (NVMe over Fabrics, Base 2.0 section 5.16.1.23): a
 * header and one entry per subsystem that the asking host may attach, with
 * the address that it used.
 */
#include <string.h>

#include "common/log.h"
#include "server/target/internal.h"

enum { ENTRY_BYTES = 1024 };
static_assert (sizeof (struct nvmf_disc_log_entry) == ENTRY_BYTES, "");
static_assert (sizeof (struct nvmf_discovery_log) == ENTRY_BYTES, "");

/* The window of the page that the host asked for. */
struct window {
  uint64_t offset_bytes;
  uint8_t *buffer;
  uint32_t bytes;
};

/* Copies what of a piece at page_offset falls into the window. */
static void
put_piece (const struct window *window, uint64_t page_offset,
           const void *piece)
{
  uint64_t first = page_offset, end = page_offset + ENTRY_BYTES;

  if (first < window->offset_bytes)
    first = window->offset_bytes;
  if (end > window->offset_bytes + window->bytes)
    end = window->offset_bytes + window->bytes;
  if (first < end)
    memcpy (window->buffer + (first - window->offset_bytes),
            (const uint8_t *) piece + (first - page_offset), end - first);
}

static void
fill_address (struct nvmf_disc_log_entry *entry,
              const struct address *address)
{
  if (address->family == ADDRESS_UNIX) {
    /* There is no address family for it; this one means "this machine". */
    entry->adrfam = NVMF_ADDR_FAMILY_LOOP;
    strcpy (entry->traddr, address->path);
    return;
  }
  entry->adrfam = strchr (address->host, ':')
    ? NVMF_ADDR_FAMILY_IP6 : NVMF_ADDR_FAMILY_IP4;
  strcpy (entry->traddr, address->host);
  strcpy (entry->trsvcid, address->port);
}

static void
fill_entry (struct nvmf_disc_log_entry *entry, const char *nqn,
            const struct target_queue *asker)
{
  static_assert (sizeof entry->traddr >= sizeof asker->portal->local.host
                 && sizeof entry->traddr >= sizeof asker->portal->local.path
                 && sizeof entry->trsvcid >= sizeof asker->portal->local.port
                 && sizeof entry->subnqn > NVMEOF_NQN_MAX, "");
  memset (entry, 0, sizeof *entry);
  entry->trtype = asker->ops->trtype;
  if (entry->trtype == NVMF_TRTYPE_RDMA) {
    entry->tsas.rdma.qptype = NVMF_RDMA_QPTYPE_CONNECTED;
    entry->tsas.rdma.prtype = NVMF_RDMA_PRTYPE_NOT_SPECIFIED;
    entry->tsas.rdma.cms = NVMF_RDMA_CMS_RDMA_CM;
  }
  entry->subtype = NVME_NQN_NVME;
  /* libnvme takes "not required" for a wish for TLS. */
  entry->treq = NVMF_TREQ_NOT_SPECIFIED | NVMF_TREQ_DISABLE_SQFLOW;
  entry->portid = cpu_to_le16 (1);
  entry->cntlid = cpu_to_le16 (0xffff); /* dynamic */
  entry->asqsz = cpu_to_le16 (32);
  strcpy (entry->subnqn, nqn);
  fill_address (entry, &asker->portal->local);
}

struct counts {
  uint64_t shown;
  uint64_t hidden;              /* masked from the asker */
};

static struct counts
locked_put_log (const struct target_queue *queue, const struct window *window)
{
  const struct controller *asker = queue->controller;
  const struct subsystem *subsystem;
  struct nvmf_disc_log_entry entry;
  struct nvmf_discovery_log header;
  struct counts n = { 0 };

  TAILQ_FOREACH (subsystem, &queue->target->subsystems, in_target) {
    uint64_t page_offset = ENTRY_BYTES * (1 + n.shown);

    if (!subsystem_locked_allows (subsystem, asker->hostnqn,
                                  asker->is_local)) {
      n.hidden++;
      continue;
    }
    if (page_offset < window->offset_bytes + window->bytes
        && page_offset + ENTRY_BYTES > window->offset_bytes) {
      fill_entry (&entry, subsystem->nqn, queue);
      put_piece (window, page_offset, &entry);
    }
    n.shown++;
  }
  memset (&header, 0, sizeof header);
  header.genctr = cpu_to_le64 (queue->target->genctr);
  header.numrec = cpu_to_le64 (n.shown);
  put_piece (window, 0, &header);
  return n;
}

/* Whoever finds nothing wants to know why; once, as hosts read the log in
 * pieces. */
static void
log_hidden (struct controller *asker, const struct counts *n)
{
  if (n->hidden == 0 || asker->told_hidden)
    return;
  asker->told_hidden = true;
  if (n->shown == 0)
    log_warning ("discovery: host %s at %s: sees none of %llu volumes: "
                 "neither a list of hosts (qbd host) nor --allow-any-host "
                 "names it", asker->hostnqn, asker->peer,
                 (unsigned long long) n->hidden);
  else
    log_info ("discovery: host %s at %s: sees %llu volumes, and %llu not",
              asker->hostnqn, asker->peer, (unsigned long long) n->shown,
              (unsigned long long) n->hidden);
}

void
discovery_log (struct target_command *command, uint64_t offset_bytes,
               uint8_t *buffer, uint32_t bytes)
{
  struct target_queue *queue = command->queue;
  const struct window window = { offset_bytes, buffer, bytes };
  struct counts n;

  memset (buffer, 0, bytes);
  if (offset_bytes > UINT64_MAX - bytes)
    return;
  pthread_mutex_lock (&queue->target->lock);
  n = locked_put_log (queue, &window);
  pthread_mutex_unlock (&queue->target->lock);
  log_hidden (queue->controller, &n);
}
