/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * For tests of target/ and transport/: a real server (two reactors, engine
 * `ram` or `file`, a TCP listener) and a host that speaks raw PDUs over a blocking
 * socket, so that a test can send anything.  A peer that stays silent fails
 * the test after HOST_TIMEOUT_S.
 */
#ifndef QBD_SERVER_FIXTURE_H
#define QBD_SERVER_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nvmeof/command-check.h"
#include "nvmeof/tcp-check.h"
#include "server/transport/transport.h"

enum { SERVER_REACTORS = 2, HOST_TIMEOUT_S = 30 };

/* --- the server --------------------------------------------------------- */

struct server {
  struct reactor *reactors[SERVER_REACTORS];
  struct target *target;
  struct engine_pool *pool;
  struct engine_volume *volume;
  struct subsystem *subsystem;
  struct listener *listener;
  uint8_t listener_number;      /* for target_set_ana */
  struct address address;
};

struct server_options {
  uint64_t size_bytes;          /* 0: 64 MiB */
  uint32_t block_size;          /* 0: 512 */
  const char *listen;           /* NULL: tcp://127.0.0.1:0 */
  const char *directory;        /* of a pool of files; NULL: engine `ram` */
  bool read_only;
  bool deaf;                    /* listener_start is the test's */
};

void server_start (struct server *server,
                   const struct server_options *options);
void server_stop (struct server *server);

/* Writes of the volume stay with the engine until they are released: how a
 * slow disk looks.  Any thread. */
void server_hold_writes (struct server *server);
unsigned server_held_writes (void);
void server_release_writes (void);

/* Waits until it is so; fails the test otherwise. */
#define WAIT_UNTIL(condition)                                           \
  do {                                                                  \
    for (unsigned tries_ = 0; !(condition); tries_++) {                 \
      assert_in_range (tries_, 0, HOST_TIMEOUT_S * 1000);               \
      fixture_nap ();                                                   \
    }                                                                   \
  } while (0)
void fixture_nap (void);        /* a millisecond */

/* --- the host ----------------------------------------------------------- */

struct host {
  int fd;
  struct tcp_agreed agreed;     /* as a host that receives */
  uint16_t last_cid;
  uint16_t cntlid;              /* set by host_connect (qid 0) */
  uint8_t hostid;               /* fills the host identifier */
  bool sqflow_disabled;
};

void host_dial (struct host *host, const struct server *server);
void host_close (struct host *host);
/* dial, ICReq, ICResp. */
void host_open (struct host *host, const struct server *server,
                uint8_t digests);

void host_send (struct host *host, const void *bytes, size_t n);
void host_receive (struct host *host, void *bytes, size_t n);
/* The peer closed, orderly or not. */
void host_expect_end (struct host *host);

void host_send_icreq (struct host *host, uint8_t digests);
/* A well-formed capsule; bytes of data in it. */
void host_send_capsule (struct host *host, const union nvme_command *sqe,
                        const void *data, uint32_t bytes);
void host_send_h2c (struct host *host, const struct nvme_tcp_r2t *r2t,
                    uint32_t datao, const void *data, uint32_t bytes,
                    bool last);
/* Header of the next PDU, its data (checked against its digests) to data. */
void host_read_pdu (struct host *host, union nvme_tcp_pdu *pdu, void *data,
                    uint32_t data_max);
void host_expect_term (struct host *host, uint16_t fes, uint32_t fei);

enum host_data { HOST_NONE, HOST_IN_CAPSULE, HOST_SOLICITED, HOST_READ };

/* Sends a command, moves its data, returns its CQE.  Fills flags, cid and
 * SGL. */
struct nvme_cqe host_command (struct host *host, union nvme_command *sqe,
                              enum host_data kind, void *data,
                              uint32_t bytes);
uint16_t host_status (struct host *host, union nvme_command *sqe,
                      enum host_data kind, void *data, uint32_t bytes);
/* Without waiting: flags, cid and SGL are filled, the capsule is sent. */
void host_begin (struct host *host, union nvme_command *sqe,
                 enum host_data kind, const void *data, uint32_t bytes);

/* Connect with good parameters, to change before host_connect_with. */
void host_connect_prepare (const struct host *host,
                           const struct server *server, uint16_t qid,
                           struct nvmf_connect_sqe *sqe,
                           struct nvmf_connect_data *data);
struct nvme_cqe host_connect_with (struct host *host,
                                   const struct nvmf_connect_sqe *sqe,
                                   const struct nvmf_connect_data *data);
/* It succeeds. */
void host_connect (struct host *host, const struct server *server,
                   uint16_t qid);
uint64_t host_property_get (struct host *host, uint32_t offset, bool eight);
uint16_t host_property_set (struct host *host, uint32_t offset,
                            uint32_t value);
#define HOST_CC_ENABLE (6u << 16 | 4u << 20 | 1u)

/* Admin queue connected and enabled. */
void host_admin (struct host *admin, const struct server *server,
                 uint8_t digests);
/* And the I/O queue 1. */
void host_attach (struct host *admin, struct host *io,
                  const struct server *server, uint8_t digests);

struct nvme_rw_sqe host_rw (uint8_t opcode, uint64_t slba, uint16_t nlb);

#endif
