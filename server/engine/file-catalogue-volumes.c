/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The catalogue's rows of volumes, and of the hosts that may attach them.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "common/log.h"
#include "server/engine/file-catalogue-internal.h"
#include "server/engine/volume-name.h"

int
catalogue_insert (struct catalogue *c, const char *name,
                  const struct volume_row *row, struct error *err)
{
  sqlite3_stmt *statement;
  int r;

  r = catalogue_prepare (c, c->format < CATALOGUE_FORMAT_SIZES
                         ? "INSERT INTO volume"
                         " (name, uuid, block_size, read_only, state, created)"
                         " VALUES (?1, ?2, ?3, ?4, ?5, ?6)"
                         : "INSERT INTO volume"
                         " (name, uuid, block_size, read_only, state, created,"
                         "  size) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                         name, &statement, err);
  if (r < 0)
    return r;
  if (c->format >= CATALOGUE_FORMAT_SIZES)
    sqlite3_bind_int64 (statement, 7, (int64_t) row->size_bytes);
  sqlite3_bind_text (statement, 2, row->uuid, -1, SQLITE_TRANSIENT);
  sqlite3_bind_int64 (statement, 3, row->block_size);
  sqlite3_bind_int (statement, 4, row->read_only);
  sqlite3_bind_int (statement, 5, VOLUME_UNFINISHED);
  sqlite3_bind_int64 (statement, 6, time (NULL));
  return catalogue_finish (c, statement, err);
}

/* One that must change a volume's row. */
static int
change_row (struct catalogue *c, sqlite3_stmt *statement, const char *name,
            struct error *err)
{
  int r = catalogue_finish (c, statement, err);

  if (r == 0 && sqlite3_changes (c->db) == 0)
    r = error_set (err, EIO, "catalogue: %s: the row of volume %s is missing",
                   c->path, name);
  return r;
}

/* sql: sets ?2 of the volume ?1. */
static int
set_number (struct catalogue *c, const char *sql, const char *name,
            int64_t value, struct error *err)
{
  sqlite3_stmt *statement;
  int r = catalogue_prepare (c, sql, name, &statement, err);

  if (r < 0)
    return r;
  sqlite3_bind_int64 (statement, 2, value);
  return change_row (c, statement, name, err);
}

int
catalogue_set_state (struct catalogue *c, const char *name,
                     enum volume_state state, struct error *err)
{
  return set_number (c, "UPDATE volume SET state = ?2 WHERE name = ?1", name,
                     state, err);
}

int
catalogue_set_read_only (struct catalogue *c, const char *name,
                         bool read_only, struct error *err)
{
  return set_number (c, "UPDATE volume SET read_only = ?2 WHERE name = ?1",
                     name, read_only, err);
}

int
catalogue_set_size (struct catalogue *c, const char *name,
                    uint64_t size_bytes, struct error *err)
{
  if (c->format < CATALOGUE_FORMAT_SIZES)
    return 0;
  return set_number (c, "UPDATE volume SET size = ?2 WHERE name = ?1", name,
                     (int64_t) size_bytes, err);
}

int
catalogue_delete (struct catalogue *c, const char *name, struct error *err)
{
  sqlite3_stmt *statement;
  int r;

  r = catalogue_prepare (c, "DELETE FROM volume WHERE name = ?", name,
                         &statement, err);
  return r < 0 ? r : change_row (c, statement, name, err);
}

int
catalogue_find (struct catalogue *c, const char *name, struct volume_row *row,
                struct error *err)
{
  sqlite3_stmt *statement;
  int64_t block_size, size_bytes;
  int r;

  r = catalogue_prepare (c, c->format < CATALOGUE_FORMAT_SIZES
                         ? "SELECT uuid, block_size, read_only, state, NULL"
                         " FROM volume WHERE name = ?"
                         : "SELECT uuid, block_size, read_only, state, size"
                         " FROM volume WHERE name = ?", name, &statement, err);
  if (r < 0)
    return r;
  switch (sqlite3_step (statement)) {
  case SQLITE_ROW:
    if (sqlite3_column_int (statement, 3) != VOLUME_READY) {
      r = -ENOENT;
      break;
    }
    block_size = sqlite3_column_int64 (statement, 1);
    row->read_only = sqlite3_column_int (statement, 2) != 0;
    row->block_size = (uint32_t) block_size;
    size_bytes = sqlite3_column_int64 (statement, 4);   /* 0 for NULL */
    row->size_bytes = (uint64_t) size_bytes;
    if (catalogue_column_uuid (statement, 0, row->uuid) < 0 ||
        (block_size != 512 && block_size != 4096) || size_bytes < 0)
      r = error_set (err, EIO, "catalogue: %s: the row of volume %s is damaged",
                     c->path, name);
    break;
  case SQLITE_DONE:
    r = -ENOENT;
    break;
  default:
    r = catalogue_fail (c, err);
  }
  sqlite3_finalize (statement);
  return r;
}

int
catalogue_is_unfinished (struct catalogue *c, const char *name,
                         struct error *err)
{
  sqlite3_stmt *statement;
  int r;

  r = catalogue_prepare (c, "SELECT state FROM volume WHERE name = ?", name,
                         &statement, err);
  if (r < 0)
    return r;
  switch (sqlite3_step (statement)) {
  case SQLITE_ROW:
    r = sqlite3_column_int (statement, 0) == VOLUME_UNFINISHED;
    break;
  case SQLITE_DONE:
    break;
  default:
    r = catalogue_fail (c, err);
  }
  sqlite3_finalize (statement);
  return r;
}

int
catalogue_each (struct catalogue *c, enum volume_state state,
                int (*each) (void *opaque, const char *name),
                void *opaque, struct error *err)
{
  sqlite3_stmt *statement;
  int r, step = SQLITE_DONE;

  r = catalogue_prepare (c, "SELECT name FROM volume WHERE state = ?"
                         " ORDER BY name", NULL, &statement, err);
  if (r < 0)
    return r;
  sqlite3_bind_int (statement, 1, state);
  while (r == 0 && (step = sqlite3_step (statement)) == SQLITE_ROW) {
    const char *name = (const char *) sqlite3_column_text (statement, 0);
    size_t bytes = (size_t) sqlite3_column_bytes (statement, 0);

    if (!name)
      r = catalogue_fail (c, err);
    else if (strlen (name) == bytes && volume_name_fits (name))
      r = each (opaque, name);
    else
      log_warning ("catalogue: %s: the row of volume %.100s is damaged: its "
                   "name is none of a volume: left alone", c->path, name);
  }
  if (r == 0 && step != SQLITE_DONE)
    r = catalogue_fail (c, err);
  sqlite3_finalize (statement);
  return r;
}

/* --- hosts ------------------------------------------------------------ */

/* A list that is not whole must not be taken for one that allows more. */
static int
damaged_hosts (struct catalogue *c, const char *name, int code,
               struct error *err)
{
  if (code == ENOMEM)
    return error_set (err, ENOMEM, "catalogue: %s: %s", c->path,
                      strerror (ENOMEM));
  return error_set (err, EIO, "catalogue: %s: the hosts of volume %s are "
                    "damaged", c->path, name);
}

static int
get_masked (struct catalogue *c, const char *name, bool *masked,
            struct error *err)
{
  sqlite3_stmt *statement;
  int r;

  r = catalogue_prepare (c, "SELECT masked FROM volume WHERE name = ?", name,
                         &statement, err);
  if (r < 0)
    return r;
  switch (sqlite3_step (statement)) {
  case SQLITE_ROW:
    *masked = sqlite3_column_int (statement, 0) != 0;
    break;
  case SQLITE_DONE:
    r = damaged_hosts (c, name, EIO, err);
    break;
  default:
    r = catalogue_fail (c, err);
  }
  sqlite3_finalize (statement);
  return r;
}

static int
get_names (struct catalogue *c, const char *name, struct host_list *hosts,
           struct error *err)
{
  sqlite3_stmt *statement;
  int r, step = SQLITE_DONE;

  r = catalogue_prepare (c, "SELECT name FROM host WHERE volume = ?", name,
                         &statement, err);
  if (r < 0)
    return r;
  while (r == 0 && (step = sqlite3_step (statement)) == SQLITE_ROW) {
    const char *host = (const char *) sqlite3_column_text (statement, 0);
    size_t bytes = (size_t) sqlite3_column_bytes (statement, 0);

    r = host && strlen (host) == bytes ? host_list_add (hosts, host) : -EIO;
    if (r < 0)
      r = damaged_hosts (c, name, -r, err);
  }
  if (r == 0 && step != SQLITE_DONE)
    r = catalogue_fail (c, err);
  sqlite3_finalize (statement);
  return r;
}

int
catalogue_get_hosts (struct catalogue *c, const char *name,
                     struct host_list *hosts, struct error *err)
{
  bool masked = true;
  int r;

  if (c->format < CATALOGUE_FORMAT_HOSTS)
    return 0;
  r = get_masked (c, name, &masked, err);
  if (r == 0)
    r = get_names (c, name, hosts, err);
  if (r < 0)
    host_list_clear (hosts);
  else if (masked)
    hosts->masked = true;
  return r;
}

static int
run (struct catalogue *c, const char *sql, const char *name,
     const char *host, struct error *err)
{
  sqlite3_stmt *statement;
  int r;

  r = catalogue_prepare (c, sql, name, &statement, err);
  if (r < 0)
    return r;
  if (host)
    sqlite3_bind_text (statement, 2, host, -1, SQLITE_TRANSIENT);
  return catalogue_finish (c, statement, err);
}

static int
write_hosts (struct catalogue *c, const char *name,
             const struct host_list *hosts, struct error *err)
{
  int r;

  r = run (c, hosts->masked
           ? "UPDATE volume SET masked = 1 WHERE name = ?"
           : "UPDATE volume SET masked = 0 WHERE name = ?", name, NULL, err);
  if (r == 0)
    r = run (c, "DELETE FROM host WHERE volume = ?", name, NULL, err);
  for (unsigned i = 0; r == 0 && i < hosts->nr; i++)
    r = run (c, "INSERT INTO host (volume, name) VALUES (?, ?)", name,
             hosts->names[i], err);
  return r;
}

int
catalogue_set_hosts (struct catalogue *c, const char *name,
                     const struct host_list *hosts, struct error *err)
{
  struct error ignored;
  int r = 0;

  if (c->format < CATALOGUE_FORMAT_HOSTS)
    r = catalogue_upgrade (c, err);
  if (r == 0)
    r = run (c, "BEGIN IMMEDIATE", NULL, NULL, err);
  if (r < 0)
    return r;
  r = write_hosts (c, name, hosts, err);
  if (r == 0)
    r = run (c, "COMMIT", NULL, NULL, err);
  if (r < 0)
    (void) run (c, "ROLLBACK", NULL, NULL, &ignored);
  return r;
}

/* --- sizes ------------------------------------------------------------ */

void
catalogue_want_sizes (struct catalogue *c)
{
  struct error one;

  if (c->format < CATALOGUE_FORMAT_SIZES && catalogue_upgrade (c, &one) < 0)
    log_warning ("%s; sizes of volumes are not noted", one.message);
}

static int
note_sizes (struct catalogue *c, sqlite3_stmt *statement,
            uint64_t (*size_of) (void *opaque, const char *name,
                                 uint32_t block_size),
            void *opaque, struct error *err)
{
  int r = 0, step = SQLITE_DONE;

  while (r == 0 && (step = sqlite3_step (statement)) == SQLITE_ROW) {
    const char *name = (const char *) sqlite3_column_text (statement, 0);
    int64_t block_size = sqlite3_column_int64 (statement, 1);
    int64_t noted_bytes = sqlite3_column_int64 (statement, 2);
    uint64_t size_bytes;

    /* Damage is found when the volume is opened. */
    if (!name || !volume_name_fits (name) || noted_bytes < 0
        || (block_size != 512 && block_size != 4096))
      continue;
    size_bytes = size_of (opaque, name, (uint32_t) block_size);
    if (size_bytes > (uint64_t) noted_bytes)
      r = catalogue_set_size (c, name, size_bytes, err);
  }
  if (r == 0 && step != SQLITE_DONE)
    r = catalogue_fail (c, err);
  return r;
}

int
catalogue_note_sizes (struct catalogue *c,
                      uint64_t (*size_of) (void *opaque, const char *name,
                                           uint32_t block_size),
                      void *opaque, struct error *err)
{
  sqlite3_stmt *statement;
  struct error ignored;
  int r;

  if (c->format < CATALOGUE_FORMAT_SIZES)
    return 0;
  r = run (c, "BEGIN", NULL, NULL, err);
  if (r < 0)
    return r;
  r = catalogue_prepare (c, "SELECT name, block_size, size FROM volume"
                         " WHERE state = 1", NULL, &statement, err);
  if (r == 0) {
    r = note_sizes (c, statement, size_of, opaque, err);
    sqlite3_finalize (statement);
  }
  if (r == 0)
    r = run (c, "COMMIT", NULL, NULL, err);
  if (r < 0)
    (void) run (c, "ROLLBACK", NULL, NULL, &ignored);
  return r;
}
