#ifndef CM_RUN_GATE_H
#define CM_RUN_GATE_H
/*
 * What one address may take before anyone has shown who they are: connections at once, and new
 * connections a second (a handshake costs a server more than a client). An IPv4 address counts by
 * itself, an IPv6 address with its /64. Shared by all reactors; memory is bounded, and what does
 * not fit is refused rather than forgotten.
 */
#include "base/base.h"

typedef struct cm_gate cm_gate;

typedef struct {
    unsigned connections; /* of one address at once; 0: any number */
    unsigned rate;        /* new ones a second; 0: any number */
    unsigned burst;       /* that may come at once */
    unsigned addresses;   /* remembered at most */
} cm_gate_limits;

typedef struct {
    uint8_t b[16]; /* IPv4 as ::ffff:a.b.c.d; of others the last 8 bytes are 0 */
} cm_gate_address;

/** seed: random, so that nobody can choose addresses that collide. */
CM_MUST cm_err cm_gate_new(cm_gate **out, const cm_gate_limits *l, const uint8_t seed[16]);
void cm_gate_free(cm_gate *g);
void cm_gate_free_ptr(cm_gate **g);
/** A connection came. RUN_ADDRESS_BUSY, RUN_ADDRESS_RATE, RUN_GATE_FULL. Any thread. */
CM_MUST cm_err cm_gate_enter(cm_gate *g, const cm_gate_address *a, uint64_t now_ms);
/** A connection that entered is gone. */
void cm_gate_leave(cm_gate *g, const cm_gate_address *a);

struct sockaddr;
/** The address to count, and as text ("192.0.2.1", "2001:db8::1", "unix") of 64 bytes. False for
 * one that is not counted. */
bool cm_gate_address_of(cm_gate_address *out, char text[64], const struct sockaddr *sa);

#endif
