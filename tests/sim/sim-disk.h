/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A simulated disk with a volatile write cache, and how a server has it: as an
 * engine with one volume.  The disk outlives servers; a mount is one server
 * process's.
 *
 * A request takes a while, sometimes a long one, and takes effect at its end.
 * Those under way when the process is killed have taken effect in part, by
 * chance; afterwards the mount is dead, and nothing it does reaches the disk.
 */
#ifndef QBD_SIM_DISK_H
#define QBD_SIM_DISK_H

#include "server/engine/engine.h"

struct sim_disk;
struct sim_mount;

struct sim_disk *sim_disk_new (uint32_t block_size, uint32_t nr_blocks,
                               uint32_t most_blocks);
void sim_disk_grow (struct sim_disk *disk, uint32_t nr_blocks);
void sim_disk_free (struct sim_disk *disk);
/* Each block that was not flushed is as it was then, or not, by chance. */
void sim_disk_lose_power (struct sim_disk *disk);

struct sim_mount *sim_disk_mount (struct sim_disk *disk);
struct engine_volume *sim_mount_volume (struct sim_mount *mount);
/* Nothing of it can reach the disk any more, or nothing is under way. */
bool sim_mount_is_over (const struct sim_mount *mount);
void sim_mount_kill (struct sim_mount *mount);
void sim_mount_free (struct sim_mount *mount);  /* no request under way */

#endif
