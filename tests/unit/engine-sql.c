/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * SQL on a pool's catalogue.
 */
#include <stdlib.h>

#include <sqlite3.h>

#include "tests/unit/engine-helpers.h"
#include "tests/unit/engine-sql.h"

void
sql (const char *pool_dir, const char *text)
{
  char *path = join (pool_dir, "qbd-pool");
  char *message = NULL;
  sqlite3 *db;

  assert_int_equal (sqlite3_open (path, &db), SQLITE_OK);
  if (sqlite3_exec (db, text, NULL, NULL, &message) != SQLITE_OK)
    fail_msg ("%s", message);
  sqlite3_close (db);
  free (path);
}
