/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * nbdkit-qbd-plugin: parameters and NBD semantics over libqbd.
 *
 * Life cycle: get_ready asks for the volume once and leaves nothing behind,
 * so that a wrong name fails at start; after_fork attaches for good.  Where
 * the command line names no volume, the export name does, and at start
 * only discovery is tried.
 *
 * It must not know NVMe.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

#include <libqbd.h>

#include "common/nearest.h"
#include "plugin/attach.h"
#include "plugin/control.h"
#include "plugin/exports.h"
#include "plugin/notice.h"
#include "plugin/probe.h"
#include "plugin/stall.h"
#include "plugin/swap.h"

#define THREAD_MODEL NBDKIT_THREAD_MODEL_PARALLEL

static struct qbd_config *config;       /* constant after config_complete */
static bool have_volume;                /* constant after config_complete */
static bool have_nsid;                  /* same */
static bool lazy;                       /* constant after config_complete */

static int
report (void)
{
  int err = errno;

  nbdkit_error ("%s", qbd_errmsg ());
  errno = err;
  return -1;
}

static struct qbd_volume *
volume_of (void *handle)
{
  return ((const struct handle *) handle)->blocks.volume;
}

static const struct blocks *
blocks_of (void *handle)
{
  return &((const struct handle *) handle)->blocks;
}

/* --- parameters --------------------------------------------------------- */

static void
qbd_plugin_load (void)
{
  int err;

  config = qbd_config_new ();
  if (config == NULL) {
    nbdkit_error ("load: qbd: %s", qbd_errmsg ());
    exit (EXIT_FAILURE);
  }
  qbd_config_set_notice (config, notice, NULL);
  err = swap_load ();
  if (err) {
    nbdkit_error ("load: qbd: %s", strerror (err));
    exit (EXIT_FAILURE);
  }
}

static void
qbd_plugin_unload (void)
{
  qbd_config_free (config);
}

static int
set_connect (const char *value)
{
  if (strcmp (value, "lazy") == 0)
    lazy = true;
  else if (strcmp (value, "now") == 0)
    lazy = false;
  else {
    nbdkit_error ("connect: %s: must be \"now\" or \"lazy\"", value);
    return -1;
  }
  return 0;
}

/* libqbd knows its own keys only, so an unknown one is judged here, with the
 * plugin's among the candidates. */
static int
unknown_parameter (const char *key)
{
  const char *const *keys = qbd_config_keys ();
  const char *own[] = { "connect", "control", NULL };
  const char *near = nearest_name (key, own);

  if (near == NULL)
    near = nearest_name (key, keys);
  if (near)
    nbdkit_error ("parameter: %s: unknown, did you mean %s?", key, near);
  else
    nbdkit_error ("parameter: %s: unknown (nbdkit qbd --help lists them)",
                  key);
  errno = EINVAL;
  return -1;
}

static int
qbd_plugin_config (const char *key, const char *value)
{
  const char *const *keys;

  if (strcmp (key, "connect") == 0)
    return set_connect (value);
  if (strcmp (key, "control") == 0)
    return control_config (value);

  for (keys = qbd_config_keys (); *keys; keys++)
    if (strcmp (key, *keys) == 0)
      break;
  if (*keys == NULL)
    return unknown_parameter (key);

  if (qbd_config_set (config, key, value) == -1)
    return report ();
  if (strcmp (key, "volume") == 0 && have_volume) {
    nbdkit_error ("volume: %s: there is one already: nbdkit without a volume "
                  "serves them all, by export name", value);
    errno = EINVAL;
    return -1;
  }
  if (strcmp (key, "volume") == 0 || strcmp (key, "nqn") == 0)
    have_volume = true;
  if (strcmp (key, "nsid") == 0)
    have_nsid = true;
  if (strcmp (key, "retain") == 0)
    attach_keep_idle (!qbd_config_retains (config));
  return 0;
}

#define qbd_plugin_config_help                                                \
  "volume=POOL/VOL        The volume to attach.\n"                            \
  "nqn=NQN                Or any NVMe subsystem, by its qualified name.\n"    \
  "                       Without both the export name says which.\n"        \
  "nsid=N                 With nqn: its namespace (default: the only one).\n" \
  "server=ADDRESS         tcp://HOST[:PORT], rdma://HOST[:PORT], unix:///PATH\n" \
  "                       or HOST[:PORT]\n"                                   \
  "                       (default $QBD_SERVER, else tcp://127.0.0.1:4420).\n" \
  "                       Given again, another path to the same volume.\n"  \
  "policy=POLICY          Of several paths: failover, round-robin or\n"      \
  "                       queue-depth (default failover).\n"                 \
  "transport=TRANSPORT    tcp, rdma, or auto: RDMA if that works, else TCP\n" \
  "                       (default: as server= says).\n"                      \
  "connect=now|lazy       Attach at start, or with the first client.\n"       \
  "control=SOCKET         Tell there what is in flight (qbd inflight).\n"      \
  "hostnqn=NQN            Identity of this host (/etc/nvme/hostnqn).\n"       \
  "hostid=UUID            Its identifier (/etc/nvme/hostid).\n"               \
  "nr_io_queues=N         Connections for I/O (default 1).\n"                 \
  "queue_size=N           Commands in flight per connection (default 128).\n" \
  "keep_alive_tmo=SECONDS Declare a silent server lost (default 5).\n"        \
  "connect_tmo=SECONDS    Give attaching up (default 10).\n"                  \
  "io_tmo=SECONDS         Abort a command (default 30).\n"                    \
  "ctrl_loss_tmo=SECONDS  Give a lost server up; or forever (default 600).\n" \
  "fast_io_fail_tmo=SECONDS\n"                                                \
  "                       Fail requests until it is back (default off).\n"   \
  "reconnect_delay=SECONDS\n"                                                 \
  "                       Longest pause between tries (default 2).\n"        \
  "retain=SIZE            Memory for writes that were not flushed, so that a\n" \
  "                       server that loses them gets them again (default off).\n" \
  "hdr_digest=BOOL        CRC32C over each header (default false).\n"         \
  "data_digest=BOOL       CRC32C over all data (default false).\n"            \
  "poll_us=MICROSECONDS   Look for answers before sleeping (default 0)."

static int
qbd_plugin_config_complete (void)
{
  if (have_nsid && !have_volume) {
    nbdkit_error ("nsid: only together with nqn");
    errno = EINVAL;
    return -1;
  }
  return 0;
}

static void
qbd_plugin_dump_plugin (void)
{
  printf ("qbd_version=%s\n", qbd_version ());
  printf ("qbd_policies=failover round-robin queue-depth\n");
#if HAVE_RDMA
  printf ("qbd_transports=tcp unix rdma\n");
#else
  printf ("qbd_transports=tcp unix\n");
#endif
}

/* --- life cycle ----------------------------------------------------------- */

static int
ask_server (void)
{
  struct qbd_volume *volume;

  if (!have_volume)
    return exports_probe (config);
  volume = qbd_open (config, QBD_OPEN_PROBE);
  if (volume == NULL)
    return report ();
  qbd_close (volume);
  return 0;
}

static int
qbd_plugin_get_ready (void)
{
  if (!lazy && probe (config, ask_server) == -1)
    return -1;
  return control_open ();
}

/* The volume stays attached when its first handle is closed. */
static int
attach_first (void)
{
  struct handle *handle = attach_open (config, 0);

  if (handle == NULL)
    return -1;
  attach_close (handle);
  return 0;
}

static void
interrupt_all (void)
{
  qbd_config_interrupt (config);
  attach_interrupt ();
}

static int
qbd_plugin_after_fork (void)
{
  int err;

  if (swap_after_fork () == -1)
    return -1;
  /* It would keep the processor from those that make the answer. */
  if (swap_is_real_time () && qbd_config_set (config, "poll_us", "0") == -1)
    return report ();
  err = notice_start ();
  if (err) {
    nbdkit_error ("start: thread: %s", strerror (err));
    return -1;
  }
  if (!lazy && have_volume && attach_first () == -1)
    return -1;
  if (control_start () == -1)
    return -1;
  /* nbdkit waits for its connections when it ends, and a connection may wait
   * for a server that never answers. */
  err = stall_watch_start (interrupt_all);
  if (err) {
    nbdkit_error ("start: thread: %s", strerror (err));
    return -1;
  }
  return 0;
}

/* No request runs any more. */
static void
qbd_plugin_cleanup (void)
{
  control_stop ();
  stall_watch_stop ();
  attach_end ();
  notice_stop ();
}

/* --- exports -------------------------------------------------------------- */

static int
qbd_plugin_list_exports (int readonly, int is_tls,
                         struct nbdkit_exports *exports)
{
  int r;

  if (have_volume)
    return nbdkit_use_default_export (exports);
  stall_request_begins ();
  r = exports_list (config, exports);
  stall_request_ends ();
  return r;
}

static const char *
qbd_plugin_default_export (int readonly, int is_tls)
{
  const char *name;

  if (have_volume)
    return "";
  stall_request_begins ();
  name = exports_default (config);
  stall_request_ends ();
  return name;
}

static const char *
qbd_plugin_export_description (void *handle)
{
  return nbdkit_strdup_intern (qbd_get_nqn (volume_of (handle)));
}

static struct handle *
open_export (const char *name, unsigned flags)
{
  struct qbd_config *chosen = exports_choose (config, name);
  struct handle *handle = NULL;

  if (chosen)
    handle = attach_open (chosen, flags);
  qbd_config_free (chosen);
  return handle;
}

static void *
qbd_plugin_open (int readonly)
{
  const unsigned flags = readonly ? QBD_OPEN_READONLY : 0;
  struct handle *handle;
  uint32_t block_size;

  stall_request_begins ();
  handle = have_volume ? attach_open (config, flags)
                       : open_export (nbdkit_export_name (), flags);
  stall_request_ends ();
  if (handle == NULL)
    return NULL;
  block_size = qbd_get_block_size (volume_of (handle));
  if (block_size > BLOCKS_MAX_BYTES) {
    nbdkit_error ("open: %s: blocks of %u bytes are not supported",
                  qbd_get_nqn (volume_of (handle)), block_size);
    attach_close (handle);
    errno = ENOTSUP;
    return NULL;
  }
  return handle;
}

static void
qbd_plugin_close (void *handle)
{
  attach_close (handle);
}

/* --- what the volume is ------------------------------------------------- */

static int64_t
qbd_plugin_get_size (void *handle)
{
  return (int64_t) qbd_get_size (volume_of (handle));
}

static int
qbd_plugin_block_size (void *handle, uint32_t *minimum, uint32_t *preferred,
                       uint32_t *maximum)
{
  *minimum = qbd_get_block_size (volume_of (handle));
  *preferred = qbd_get_preferred_size (volume_of (handle));
  *maximum = UINT32_MAX;        /* libqbd splits */
  return 0;
}

static int
qbd_plugin_can_write (void *handle)
{
  return !qbd_is_read_only (volume_of (handle));
}

/* As the namespace says: a network is in between, but clients sort and merge
 * for the media behind it. */
static int
qbd_plugin_is_rotational (void *handle)
{
  return qbd_is_rotational (volume_of (handle));
}

static int
qbd_plugin_can_flush (void *handle)
{
  return 1;
}

static int
qbd_plugin_can_fua (void *handle)
{
  return NBDKIT_FUA_NATIVE;
}

static int
qbd_plugin_can_trim (void *handle)
{
  return qbd_can_discard (volume_of (handle));
}

/* Without it nbdkit writes zeroes itself. */
static int
qbd_plugin_can_zero (void *handle)
{
  return qbd_can_write_zeroes (volume_of (handle));
}

/* It means: the answer to a fast zero is quick, be it a refusal. */
static int
qbd_plugin_can_fast_zero (void *handle)
{
  return 1;
}

static int
qbd_plugin_can_extents (void *handle)
{
  return qbd_can_block_status (volume_of (handle));
}

/* nbdkit reads the range and drops it: that brings it to the memory of the
 * server, where its pool goes through the page cache. */
static int
qbd_plugin_can_cache (void *handle)
{
  return NBDKIT_CACHE_EMULATE;
}

/* The namespace has one cache, or none: a flush on any connection covers
 * what every other has completed. */
static int
qbd_plugin_can_multi_conn (void *handle)
{
  return 1;
}

/* --- I/O ------------------------------------------------------------------ */

static unsigned
fua (uint32_t flags)
{
  return flags & NBDKIT_FLAG_FUA ? QBD_FUA : 0;
}

/* Every request ends here.  NBD has no word for a lost server. */
static int
ended (int result)
{
  stall_request_ends ();
  if (result == -1 && (errno == ENOTCONN || errno == ETIMEDOUT)) {
    nbdkit_error ("%s", qbd_errmsg ());
    errno = EIO;
    return -1;
  }
  return result == -1 ? report () : 0;
}

static int
qbd_plugin_pread (void *handle, void *buf, uint32_t count, uint64_t offset,
                  uint32_t flags)
{
  stall_request_begins ();
  return ended (blocks_read (blocks_of (handle), buf, count, offset));
}

static int
qbd_plugin_pwrite (void *handle, const void *buf, uint32_t count,
                   uint64_t offset, uint32_t flags)
{
  stall_request_begins ();
  return ended (blocks_write (blocks_of (handle), buf, count, offset,
                              fua (flags)));
}

static int
qbd_plugin_flush (void *handle, uint32_t flags)
{
  stall_request_begins ();
  return ended (qbd_flush (volume_of (handle)));
}

static int
qbd_plugin_trim (void *handle, uint32_t count, uint64_t offset,
                 uint32_t flags)
{
  stall_request_begins ();
  return ended (blocks_trim (blocks_of (handle), count, offset, fua (flags)));
}

static int
qbd_plugin_zero (void *handle, uint32_t count, uint64_t offset,
                 uint32_t flags)
{
  unsigned f = fua (flags);
  int r;

  /* Zeroes by deallocation cost the same for any length.  Written ones may
   * be slow, and nobody can tell beforehand. */
  if (flags & NBDKIT_FLAG_FAST_ZERO
      && !(flags & NBDKIT_FLAG_MAY_TRIM
           && qbd_can_fast_zero (volume_of (handle)))) {
    errno = EOPNOTSUPP;
    return -1;
  }
  if (!(flags & NBDKIT_FLAG_MAY_TRIM))
    f |= QBD_NO_UNMAP;
  stall_request_begins ();
  r = blocks_zero (blocks_of (handle), count, offset, f);
  if (r == -1 && errno == EOPNOTSUPP) {
    stall_request_ends ();      /* nbdkit writes them, and nothing is wrong */
    return -1;
  }
  return ended (r);
}

/* --- block status ----------------------------------------------------------- */

static int
add_extent (void *opaque, uint64_t offset, uint64_t count, unsigned status)
{
  uint32_t type = 0;

  if (status & QBD_HOLE)
    type |= NBDKIT_EXTENT_HOLE;
  if (status & QBD_ZERO)
    type |= NBDKIT_EXTENT_ZERO;
  return nbdkit_add_extent (opaque, offset, count, type);
}

/* nbdkit drops what lies before offset, and takes what lies behind the
 * range. */
static int
qbd_plugin_extents (void *handle, uint32_t count, uint64_t offset,
                    uint32_t flags, struct nbdkit_extents *extents)
{
  uint32_t block = qbd_get_block_size (volume_of (handle));
  uint64_t start = offset - offset % block;
  uint64_t end = (offset + count + block - 1) / block * block;
  int r;

  stall_request_begins ();
  r = qbd_block_status (volume_of (handle), end - start, start,
                        flags & NBDKIT_FLAG_REQ_ONE ? QBD_ONE_EXTENT : 0,
                        add_extent, extents);
  if (r == -1 && errno == EOPNOTSUPP)
    r = add_extent (extents, start, end - start, 0);
  return ended (r);
}

static struct nbdkit_plugin plugin = {
  .name = "qbd",
  .longname = "qbd volume plugin",
  .description = "Serve a volume that is attached over NVMe over Fabrics.",
  .version = PACKAGE_VERSION,
  .load = qbd_plugin_load,
  .unload = qbd_plugin_unload,
  .config = qbd_plugin_config,
  .config_complete = qbd_plugin_config_complete,
  .config_help = qbd_plugin_config_help,
  .magic_config_key = "volume",
  .dump_plugin = qbd_plugin_dump_plugin,
  .get_ready = qbd_plugin_get_ready,
  .after_fork = qbd_plugin_after_fork,
  .cleanup = qbd_plugin_cleanup,
  .list_exports = qbd_plugin_list_exports,
  .default_export = qbd_plugin_default_export,
  .export_description = qbd_plugin_export_description,
  .open = qbd_plugin_open,
  .close = qbd_plugin_close,
  .get_size = qbd_plugin_get_size,
  .block_size = qbd_plugin_block_size,
  .can_write = qbd_plugin_can_write,
  .is_rotational = qbd_plugin_is_rotational,
  .can_flush = qbd_plugin_can_flush,
  .can_fua = qbd_plugin_can_fua,
  .can_trim = qbd_plugin_can_trim,
  .can_zero = qbd_plugin_can_zero,
  .can_fast_zero = qbd_plugin_can_fast_zero,
  .can_extents = qbd_plugin_can_extents,
  .can_cache = qbd_plugin_can_cache,
  .can_multi_conn = qbd_plugin_can_multi_conn,
  .pread = qbd_plugin_pread,
  .pwrite = qbd_plugin_pwrite,
  .flush = qbd_plugin_flush,
  .trim = qbd_plugin_trim,
  .zero = qbd_plugin_zero,
  .extents = qbd_plugin_extents,
  .errno_is_preserved = 1,
};

/* The macro defines what no header declares. */
struct nbdkit_plugin *plugin_init (void);
NBDKIT_REGISTER_PLUGIN (plugin)
