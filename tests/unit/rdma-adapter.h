/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An RDMA adapter by hand, for tests of the client's queue machine and of what
 * the server has of a device: the functions of librdmacm and libibverbs that
 * they call, on memory of this process.  What the test says comes as events and
 * completions; what is made and not destroyed is counted, and destroying it in
 * a wrong order fails the test.  One thread at a time.
 */
#ifndef QBD_TESTS_UNIT_RDMA_ADAPTER_H
#define QBD_TESTS_UNIT_RDMA_ADAPTER_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <infiniband/verbs.h>
#include <rdma/rdma_cma.h>

#include "nvmeof/rdma.h"

struct ibv_context *adapter_verbs (void);

/* Of the objects that were made: all are 0 when they were let go. */
struct adapter_objects {
  unsigned channels, ids, pds, completion_channels, mrs, cqs, srqs, qps;
};
extern struct adapter_objects adapter_objects;

/* What fails next, once: a function's name, or NULL; and with which errno. */
extern const char *adapter_fails;
extern int adapter_errno;

/* How often librdmacm was asked for its devices: it looks which are gone. */
extern unsigned adapter_looks;

/* How many libibverbs lists. */
extern int adapter_nr_devices;

/* What it can do: IBV_DEVICE_... */
extern unsigned adapter_caps;

/* An event of the connection manager. */
void adapter_event (enum rdma_cm_event_type type, int status,
                    const void *private_data, uint8_t private_data_bytes);

/* The device says something by itself; all that it said is to be acknowledged. */
void adapter_says (enum ibv_event_type type);
extern unsigned adapter_nr_said;        /* and not acknowledged */

/* The command of the oldest send that is not over. */
const struct nvme_sqe *adapter_posted (void);
/* Where the server would read or write the data of that command. */
void *adapter_data (const struct nvme_sqe *sqe);
/* The oldest send is over. */
void adapter_sent (enum ibv_wc_status status);

/* A message of so many bytes comes into the oldest receive. */
void adapter_message (const void *message, uint32_t bytes, unsigned wc_flags);
void adapter_answer (uint16_t cid, uint16_t status);
/* So often the client looks in vain for what came. */
extern unsigned adapter_late;
/* The oldest receive fails. */
void adapter_receive_fails (enum ibv_wc_status status);

#endif
