#ifndef CM_RUN_KEEPER_H
#define CM_RUN_KEEPER_H
/*
 * The client's side of casemate-keyd: one connection per thread that asks, which no other thread
 * touches. Operations are encoded when submitted and sent together, once a round of the caller's
 * loop; answers come in any order and done() is called from cm_keeper_readable().
 *
 *     for (;;) {
 *         epoll_wait(...)             EPOLLIN on cm_keeper_fd(), EPOLLOUT if
 * cm_keeper_wants_write() if readable                 cm_keeper_readable(k)
 *         ... submit ...
 *         cm_keeper_flush(k)          once, at the end of the round
 *         cm_keeper_tick(k, now)      at the time it returned before, or each round
 *     }
 *
 * When keyd dies, what it had not answered fails with KEEPER_LOST (try again: keyd keeps nothing
 * between operations), and what is submitted meanwhile with KEEPER_DOWN. cm_keeper_tick() connects
 * anew, after 10 ms at first and twice as long each time, up to 2 s. A new keyd is sealed.
 */
#include "keys/keyctl.h"

#include <sys/types.h>

typedef struct cm_keeper_client cm_keeper_client;

typedef struct {
    /** A connected SOCK_SEQPACKET socket to keyd, or an error. Called by cm_keeper_new() when fd is
     * -1, and by cm_keeper_tick(). NULL: a lost connection stays lost. cm_keyd_connect() is one. */
    cm_err (*connect)(void *arg, int *fd);
    void *arg;
    int fd;          /* a connected socket, taken even on failure; -1: ask connect() */
    unsigned depth;  /* requests in flight at most; 0: 1024 */
    bool check_peer; /* the peer must run as this user or as root (SO_PEERCRED) */
} cm_keeper_options;

/** A failed connect() is no failure: the keeper is down and tries again. KEEPER_PEER, NO_MEMORY. */
CM_MUST cm_err cm_keeper_new(cm_keeper_client **out, const cm_keeper_options *o);
/** Fails what is in flight (KEEPER_LOST), closes, wipes. */
void cm_keeper_free(cm_keeper_client *k);
void cm_keeper_free_ptr(cm_keeper_client **k);

/** For cm_call.keeper: submit() never blocks. KEEPER_FULL (through done(), at once) past depth;
 * KEYOP_SIZE. */
cm_keeper cm_keeper_of(cm_keeper_client *k);

/** A control message. The body is borrowed until done(); answer holds secrets: free with
 * cm_buf_free(). */
typedef struct cm_keyctl {
    cm_keymsg_kind kind;
    cm_view body;
    cm_err result;
    cm_buf answer;
    void (*done)(struct cm_keyctl *c);
    void *arg;
} cm_keyctl;
void cm_keeper_control(cm_keeper_client *k, cm_keyctl *c);

/** -1 while down; changes with every new connection. */
int cm_keeper_fd(const cm_keeper_client *k);
/** Grows with every new connection, from 1: for those who register the descriptor, and who ask
 * for the state (STATUS) when a new keyd is there. 0 while down. */
uint64_t cm_keeper_connection(const cm_keeper_client *k);
/** Send what was submitted. What does not fit into the socket goes later. */
void cm_keeper_flush(cm_keeper_client *k);
bool cm_keeper_wants_write(const cm_keeper_client *k);
/** Take all answers that are there; calls done() of each. */
void cm_keeper_readable(cm_keeper_client *k);
/** Connect anew if it is time to. now_ms: a clock that never goes back. The time of the next try,
 * UINT64_MAX when there is none. */
uint64_t cm_keeper_tick(cm_keeper_client *k, uint64_t now_ms);
size_t cm_keeper_in_flight(const cm_keeper_client *k);

/* ---- for programs that wait ---- these drive the connection themselves until their own answer is
 * there, or timeout_ms is over (KEEPER_TIMEOUT; the answer is dropped when it comes). */

/** Returns op->result. op->done is not called. */
CM_MUST cm_err cm_keeper_run(cm_keeper_client *k, cm_keyop *op, int timeout_ms);
/** Appends the answer's body to out, if not NULL. */
CM_MUST cm_err cm_keeper_ask(cm_keeper_client *k, cm_keymsg_kind kind, cm_view body, cm_buf *out,
                             int timeout_ms);

/* ---- keyd as a process ---------------------------------------------------------------------- */

/** Connect to the socket file that keyd listens on; arg of the connect() hook is its path. */
CM_MUST cm_err cm_keyd_connect(void *path, int *fd);

typedef struct {
    const char *program;         /* path of casemate-keyd */
    const char *const *args;     /* further arguments, NULL at the end; may be NULL */
    unsigned connections;        /* with the right to operations and control */
    int stderr_fd;               /* where its log goes; -1: this process's */
    int device_fd;               /* a socket to casemate-p11d, which stays ours; 0: none */
    const char *credentials_dir; /* $CREDENTIALS_DIRECTORY for it; NULL: none */
} cm_keyd_spawn;

/** Start keyd with one connected socket for each of `connections`; fds has room for them. It leaves
 * when all are closed. KEYD_SPAWN. */
CM_MUST cm_err cm_keyd_start(pid_t *pid, int *fds, const cm_keyd_spawn *s);

#endif
