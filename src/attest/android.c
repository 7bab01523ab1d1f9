/* Android key attestation: a certificate of the key, whose extension says what keeps it and what
 * the device had started. */
#include "attest/attest_int.h"
#include "attest/der.h"
#include "codec/json.h"

#define OID_ATTESTATION  "1.3.6.1.4.1.11129.2.1.17"
#define OID_PROVISIONING "1.3.6.1.4.1.11129.2.1.30"

enum {
    TAG_PURPOSE = 1,
    TAG_ALGORITHM = 2,
    TAG_KEY_SIZE = 3,
    TAG_EC_CURVE = 10,
    TAG_MLDSA_VARIANT = 11,
    TAG_ORIGIN = 702,
    TAG_ROOT_OF_TRUST = 704,
    TAG_OS_VERSION = 705,
    TAG_OS_PATCH = 706,
    TAG_APPLICATION = 709,
    TAG_VENDOR_PATCH = 718,
    TAG_BOOT_PATCH = 719,
    HASH_SIZE = 32,
    CHALLENGE_MAX = 128,
    PURPOSES = 32,
    SERIAL_MAX = 64,
};

/* An AuthorizationList, as far as it is judged. */
typedef struct {
    bool has_origin, has_root, locked;
    uint64_t origin, algorithm, boot_state;
    uint64_t os_version, os_patch, vendor_patch, boot_patch;
    uint64_t key_size, ec_curve, mldsa;
    uint32_t purposes;
    cm_view boot_key, boot_hash, application;
} key_list;

typedef struct {
    uint64_t version, level, mint_version, mint_level;
    cm_view challenge, unique_id;
    key_list soft, hard;
} description;

/* ---- the extension ------------------------------------------------------------------------- */

/* AT-71 */
static bool read_root(key_list *l, cm_cut *in, uint64_t version)
{
    cm_cut c = cm_cut_of(cm_asn1_take(in, CM_DER_SEQ));
    cm_view locked;

    l->boot_key = cm_asn1_take(&c, CM_DER_OCTET_STRING);
    locked = cm_asn1_take(&c, CM_DER_BOOLEAN);
    l->boot_state = cm_asn1_uint(&c, CM_DER_ENUM);
    if (version >= 3)
        l->boot_hash = cm_asn1_take(&c, CM_DER_OCTET_STRING);
    if (!cm_cut_done(&c) || locked.n != 1 || (locked.p[0] != 0 && locked.p[0] != 0xff))
        return false;
    l->locked = locked.p[0] == 0xff;
    l->has_root = true;
    return true;
}

static bool read_purposes(key_list *l, cm_cut *in)
{
    cm_cut c = cm_cut_of(cm_asn1_take(in, CM_DER_SET));
    uint64_t last = 0;

    while (!c.bad && c.rest.n) {
        uint64_t u = cm_asn1_uint(&c, CM_DER_INT);

        if (u >= PURPOSES || u < last)
            return false;
        l->purposes |= 1u << u;
        last = u;
    }
    return cm_cut_done(&c);
}

static uint64_t *number_of(key_list *l, uint32_t number)
{
    switch (number) {
    case TAG_ALGORITHM:
        return &l->algorithm;
    case TAG_KEY_SIZE:
        return &l->key_size;
    case TAG_EC_CURVE:
        return &l->ec_curve;
    case TAG_MLDSA_VARIANT:
        return &l->mldsa;
    case TAG_ORIGIN:
        return &l->origin;
    case TAG_OS_VERSION:
        return &l->os_version;
    case TAG_OS_PATCH:
        return &l->os_patch;
    case TAG_VENDOR_PATCH:
        return &l->vendor_patch;
    case TAG_BOOT_PATCH:
        return &l->boot_patch;
    default:
        return NULL;
    }
}

static bool read_entry(key_list *l, uint32_t number, cm_view v, uint64_t version)
{
    cm_cut c = cm_cut_of(v);
    uint64_t *u = number_of(l, number);
    uint32_t tag;

    if (number == TAG_ROOT_OF_TRUST && !read_root(l, &c, version))
        return false;
    else if (number == TAG_PURPOSE && !read_purposes(l, &c))
        return false;
    else if (number == TAG_APPLICATION)
        l->application = cm_asn1_take(&c, CM_DER_OCTET_STRING);
    else if (u)
        *u = cm_asn1_uint(&c, CM_DER_INT);
    else if (number != TAG_ROOT_OF_TRUST && number != TAG_PURPOSE)
        (void)cm_asn1_next(&c, &tag);
    l->has_origin |= number == TAG_ORIGIN;
    return cm_cut_done(&c);
}

/* AT-70: each tag at most once, in ascending order. */
static bool read_list(key_list *l, cm_cut *in, uint64_t version)
{
    cm_cut c = cm_cut_of(cm_asn1_take(in, CM_DER_SEQ));
    uint32_t last = 0;

    while (!c.bad && c.rest.n) {
        uint32_t tag;
        cm_view v = cm_asn1_next(&c, &tag);

        if (c.bad || (tag & ~0x1fffu) != CM_DER_CTX_IN || (tag & 0x1fff) <= last ||
            !read_entry(l, tag & 0x1fff, v, version))
            return false;
        last = tag & 0x1fff;
    }
    return !c.bad && !in->bad;
}

static bool known_version(uint64_t v)
{
    static const uint16_t known[] = {1, 2, 3, 4, 100, 200, 300, 400, 500};

    for (size_t i = 0; i < CM_COUNT(known); i++)
        if (known[i] == v)
            return true;
    return false;
}

static bool read_description(description *d, cm_view v)
{
    cm_cut out = cm_cut_of(v), c = cm_cut_of(cm_asn1_take(&out, CM_DER_SEQ));

    d->version = cm_asn1_uint(&c, CM_DER_INT);
    d->level = cm_asn1_uint(&c, CM_DER_ENUM);
    d->mint_version = cm_asn1_uint(&c, CM_DER_INT);
    d->mint_level = cm_asn1_uint(&c, CM_DER_ENUM);
    d->challenge = cm_asn1_take(&c, CM_DER_OCTET_STRING);
    d->unique_id = cm_asn1_take(&c, CM_DER_OCTET_STRING);
    return cm_cut_done(&out) && known_version(d->version) && d->challenge.n <= CHALLENGE_MAX &&
           read_list(&d->soft, &c, d->version) && read_list(&d->hard, &c, d->version) &&
           cm_cut_done(&c);
}

/* ---- claims -------------------------------------------------------------------------------- */

static const char *level_name(uint64_t level)
{
    return level == 2 ? "StrongBox" : level == 1 ? "TEE" : level == 0 ? "software" : "unknown";
}

static cm_err claim_key(cm_run *run, X509 *leaf)
{
    uint8_t *der = NULL;
    int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(leaf), &der);
    cm_err e = n > 0 ? cm_claim_bytes(run, "public_key", 0, cm_view_of(der, (size_t)n))
                     : CM_FAIL(NO_MEMORY);

    OPENSSL_free(der);
    return e;
}

static cm_err claims(cm_run *run, const description *d, X509 *leaf)
{
    CM_TRY(claim_key(run, leaf));
    CM_TRY(cm_claim_bytes(run, "nonce", 0, d->challenge));
    CM_TRY(cm_claim_u64(run, "attestation_version", d->version));
    CM_TRY(cm_claim_text(run, "security_level", cm_view_str(level_name(d->level))));
    CM_TRY(cm_claim_u64(run, "key_algorithm", d->hard.algorithm));
    CM_TRY(cm_claim_u64(run, "key_purposes", d->hard.purposes));
    if (d->hard.mldsa)
        CM_TRY(cm_claim_u64(run, "mldsa_variant", d->hard.mldsa));
    CM_TRY(cm_claim_u64(run, "os_version", d->hard.os_version));
    CM_TRY(cm_claim_u64(run, "os_patch", d->hard.os_patch));
    CM_TRY(cm_claim_u64(run, "vendor_patch", d->hard.vendor_patch));
    CM_TRY(cm_claim_u64(run, "boot_patch", d->hard.boot_patch));
    CM_TRY(cm_claim_bytes(run, "application", 0, d->soft.application));
    if (!d->hard.has_root)
        return CM_OKAY;
    CM_TRY(cm_claim_bytes(run, "boot_key", 0, d->hard.boot_key));
    CM_TRY(cm_claim_bytes(run, "boot_hash", 0, d->hard.boot_hash));
    CM_TRY(cm_claim_u64(run, "device_locked", d->hard.locked));
    return cm_claim_u64(run, "boot_state", d->hard.boot_state);
}

/* ---- what it says -------------------------------------------------------------------------- */

/* AT-73 */
static void check_level(cm_run *run, const description *d)
{
    uint64_t want = run->p->android.strongbox ? 2 : 1;

    cm_note(run, CM_CHECK_IDENTITY, d->level == d->mint_level,
            "key and attestation are not kept in the same place");
    cm_note(run, CM_CHECK_IDENTITY, d->level >= want && d->level <= 2,
            "software, or less than is asked for, keeps the key");
}

/* AT-74 */
static void check_device(cm_run *run, const description *d)
{
    const key_list *l = &d->hard;
    bool verified = l->has_root && l->locked && l->boot_state == 0;

    cm_note(run, CM_CHECK_DEBUG, verified || (run->p->flags & CM_ATTEST_ALLOW_DEBUG),
            "the hardware does not say that the device is locked and its system verified");
}

/* AT-75 */
static void check_key(cm_run *run, const description *d)
{
    uint32_t may = run->p->android.purposes;

    cm_note(run, CM_CHECK_GUEST_POLICY, d->hard.has_origin && d->hard.origin == 0,
            "the key was not made in the hardware");
    if (may)
        cm_note(run, CM_CHECK_GUEST_POLICY, d->hard.purposes && (d->hard.purposes & ~may) == 0,
                "the key serves another purpose too");
}

static void check_patches(cm_run *run, const description *d)
{
    const cm_attest_policy *p = run->p;

    if (!p->android.os_patch && !p->android.vendor_patch && !p->android.boot_patch)
        cm_note_skip(run, CM_CHECK_TCB, "the policy sets no floor for patch levels");
    else if (cm_note(run, CM_CHECK_TCB,
                     d->hard.os_patch >= p->android.os_patch &&
                         d->hard.vendor_patch >= p->android.vendor_patch &&
                         d->hard.boot_patch >= p->android.boot_patch,
                     "a patch level is below the floor"))
        run->r->tcb = CM_TCB_UP_TO_DATE;
    else
        run->r->tcb = CM_TCB_OUT_OF_DATE;
}

static void check_fresh(cm_run *run, cm_view challenge)
{
    if (run->p->fresh.n)
        cm_note(run, CM_CHECK_FRESH, cm_view_eq(challenge, run->p->fresh),
                "it is bound to something else: stale, replayed or relayed");
    else
        cm_note_skip(run, CM_CHECK_FRESH, "no nonce or binding was expected");
}

/* ---- certificates -------------------------------------------------------------------------- */

static bool has(const X509 *x, const char *oid)
{
    cm_view v;

    return cm_x509_extension(&v, x, oid);
}

/* AT-76: certificates that a server gives out for weeks are over when they are over; a factory's
 * are for the life of the device. The leaf's dates are the app's own. */
static void check_dates(cm_run *run, const cm_path *path)
{
    time_t now = (time_t)run->p->now;
    bool provisioned = false, good = true;

    for (size_t i = 1; i < path->n; i++)
        provisioned |= has(path->v[i], OID_PROVISIONING);
    for (size_t i = 1; i < path->n && provisioned; i++)
        good = good && X509_cmp_time(X509_get0_notBefore(path->v[i]), &now) < 0 &&
               X509_cmp_time(X509_get0_notAfter(path->v[i]), &now) > 0;
    cm_note(run, CM_CHECK_CHAIN, good, "a certificate is over at that time, or not yet valid");
}

/* AT-72: a key that was attested could sign a certificate with an extension of its own. */
static void check_extended(cm_run *run, const cm_path *path)
{
    bool again = false;

    for (size_t i = 1; i < path->n; i++)
        again |= has(path->v[i], OID_ATTESTATION);
    cm_note(run, CM_CHECK_CHAIN, !again, "an attested key extended its own chain");
}

static bool serial_of(cm_buf *out, const X509 *x)
{
    BIGNUM *bn = ASN1_INTEGER_to_BN(X509_get0_serialNumber(x), NULL);
    char *hex = bn ? BN_bn2hex(bn) : NULL;
    bool good = hex != NULL;

    for (const char *s = hex && hex[0] == '0' && hex[1] ? hex + 1 : hex; good && s && *s; s++)
        good = cm_ok(cm_buf_byte(out, (uint8_t)(*s >= 'A' && *s <= 'F' ? *s - 'A' + 'a' : *s)));
    OPENSSL_free(hex);
    BN_free(bn);
    return good;
}

static cm_err on_list(bool *found, const cm_json_node *entries, const X509 *x)
{
    CM_AUTO(cm_buf_free) cm_buf serial = {.max = SERIAL_MAX};

    if (!serial_of(&serial, x))
        return CM_FAIL(NO_MEMORY);
    *found = *found || cm_json_get_view(entries, cm_buf_view(&serial)) != NULL;
    return CM_OKAY;
}

/* AT-77 */
static bool list_is_fresh(const cm_run *run)
{
    uint64_t now = run->p->now, then = run->in->status_time, age = run->p->android.status_age;

    return age == 0 || (then && then <= now && now - then <= age);
}

static cm_err check_revocation(cm_run *run, const cm_path *path)
{
    cm_json *json = NULL;
    const cm_json_node *entries;
    bool found = false;
    cm_err e;

    if (run->in->status_list.n == 0) {
        cm_note_skip(run, CM_CHECK_REVOCATION, "the vendor's status list was not given");
        return CM_OKAY;
    }
    cm_note(run, CM_CHECK_REVOCATION, list_is_fresh(run),
            "the vendor's status list is older than the policy allows, or of nobody knows when");
    e = cm_json_parse(&json, run->in->status_list, NULL, NULL);
    if (cm_is(e, CM_NO_MEMORY))
        return e;
    entries = cm_ok(e) ? cm_json_get(cm_json_root(json), "entries") : NULL;
    if (cm_note(run, CM_CHECK_REVOCATION, entries && cm_json_type_of(entries) == CM_JSON_OBJECT,
                "the vendor's status list can't be read")) {
        e = CM_OKAY;
        for (size_t i = 0; i < path->n && cm_ok(e); i++)
            e = on_list(&found, entries, path->v[i]);
        cm_note(run, CM_CHECK_REVOCATION, !found, "a certificate is on the vendor's status list");
    } else {
        e = CM_OKAY;
    }
    cm_json_free(json);
    return e;
}

static cm_err check_signer(cm_run *run, const cm_pool *pool)
{
    CM_AUTO(cm_path_done) cm_path path = {0};
    cm_run any = *run;

    any.any_time = true;
    CM_TRY(cm_path_find(&path, &any, pool->v[0], pool, CM_VENDOR_GOOGLE, CM_CHECK_CHAIN));
    if (!path.root) {
        cm_note_skip(run, CM_CHECK_SIGNATURE, "the certificates lead to no root");
        cm_note_skip(run, CM_CHECK_REVOCATION, "the certificates lead to no root");
        return CM_OKAY;
    }
    /* A path holds no certificate that the next one's key did not sign. */
    cm_note(run, CM_CHECK_SIGNATURE, path.n > 1 && path.v[0] == pool->v[0],
            "the key's certificate is not the first");
    check_dates(run, &path);
    check_extended(run, &path);
    return check_revocation(run, &path);
}

/* ---- all of it ----------------------------------------------------------------------------- */

cm_err cm_attest_android(cm_run *run)
{
    CM_AUTO(cm_pool_done) cm_pool pool = {0};
    description d = {0};
    cm_view v;
    cm_err e = cm_pool_add(&pool, run->c, run->in->evidence);

    if (cm_is(e, CM_NO_MEMORY))
        return e;
    if (!cm_note(run, CM_CHECK_FORM,
                 cm_ok(e) && pool.n && cm_x509_extension(&v, pool.v[0], OID_ATTESTATION) &&
                     read_description(&d, v),
                 "it is no certificate with an attestation of the documented form"))
        return CM_OKAY;
    CM_TRY(cm_pool_load(&pool, run));
    CM_TRY(claims(run, &d, pool.v[0]));
    CM_TRY(check_signer(run, &pool));
    check_level(run, &d);
    check_device(run, &d);
    check_key(run, &d);
    check_patches(run, &d);
    cm_check_measurement(run, d.hard.boot_hash);
    cm_check_config(run, d.soft.application);
    check_fresh(run, d.challenge);
    return CM_OKAY;
}
