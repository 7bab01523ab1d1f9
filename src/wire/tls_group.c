#include <strings.h>

#include "wire/tls_int.h"

/* The key exchanges of TLS that are of interest: those we take, and those that peers offer instead.
 * Bits of policies: who takes it. */
enum {
    TLS13 = 0x0304,
    HYBRID = 1 << CM_TLS_HYBRID,
    STRICT = 1 << CM_TLS_STRICT,
    LEGACY = 1 << CM_TLS_LEGACY,
};

static const struct group {
    uint16_t id;
    bool pq;
    uint8_t policies;
    const char *name;
} groups[] = {
    {0x11ec, true, HYBRID | LEGACY, "X25519MLKEM768"},
    {0x11eb, true, HYBRID | LEGACY, "SecP256r1MLKEM768"},
    {0x11ed, true, HYBRID | LEGACY, "SecP384r1MLKEM1024"},
    {0x0201, true, STRICT, "MLKEM768"},
    {0x0202, true, STRICT, "MLKEM1024"},
    {0x0200, true, 0, "MLKEM512"},
    {0x001d, false, LEGACY, "x25519"},
    {0x0017, false, LEGACY, "secp256r1"},
    {0x0018, false, 0, "secp384r1"},
    {0x0019, false, 0, "secp521r1"},
    {0x001e, false, 0, "x448"},
    {0x001a, false, 0, "brainpoolP256r1"},
    {0x001b, false, 0, "brainpoolP384r1"},
    {0x001c, false, 0, "brainpoolP512r1"},
    {0x0100, false, 0, "ffdhe2048"},
    {0x0101, false, 0, "ffdhe3072"},
    {0x0102, false, 0, "ffdhe4096"},
    {0x0103, false, 0, "ffdhe6144"},
    {0x0104, false, 0, "ffdhe8192"},
    {0x6399, false, 0, "X25519Kyber768Draft00"}, /* before the standard: another KEM */
};

const char *cm_tls_policy_name(cm_tls_policy p)
{
    static const char *const names[] = {"hybrid", "strict", "legacy"};

    return (size_t)p < CM_COUNT(names) ? names[p] : "unknown";
}

/* A question mark: the fips profile may lack one, and the rest will do. The slash sets classical
 * groups apart: a peer that knows both gets the first kind, whatever key share it sent. */
const char *cm_tls_groups_of(cm_tls_policy p)
{
    static const char *const lists[] = {
        [CM_TLS_HYBRID] = "?X25519MLKEM768:?SecP256r1MLKEM768:?SecP384r1MLKEM1024",
        [CM_TLS_STRICT] = "?MLKEM768:?MLKEM1024",
        [CM_TLS_LEGACY] =
            "?X25519MLKEM768:?SecP256r1MLKEM768:?SecP384r1MLKEM1024/?X25519:?secp256r1",
    };

    return (size_t)p < CM_COUNT(lists) ? lists[p] : "";
}

static const struct group *by_id(uint16_t id)
{
    for (size_t i = 0; i < CM_COUNT(groups); i++)
        if (groups[i].id == id)
            return &groups[i];
    return NULL;
}

const char *cm_tls_group_name(uint16_t group)
{
    const struct group *g = by_id(group);

    return g ? g->name : NULL;
}

bool cm_tls_group_pq(uint16_t group)
{
    const struct group *g = by_id(group);

    return g && g->pq;
}

bool cm_tls_group_allowed(cm_tls_policy p, uint16_t group)
{
    const struct group *g = by_id(group);

    return g && (g->policies >> p & 1);
}

bool cm_tls_group_named(cm_tls_policy p, const char *name, bool *pq)
{
    for (size_t i = 0; name && i < CM_COUNT(groups); i++)
        if (strcasecmp(groups[i].name, name) == 0) {
            *pq = groups[i].pq;
            return groups[i].policies >> p & 1;
        }
    return false;
}

/* The items of an extension that is one list of 16-bit numbers behind a length of width bytes. */
static bool list_of(cm_view *items, SSL *ssl, unsigned type, size_t width)
{
    const unsigned char *p;
    size_t n, length;

    if (SSL_client_hello_get0_ext(ssl, type, &p, &n) != 1 || n < width)
        return false;
    length = width == 1 ? p[0] : cm_get_be16(p);
    if (length != n - width || length % 2)
        return false;
    *items = cm_view_of(p + width, length);
    return true;
}

static bool speaks_13(SSL *ssl)
{
    cm_view v;

    if (!list_of(&v, ssl, TLSEXT_TYPE_supported_versions, 1))
        return false;
    for (size_t i = 0; i < v.n; i += 2)
        if (cm_get_be16(v.p + i) == TLS13)
            return true;
    return false;
}

/* Remembers what was offered, but for the random numbers that some clients mix in (RFC 8701). */
static bool take_offer(cm_tls_conn *k, cm_view v)
{
    cm_tls_why *w = &k->why;
    bool good = false;

    w->offered_n = 0;
    for (size_t i = 0; i < v.n; i += 2) {
        uint16_t id = cm_get_be16(v.p + i);

        good = good || cm_tls_group_allowed(k->set->policy, id);
        if ((id & 0x0f0f) != 0x0a0a && w->offered_n < CM_TLS_OFFERED_MAX)
            w->offered[w->offered_n++] = id;
    }
    return good;
}

static void say_offer(cm_tls_conn *k)
{
    cm_tls_say(k, k->why.offered_n ? "it offers" : "it offers no groups");
    for (size_t i = 0; i < k->why.offered_n; i++) {
        const char *name = cm_tls_group_name(k->why.offered[i]);

        if (name)
            cm_tls_say(k, "%s %s", i ? "," : "", name);
        else
            cm_tls_say(k, "%s 0x%04x", i ? "," : "", k->why.offered[i]);
    }
}

int cm_tls_client_hello(SSL *ssl, int *alert, void *arg)
{
    cm_tls_conn *k = SSL_get_app_data(ssl);
    cm_view offer = {NULL, 0};

    (void)arg;
    if (!speaks_13(ssl)) {
        k->why.err = CM_FAIL(TLS_VERSION);
        *alert = SSL_AD_PROTOCOL_VERSION;
        return SSL_CLIENT_HELLO_ERROR;
    }
    (void)list_of(&offer, ssl, TLSEXT_TYPE_supported_groups, 2);
    if (!take_offer(k, offer)) { /* W-41 */
        k->why.err = CM_FAIL(TLS_NO_PQ_GROUP);
        say_offer(k);
        *alert = SSL_AD_INSUFFICIENT_SECURITY;
        return SSL_CLIENT_HELLO_ERROR;
    }
    return SSL_CLIENT_HELLO_SUCCESS;
}
