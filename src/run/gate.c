#include "run/gate.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>

enum { BUCKETS = 4096, MILLI = 1000 };

struct entry {
    struct entry *next;
    cm_gate_address a;
    unsigned n;       /* connections */
    uint64_t tokens;  /* thousandths of a connection */
    uint64_t seen_ms; /* when tokens was right */
};

struct cm_gate {
    cm_gate_limits l;
    uint64_t seed[2];
    pthread_mutex_t lock;
    size_t entries, sweep; /* sweep: the bucket to clean next */
    struct entry *bucket[BUCKETS];
};

cm_err cm_gate_new(cm_gate **out, const cm_gate_limits *l, const uint8_t seed[16])
{
    cm_gate *g = NULL;

    CM_TRY(cm_alloc(&g, sizeof *g));
    g->l = *l;
    memcpy(g->seed, seed, sizeof g->seed);
    pthread_mutex_init(&g->lock, NULL);
    *out = g;
    return CM_OKAY;
}

void cm_gate_free(cm_gate *g)
{
    if (!g)
        return;
    for (size_t i = 0; i < BUCKETS; i++)
        while (g->bucket[i]) {
            struct entry *e = g->bucket[i];

            g->bucket[i] = e->next;
            cm_free(e);
        }
    pthread_mutex_destroy(&g->lock);
    cm_free(g);
}

void cm_gate_free_ptr(cm_gate **g)
{
    cm_gate_free(*g);
    *g = NULL;
}

/* ---- the table ----------------------------------------------------------------------------- */

#define ROTL(x, n) ((x) << (n) | (x) >> (64 - (n)))

static void sip_round(uint64_t v[4])
{
    v[0] += v[1], v[1] = ROTL(v[1], 13) ^ v[0], v[0] = ROTL(v[0], 32);
    v[2] += v[3], v[3] = ROTL(v[3], 16) ^ v[2];
    v[0] += v[3], v[3] = ROTL(v[3], 21) ^ v[0];
    v[2] += v[1], v[1] = ROTL(v[1], 17) ^ v[2], v[2] = ROTL(v[2], 32);
}

/* SipHash-1-3 of the 16 bytes. */
static size_t hash(const cm_gate *g, const cm_gate_address *a)
{
    uint64_t v[4] = {g->seed[0] ^ 0x736f6d6570736575, g->seed[1] ^ 0x646f72616e646f6d,
                     g->seed[0] ^ 0x6c7967656e657261, g->seed[1] ^ 0x7465646279746573};
    uint64_t m[3] = {cm_get_le64(a->b), cm_get_le64(a->b + 8), 16ULL << 56};

    for (size_t i = 0; i < 3; i++) {
        v[3] ^= m[i];
        sip_round(v);
        v[0] ^= m[i];
    }
    v[2] ^= 0xff;
    for (size_t i = 0; i < 3; i++)
        sip_round(v);
    return (size_t)(v[0] ^ v[1] ^ v[2] ^ v[3]) % BUCKETS;
}

static struct entry **find(cm_gate *g, const cm_gate_address *a)
{
    struct entry **e = &g->bucket[hash(g, a)];

    while (*e && !cm_view_eq(CM_VIEW((*e)->a.b), CM_VIEW(a->b)))
        e = &(*e)->next;
    return e;
}

static void refill(const cm_gate *g, struct entry *e, uint64_t now_ms)
{
    uint64_t full = (uint64_t)g->l.burst * MILLI;
    uint64_t passed = now_ms > e->seen_ms ? now_ms - e->seen_ms : 0;

    /* An hour fills any bucket, and keeps the product small. */
    e->tokens = CM_MIN(full, e->tokens + CM_MIN(passed, (uint64_t)3600000) * g->l.rate);
    e->seen_ms = now_ms;
}

/* Forget addresses of a few buckets that nothing is known against. */
static void sweep(cm_gate *g, uint64_t now_ms)
{
    for (size_t i = 0; i < 64; i++) {
        struct entry **p = &g->bucket[g->sweep++ % BUCKETS], *e;

        while ((e = *p) != NULL) {
            refill(g, e, now_ms);
            if (e->n || e->tokens < (uint64_t)g->l.burst * MILLI) {
                p = &e->next;
                continue;
            }
            *p = e->next;
            cm_free(e);
            g->entries--;
        }
    }
}

static cm_err make(cm_gate *g, struct entry **place, const cm_gate_address *a, uint64_t now_ms)
{
    struct entry *e = NULL;

    if (g->entries >= g->l.addresses)
        return CM_FAIL(RUN_GATE_FULL);
    CM_TRY(cm_alloc(&e, sizeof *e));
    *e = (struct entry){
        .a = *a, .tokens = (uint64_t)g->l.burst * MILLI, .seen_ms = now_ms, .next = *place};
    *place = e;
    g->entries++;
    return CM_OKAY;
}

static cm_err enter(cm_gate *g, const cm_gate_address *a, uint64_t now_ms)
{
    struct entry **place, *e;

    if (g->entries >= g->l.addresses / 2)
        sweep(g, now_ms);
    place = find(g, a);
    if (!*place)
        CM_TRY(make(g, place, a, now_ms));
    e = *place;
    if (g->l.connections && e->n >= g->l.connections)
        return CM_FAIL(RUN_ADDRESS_BUSY);
    if (g->l.rate) {
        refill(g, e, now_ms);
        if (e->tokens < MILLI)
            return CM_FAIL(RUN_ADDRESS_RATE);
        e->tokens -= MILLI;
    }
    e->n++;
    return CM_OKAY;
}

cm_err cm_gate_enter(cm_gate *g, const cm_gate_address *a, uint64_t now_ms)
{
    cm_err e;

    pthread_mutex_lock(&g->lock);
    e = enter(g, a, now_ms);
    pthread_mutex_unlock(&g->lock);
    return e;
}

void cm_gate_leave(cm_gate *g, const cm_gate_address *a)
{
    struct entry *e;

    pthread_mutex_lock(&g->lock);
    e = *find(g, a);
    if (e && e->n)
        e->n--;
    pthread_mutex_unlock(&g->lock);
}

/* ---- addresses ----------------------------------------------------------------------------- */

bool cm_gate_address_of(cm_gate_address *out, char text[64], const struct sockaddr *sa)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

    *out = (cm_gate_address){{0}};
    if (sa->sa_family == AF_INET) {
        const struct in_addr *in = &((const struct sockaddr_in *)(const void *)sa)->sin_addr;

        inet_ntop(AF_INET, in, text, 64);
        memcpy(out->b, mapped, sizeof mapped);
        memcpy(out->b + 12, in, 4);
        return true;
    }
    if (sa->sa_family == AF_INET6) {
        const struct in6_addr *in = &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr;

        inet_ntop(AF_INET6, in, text, 64);
        memcpy(out->b, in, IN6_IS_ADDR_V4MAPPED(in) ? 16 : 8);
        return true;
    }
    snprintf(text, 64, "unix");
    return false;
}
