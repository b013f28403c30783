/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rations: rations.h.
 */
#include <assert.h>
#include <stdlib.h>

#include "server/transport/rations.h"

struct ration *
ration_get (struct ration_list *rations, const void *of)
{
  struct ration *ration;

  LIST_FOREACH (ration, rations, link)
    if (ration->of == of)
      break;
  if (ration == NULL) {
    if ((ration = calloc (1, sizeof *ration)) == NULL)
      return NULL;
    ration->of = of;
    LIST_INSERT_HEAD (rations, ration, link);
  }
  ration->users++;
  return ration;
}

void
ration_put (struct ration *ration)
{
  if (ration == NULL || --ration->users > 0)
    return;
  assert (ration->bytes == 0);
  LIST_REMOVE (ration, link);
  free (ration);
}
