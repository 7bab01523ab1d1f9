#ifndef CM_SVC_POLICY_H
#define CM_SVC_POLICY_H
/*
 * Who may do what. Pure: facts in, a decision and a sentence out; no store, no clock.
 *
 * Nothing is allowed unless a grant allows it (V-20). A grant speaks of principals, actions and a
 * resource, all of the one tenant whose grants are looked at, and of conditions. One grant that
 * denies beats all that allow (V-21). A condition whose facts are not known does not hold (V-22):
 * to demand something, put it on the grant that allows.
 */
#include "base/base.h"

typedef struct {
    const cm_view *v;
    size_t n;
} cm_views;

/** A network: the first `bits` bits of an address, IPv4 as ::ffff:a.b.c.d. */
typedef struct {
    uint8_t b[16];
    unsigned bits;
} cm_network;

/** "10.0.0.0/8", "2001:db8::/32", "192.0.2.1". SVC_GRANT_FORM for anything else, host bits
 * included. */
CM_MUST cm_err cm_network_parse(cm_network *out, cm_view text);
/** An address alone. SVC_GRANT_FORM. */
CM_MUST cm_err cm_address_parse(uint8_t out[16], cm_view text);
bool cm_network_has(const cm_network *n, const uint8_t address[16]);

/** Views borrow from whoever decoded it. Empty lists of conditions: not asked. */
typedef struct {
    cm_view name;
    bool deny;
    cm_views principals; /* "*": every principal of the tenant */
    cm_views actions;    /* an operation, a permission, or "*" */
    cm_view keyspace;    /* empty: not bound to one */
    cm_view key;         /* needs keyspace */
    cm_view tag;         /* with neither */
    cm_views measurements, purposes, approvers, networks;
    cm_views attested; /* attestation policies of the tenant: one of them accepts the evidence */
    uint64_t not_before_ms, not_after_ms;
    unsigned day_from, day_to; /* minutes of the UTC day; equal: not asked */
    unsigned min_tier, approvals;
    bool pq;
    uint64_t rate, rate_seconds;
} cm_grant;

/** What is asked, and what is known of whoever asks. */
typedef struct {
    cm_view principal;
    cm_view action;     /* the operation */
    cm_view permission; /* its class: "use", "read", "manage", "export", "admin", "audit" */
    bool on_key;        /* a key is acted on, of keyspace and key */
    cm_view keyspace, key;
    cm_views tags;
    uint64_t time_ms;
    cm_view purpose;
    cm_view address;     /* text; empty: unknown */
    cm_view measurement; /* verified; empty: none */
    unsigned tier;       /* verified; 0: none */
    cm_views attested;   /* the attestation policies that accept the evidence */
    bool pq;
    cm_views approved_by; /* of a valid approval of this very request */
} cm_ask;

enum { CM_SENTENCE = 400 };

typedef struct {
    bool allowed;
    const cm_grant *by; /* the grant that decided; NULL: none did */
    char sentence[CM_SENTENCE];
} cm_decision;

/** Whether the grant speaks of this at all, conditions aside. */
bool cm_policy_about(const cm_grant *g, const cm_ask *a);
/** Decides. Any thread; time depends on the input, all of which is public. */
void cm_policy_decide(cm_decision *out, const cm_grant *grants, size_t n, const cm_ask *ask);
/** Whether a grant makes sense: SVC_GRANT_FORM, and *why names the field. Grants are checked before
 * they are stored, and decide only then. */
CM_MUST cm_err cm_policy_check(const cm_grant *g, const char **why);

#endif
