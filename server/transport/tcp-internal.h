/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Inside the TCP transport: what its files share.  A connection, its
 * requests and the pool they come from belong to one reactor; nothing here
 * is locked but the list of pools and the count of connections.
 *
 *   stream --> tcp-receive.c --> target_command_prepare, _execute
 *   stream <-- tcp-send.c    <-- ops->complete
 *
 * A connection is held (counted) by its life until the target has drained
 * its queue, by each task of it that waits in the reactor, and by each of
 * its functions that runs.
 */
#ifndef QBD_TCP_INTERNAL_H
#define QBD_TCP_INTERNAL_H

#include <sys/queue.h>
#include <sys/uio.h>

#include "nvmeof/tcp-check.h"
#include "server/transport/internal.h"
#include "server/transport/rations.h"

enum {
  TCP_IN_CAPSULE_BYTES = 16384,         /* I/O queues; IOCCSZ says so */
  TCP_MAXH2CDATA_BYTES = TARGET_MAX_TRANSFER,
  TCP_DIRECT_BYTES = 16384,     /* from here on into the request's buffer */
  TCP_RECEIVE_BUFFER_BYTES = 131072,    /* one per reactor */
  TCP_TURN_BYTES = 1 << 20,     /* received by one connection in one turn;
                                   begun by it, and sent to it, too */
  TCP_FLUSH_PDUS = 8,           /* of output, before the turn ends */
  TCP_CLOSE_LIMIT_MS = 2000,    /* output of a connection that ends */
};

/* --- output ----------------------------------------------------------------- */

/* Bytes to send: embedded in what they belong to. */
struct tcp_out {
  TAILQ_ENTRY (tcp_out) link;
  struct tcp_request *request;          /* NULL: the connection's own */
  bool queued;
  unsigned iov_first, iov_end;  /* what is left of iov */
  struct iovec iov[3];
};

enum {
  TCP_HEAD_BYTES = sizeof (struct nvme_tcp_rsp) + NVME_TCP_DIGEST_BYTES,
};
static_assert (sizeof (struct nvme_tcp_data) == sizeof (struct nvme_tcp_rsp)
               && sizeof (struct nvme_tcp_r2t) == sizeof (struct nvme_tcp_rsp),
               "");

/* --- requests --------------------------------------------------------------- */

enum tcp_request_state {
  TCP_REQUEST_FREE,             /* in the pool */
  TCP_REQUEST_CAPSULE,          /* waits for the rest of its capsule */
  TCP_REQUEST_WAITING,          /* waits for a buffer */
  TCP_REQUEST_SOLICITED,        /* waits for the data its R2T asks for */
  TCP_REQUEST_EXECUTING,        /* the target has it; waits for complete */
  TCP_REQUEST_ANSWERING,        /* waits for its response to be sent */
};
enum { TCP_REQUEST_NR_STATES = TCP_REQUEST_ANSWERING + 1 };

struct tcp_request {
  struct target_command command;        /* first member */
  struct tcp_connection *connection;
  enum tcp_request_state state;
  uint16_t status;              /* CAPSULE, SOLICITED: fail with it; 0 */
  bool refused;                 /* CAPSULE: the CQE is there already */
  uint16_t ttag;                /* as on the wire */
  uint32_t received_bytes;      /* solicited data */
  TAILQ_ENTRY (tcp_request) in_connection;      /* or in the pool */
  TAILQ_ENTRY (tcp_request) in_waiting;
  struct tcp_out out;
  uint8_t head[TCP_HEAD_BYTES]; /* R2T, C2HData or response */
  uint8_t tail[NVME_TCP_DIGEST_BYTES + TCP_HEAD_BYTES];
};

/* --- the pool of a reactor: tcp-pool.c ---------------------------------------- */

struct tcp_pool;

/* NULL for want of memory. */
struct tcp_pool *tcp_pool_get (struct reactor *reactor);
void tcp_pool_put (struct tcp_pool *pool);
uint8_t *tcp_pool_receive_buffer (struct tcp_pool *pool);

/* A request in state FREE, on the connection's list; NULL: no memory. */
struct tcp_request *tcp_request_get (struct tcp_connection *connection);
/* After target_command_done; its buffer goes back, too. */
void tcp_request_put (struct tcp_request *request);
void tcp_request_set_state (struct tcp_request *request,
                            enum tcp_request_state state);

/* A buffer for the command.  0; -EAGAIN: the request waits for one, in
 * state WAITING, and tcp_request_granted is called later; -ENOMEM.
 * Those up to TCP_IN_CAPSULE_BYTES never wait. */
int tcp_buffer_get (struct tcp_request *request);
void tcp_buffer_cancel (struct tcp_request *request);   /* stop waiting */

/* --- connections: tcp-connection.c --------------------------------------------- */

enum tcp_state {
  TCP_ICREQ,            /* waits for ICReq, for a limited time */
  TCP_READY,            /* waits for capsules; Connect within a time limit */
  TCP_CLOSING,          /* parses no more; waits for commands in flight and
                           for their responses to be sent, limited */
  TCP_TERM,             /* waits for the TermReq to be sent, then for the host
                           to close, limited */
  TCP_CLOSED,           /* the stream is gone; waits for the target */
};
enum { TCP_NR_STATES = TCP_CLOSED + 1 };

enum tcp_phase {
  TCP_PHASE_HEADER,
  TCP_PHASE_DATA,
  TCP_PHASE_DIGEST,
};

struct tcp_connection {
  struct target_queue queue;            /* first member */
  struct reactor *reactor;              /* constant */
  struct tcp_pool *pool;                /* constant */
  struct stream *stream;                /* NULL when CLOSED */
  struct target_portal portal;          /* constant */
  enum tcp_state state;
  unsigned holds;
  bool peer_gone;               /* nothing more will come or be read */
  struct handshake *handshake;  /* NULL: over */
  bool ended;                   /* TERM: the host's last byte was read */
  struct reactor_watch watch;
  bool wants_room;              /* the watch tells of room for output, too */
  struct reactor_timer limit;
  struct reactor_timer stall;   /* looks whether the host does its part */
  bool stall_armed;
  uint64_t sent_ms;             /* the last output taken, or queued to none */
  uint64_t data_ms;             /* the last data asked for or received */
  uint64_t pdu_ms;              /* the PDU that is coming in began, or went on
                                   with data */
  struct reactor_task again;    /* posted: the turn's budget was used up */
  bool again_posted;
  struct reactor_task flush;    /* deferred: output of this turn */
  bool flush_deferred;

  struct tcp_agreed agreed;
  TAILQ_HEAD (, tcp_request) requests;  /* all in flight */
  uint16_t last_ttag;

  /* tcp-pool.c: requests that wait for a buffer */
  TAILQ_HEAD (, tcp_request) waiting;
  TAILQ_ENTRY (tcp_connection) in_starved;
  uint64_t large_bytes;         /* of buffers that it has */
  uint32_t turn_large_bytes;    /* of buffers that it took in this turn */
  struct ration *ration;        /* its subsystem's; NULL until needed */

  /* tcp-receive.c: the PDU that is coming in */
  enum tcp_phase phase;
  uint32_t have_bytes;          /* of the header, or of the digest */
  uint32_t header_bytes;        /* with digest; 0 until it is known */
  uint8_t *data;                /* where data go; NULL: nowhere */
  uint32_t data_left_bytes;
  uint32_t data_digest;         /* running */
  struct tcp_request *data_request;
  union nvme_tcp_pdu pdu;
  uint8_t digest[NVME_TCP_DIGEST_BYTES];

  /* tcp-send.c */
  TAILQ_HEAD (, tcp_out) output;
  unsigned nr_output;           /* PDUs */
  struct tcp_request *borrower; /* whose data are lent */
  struct tcp_out icresp_out;
  struct tcp_out term_out;
  struct nvme_tcp_icresp icresp;
  struct {
    struct nvme_tcp_term term;
    uint8_t pdu[NVME_TCP_TERM_DATA_MAX];
  } term;
};

void tcp_hold (struct tcp_connection *connection);
void tcp_release (struct tcp_connection *connection);

/* Fewer bytes than these are no event: a host that never comes to the end of its
 * ICReq, a byte at a time, costs next to nothing.  The peer's end always is one.
 * Unix sockets take no notice. */
void tcp_expect (struct tcp_connection *connection, uint32_t bytes);

/* ICReq was good: the time for Connect begins. */
void tcp_set_ready (struct tcp_connection *connection);
/* The host has something to do from now on: see that it does. */
void tcp_watch_stall (struct tcp_connection *connection);
/* Come back in the next turn. */
void tcp_again (struct tcp_connection *connection);
/* The peer broke the protocol: TermReq. */
void tcp_fatal (struct tcp_connection *connection,
                const struct tcp_fault *fault);
/* Output was sent, or could not be: is there something to wait for? */
void tcp_watch_room (struct tcp_connection *connection);
/* The stream is of no use any more; with the latter by the host's doing or
 * the network's.  reason is constant. */
void tcp_lost (struct tcp_connection *connection, const char *reason);
void tcp_closed (struct tcp_connection *connection, const char *reason);
/* Output was sent or a request ended: perhaps that was what it waited for. */
void tcp_check_closed (struct tcp_connection *connection);

/* A part of a PDU is here. */
static inline bool
tcp_is_mid_pdu (const struct tcp_connection *connection)
{
  return connection->phase != TCP_PHASE_HEADER || connection->have_bytes > 0;
}

/* --- tcp-receive.c --------------------------------------------------------------- */

void tcp_receive (struct tcp_connection *connection);
/* A request that waited has its buffer. */
void tcp_request_granted (struct tcp_request *request, int result);

/* --- tcp-send.c ------------------------------------------------------------------ */

void tcp_send_icresp (struct tcp_connection *connection);
void tcp_send_term (struct tcp_connection *connection,
                    const struct tcp_fault *fault);
void tcp_send_r2t (struct tcp_request *request);
void tcp_send_response (struct tcp_request *request);
/* What is lent goes out at once, or is copied. */
void tcp_send_lent (struct tcp_request *request);
void tcp_flush (struct tcp_connection *connection);
/* If it is worth a system call, and the network takes it. */
void tcp_flush_early (struct tcp_connection *connection);
/* Everything but a PDU of which a part is out already. */
void tcp_drop_output (struct tcp_connection *connection);
/* The request has answered or is given up. */
void tcp_request_over (struct tcp_request *request);

#endif
