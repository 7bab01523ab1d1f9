#ifndef CM_ENCLAVE_RUN_INT_H
#define CM_ENCLAVE_RUN_INT_H
/* The inside of a running enclave. */
#include "enclave/cgroup.h"
#include "enclave/enclave.h"

/* The channel's messages (EN-40). */
enum {
    CM_MSG_READ = 1,
    CM_MSG_DATA = 2,
    CM_MSG_ERROR = 3,
    CM_MSG_INFO = 4,
    CM_MSG_NEXT = 5,
    CM_MSG_CALL = 6,
    CM_MSG_END = 7,
    CM_MSG_ANSWER = 8,
    CM_MSG_FILE = 9,
    CM_MSG_HEAD = 16,
    CM_INFO_SIZE = 80,
};

typedef enum { CM_CALL_NONE, CM_CALL_READY, CM_CALL_GIVEN, CM_CALL_DONE } cm_call_state;

struct cm_enclave {
    const cm_crypt *crypt;
    cm_enclave_options o;
    cm_cgroup group;
    pid_t pid;
    int pidfd, channel, log;
    void *weights; /* the memory file, held in memory; NULL: none */
    size_t weights_n;
    bool dead;
    int status;
    uint64_t logged;
    cm_enclave_figures figures;

    /* the channel */
    uint8_t head[CM_MSG_HEAD];
    size_t head_n;
    cm_buf out; /* what is still to be sent, from out_at on */
    size_t out_at;
    bool in_answer; /* the rest of an answer is coming */
    uint64_t answer_left;
    bool waits; /* it asked for the next request */
    bool ended; /* it was told that there is none */

    /* the call */
    cm_call_state call;
    uint64_t call_id;
    cm_view request;
    cm_buf *answer;
};

/** One turn: wait at most ms for the program (and extra descriptors, readable) and serve it. Which
 * of the extra ones are readable: bits of *ready. ENCLAVE_PROTOCOL, ENCLAVE_ANSWER. */
CM_MUST cm_err cm_enclave_turn(cm_enclave *e, const int *extra, size_t n, unsigned *ready, int ms);

#endif
