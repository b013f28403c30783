/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A controller for tests of the shell around a queue: one thread reads its
 * commands, another one answers any of those that wait, in no order.
 */
#ifndef QBD_TESTS_UNIT_LIB_QUEUE_PEER_H
#define QBD_TESTS_UNIT_LIB_QUEUE_PEER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "nvmeof/tcp-pdu.h"

enum {
  DATA_BYTES = 40000,           /* of a write */
  ANSWERS_MAX = 4096,
};

extern struct lib_queue_peer {
  int fd;
  bool mute;                    /* no answers */
  _Atomic bool mute_flush;      /* no answers to Flush */
  pthread_t reader, writer;
  pthread_mutex_t lock;
  pthread_cond_t cond;
  union nvme_tcp_pdu todo[ANSWERS_MAX];         /* capsules to be answered */
  unsigned nr_todo;
  bool end;
  bool damaged;                 /* the reader's: a write held wrong data */
  uint64_t slba[1 << 16];       /* of a write, by CID; the reader's */
} peer;

/* What is at byte i of the data that is read or written there. */
uint8_t pattern (uint64_t slba, uint32_t i);

/* Serves the other end of fd; mute: without an answer. */
void peer_start (int fd, bool mute);
/* Its connection has ended. */
void peer_join (void);

#endif
