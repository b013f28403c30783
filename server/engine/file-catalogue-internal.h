/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the catalogue's two files share: file-catalogue.c has the database
 * and its format, file-catalogue-volumes.c the rows of volumes.
 */
#ifndef QBD_ENGINE_FILE_CATALOGUE_INTERNAL_H
#define QBD_ENGINE_FILE_CATALOGUE_INTERNAL_H

#include <sqlite3.h>

#include "server/engine/file-catalogue.h"

#define CATALOGUE_FORMAT_HOSTS 2
#define CATALOGUE_FORMAT_SIZES 3

struct catalogue {
  sqlite3 *db;
  char *path;
  int64_t format;               /* the database's */
};

/* To the newest format: not before somebody needs it, so that a full disk
 * keeps no pool from being served. */
int catalogue_upgrade (struct catalogue *c, struct error *err);

/* What SQLite's last error means. */
int catalogue_fail (struct catalogue *c, struct error *err);

/* name, unless NULL, is the first parameter. */
int catalogue_prepare (struct catalogue *c, const char *sql,
                       const char *name, sqlite3_stmt **statement,
                       struct error *err);
/* One that gives no rows; the statement is over. */
int catalogue_finish (struct catalogue *c, sqlite3_stmt *statement,
                      struct error *err);
/* -EIO: it is no UUID. */
int catalogue_column_uuid (sqlite3_stmt *statement, int column,
                           char text[ENGINE_UUID_TEXT]);

#endif
