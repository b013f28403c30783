/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What people see: tables, sizes, and JSON for programs.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "common/size.h"

#define COLUMNS_MAX 8

struct table {
  unsigned nr_columns;
  unsigned nr_cells;
  char **cells;                 /* row after row; the titles are the first */
  int width[COLUMNS_MAX];
  bool right[COLUMNS_MAX];
};

static void *
check_memory (void *ptr)
{
  if (!ptr) {
    fputs ("qbd: output: out of memory\n", stderr);
    exit (EXIT_FAILURE);
  }
  return ptr;
}

void
output_json (const json_t *json)
{
  json_dumpf (json, stdout, JSON_INDENT (2));
  putchar ('\n');
}

/* C0 and DEL; C1, which UTF-8 writes as C2h and the code. */
void
output_name (const char *name)
{
  for (const unsigned char *p = (const unsigned char *) name; *p; p++) {
    bool c1 = p[0] == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0;

    if (*p >= 0x20 && *p != 0x7f && !c1) {
      putchar (*p);
      continue;
    }
    printf ("\\x%02x", *p);
    if (c1)
      printf ("\\x%02x", *++p);
  }
}

static char *
next_text (void)
{
  static char texts[OUTPUT_TEXTS_MAX][32];
  static unsigned next;

  return texts[next++ % OUTPUT_TEXTS_MAX];
}

const char *
output_string (const json_t *object, const char *key)
{
  const json_t *value = json_object_get (object, key);

  if (json_is_boolean (value))
    return json_is_true (value) ? "yes" : "no";
  return json_is_string (value) ? json_string_value (value) : "-";
}

const char *
output_integer (const json_t *object, const char *key)
{
  const json_t *value = json_object_get (object, key);
  char *text;

  if (!json_is_integer (value))
    return "-";
  text = next_text ();
  snprintf (text, 32, "%" JSON_INTEGER_FORMAT, json_integer_value (value));
  return text;
}

const char *
output_size (const json_t *object, const char *key)
{
  const json_t *value = json_object_get (object, key);

  if (!json_is_integer (value) || json_integer_value (value) < 0)
    return "-";
  return size_format (json_integer_value (value), next_text (), 32);
}

struct table *
table_new (unsigned nr_columns, const char *const titles[])
{
  struct table *table = check_memory (calloc (1, sizeof *table));
  const char *plain[COLUMNS_MAX];

  table->nr_columns = nr_columns;
  for (unsigned i = 0; i < nr_columns; ++i) {
    table->right[i] = titles[i][0] == '>';
    plain[i] = titles[i] + table->right[i];
  }
  table_row (table, plain);
  return table;
}

void
table_row (struct table *table, const char *const cells[])
{
  size_t nr_cells = table->nr_cells + table->nr_columns;
  int width;

  table->cells = check_memory (reallocarray (table->cells, nr_cells,
                                             sizeof *table->cells));
  for (unsigned i = 0; i < table->nr_columns; ++i) {
    table->cells[table->nr_cells++] = check_memory (strdup (cells[i]));
    width = strlen (cells[i]);
    if (table->width[i] < width)
      table->width[i] = width;
  }
}

static void
print_cell (const struct table *table, unsigned column, const char *cell)
{
  bool last = column == table->nr_columns - 1;

  if (table->right[column])
    printf ("%*s", table->width[column], cell);
  else if (last)
    fputs (cell, stdout);       /* no spaces at the end of a line */
  else
    printf ("%-*s", table->width[column], cell);
  fputs (last ? "\n" : "  ", stdout);
}

void
table_print_and_free (struct table *table)
{
  for (unsigned i = 0; i < table->nr_cells; ++i) {
    print_cell (table, i % table->nr_columns, table->cells[i]);
    free (table->cells[i]);
  }
  free (table->cells);
  free (table);
}
