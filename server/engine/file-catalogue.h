/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A file pool's catalogue: an SQLite database that holds the pool's identity and
 * what the volumes' files do not say of themselves.  Everything here blocks.
 *
 * A volume's file is made after a row that says so and removed before its row
 * is, so whatever a crash leaves behind is in the catalogue as unfinished.
 * What is not in the catalogue is not ours and is never removed.
 */
#ifndef QBD_ENGINE_FILE_CATALOGUE_H
#define QBD_ENGINE_FILE_CATALOGUE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/error.h"
#include "server/engine/engine.h"

struct catalogue;

/* Stored: never change a value. */
enum volume_state {
  VOLUME_UNFINISHED = 0,        /* being made or removed */
  VOLUME_READY = 1,
};

struct volume_row {
  char uuid[ENGINE_UUID_TEXT];
  uint32_t block_size;
  bool read_only;
  uint64_t size_bytes;          /* whole blocks; 0: not known */
};

/* Makes a new pool's catalogue of an empty file. */
int catalogue_create (const char *path, struct error *err);

int catalogue_open (const char *path, struct catalogue **catalogue,
                    char domain[ENGINE_UUID_TEXT], struct error *err);
void catalogue_close (struct catalogue *catalogue);

/* Each is durable when it returns; all but the first need a row. */
int catalogue_insert (struct catalogue *catalogue, const char *name,
                      const struct volume_row *row, struct error *err);
int catalogue_set_state (struct catalogue *catalogue, const char *name,
                         enum volume_state state, struct error *err);
int catalogue_set_read_only (struct catalogue *catalogue, const char *name,
                             bool read_only, struct error *err);
/* Nothing is done where the format has no sizes. */
int catalogue_set_size (struct catalogue *catalogue, const char *name,
                        uint64_t size_bytes, struct error *err);
int catalogue_delete (struct catalogue *catalogue, const char *name,
                      struct error *err);

/* A volume that is ready.  -ENOENT leaves err alone. */
int catalogue_find (struct catalogue *catalogue, const char *name,
                    struct volume_row *row, struct error *err);
/* 1: there is a row in state UNFINISHED; 0; -errno. */
int catalogue_is_unfinished (struct catalogue *catalogue, const char *name,
                             struct error *err);
/* In name order, until each returns non-zero.  Rows whose names do not fit are
 * left out, with a warning. */
int catalogue_each (struct catalogue *catalogue, enum volume_state state,
                    int (*each) (void *opaque, const char *name),
                    void *opaque, struct error *err);

/* Sizes are to be noted from now on.  Without room for that they are not, and
 * a warning says so. */
void catalogue_want_sizes (struct catalogue *catalogue);
/* Notes size_of () of volumes that are ready, where that is more than what is
 * noted: all of them, or after an error none. */
int catalogue_note_sizes (struct catalogue *catalogue,
                          uint64_t (*size_of) (void *opaque, const char *name,
                                               uint32_t block_size),
                          void *opaque, struct error *err);

/* The hosts that may attach a volume; hosts is empty before.  They go with
 * the volume's row. */
int catalogue_get_hosts (struct catalogue *catalogue, const char *name,
                         struct host_list *hosts, struct error *err);
int catalogue_set_hosts (struct catalogue *catalogue, const char *name,
                         const struct host_list *hosts, struct error *err);

/* SQLite's own check, of the file and not of what is in memory of it: each
 * (opaque, text) for what it finds.  -EIO: it cannot even be read. */
int catalogue_check (const struct catalogue *catalogue,
                     const char domain[ENGINE_UUID_TEXT],
                     void (*each) (void *opaque, const char *text),
                     void *opaque, struct error *err);

#endif
