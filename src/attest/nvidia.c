/* NVIDIA's GPUs and switches: an SPDM 1.1 GET_MEASUREMENTS request with its signed answer. */
#include <openssl/x509v3.h>

#include "attest/attest_int.h"
#include "attest/der.h"
#include "attest/nvidia_int.h"
#include "attest/rim.h"

#define OID_DICE     "2.23.133.5.4.1"
#define OID_TCB_INFO "2.23.133.5.4.1.1"

enum {
    NONCE = 32,
    SIGNATURE = 96,
    VALUE_MAX = 64,
    TCB_INFO_FWIDS = 6,
    REPORT_MAX = 65536,
};

/* ---- the report ---------------------------------------------------------------------------- */

static bool read_request(cm_gpu_report *r, cm_cut *c)
{
    cm_view head = cm_cut_bytes(c, 4);

    r->nonce = cm_cut_bytes(c, NONCE);
    return cm_cut_u8(c) == 0 && !c->bad && cm_view_eq(head, CM_LIT("\x11\xe0\x01\xff"));
}

/* Indices count from one; each block is of the DMTF form and fills its size. */
static bool read_blocks(cm_gpu_report *r)
{
    cm_cut c = cm_cut_of(r->record);

    for (uint32_t i = 0; i < r->n; i++) {
        uint8_t index = cm_cut_u8(&c), form = cm_cut_u8(&c);
        uint16_t size = cm_cut_le16(&c), n;

        (void)cm_cut_u8(&c);
        n = cm_cut_le16(&c);
        r->value[i] = cm_cut_bytes(&c, n);
        if (c.bad || index != i + 1 || form != 1 || size != n + 3 || n == 0 || n > VALUE_MAX)
            return false;
    }
    return cm_cut_done(&c);
}

/* A field of the opaque data that is kept; NULL for the others. */
static cm_view *field(cm_gpu_report *r, uint16_t type)
{
    static const uint16_t kept[CM_GPU_FIELDS] = {
        [CM_GPU_DRIVER] = 3,   [CM_GPU_VBIOS] = 6,        [CM_GPU_NVDEC0] = 11, [CM_GPU_CHIP] = 15,
        [CM_GPU_PROJECT] = 17, [CM_GPU_PROJECT_SKU] = 18, [CM_GPU_FWID] = 20,
    };

    for (size_t i = 0; i < CM_GPU_FIELDS; i++)
        if (kept[i] == type)
            return &r->field[i];
    return NULL;
}

static bool read_opaque(cm_gpu_report *r, cm_view v)
{
    cm_cut c = cm_cut_of(v);
    cm_view fwid;

    while (!c.bad && c.rest.n) {
        uint16_t type = cm_cut_le16(&c);
        cm_view data = cm_cut_bytes(&c, cm_cut_le16(&c));
        cm_view *to = field(r, type);

        if (to && to->n)
            return false;
        if (to)
            *to = data;
    }
    fwid = r->field[CM_GPU_FWID];
    return cm_cut_done(&c) && (fwid.n == 0 || fwid.n == CM_GPU_DIGEST);
}

/* AT-90 */
static bool parse(cm_gpu_report *r, cm_view v)
{
    cm_cut c = cm_cut_of(v);
    cm_view head, size, opaque;

    if (v.n > REPORT_MAX || !read_request(r, &c))
        return false;
    head = cm_cut_bytes(&c, 4);
    r->n = cm_cut_u8(&c);
    size = cm_cut_bytes(&c, 3);
    if (c.bad || head.p[0] != 0x11 || head.p[1] != 0x60 || r->n == 0 || r->n > CM_GPU_BLOCKS)
        return false;
    r->record = cm_cut_bytes(&c, size.p[0] | (size_t)size.p[1] << 8 | (size_t)size.p[2] << 16);
    (void)cm_cut_bytes(&c, NONCE);
    opaque = cm_cut_bytes(&c, cm_cut_le16(&c));
    r->signature = cm_cut_bytes(&c, SIGNATURE);
    if (!cm_cut_done(&c))
        return false;
    r->covered = cm_view_sub(v, 0, v.n - SIGNATURE);
    return read_blocks(r) && read_opaque(r, opaque);
}

static cm_err claims(cm_run *run, const cm_gpu_report *r, cm_view digest)
{
    CM_TRY(cm_claim_bytes(run, "nonce", 0, r->nonce));
    CM_TRY(cm_claim_bytes(run, "record_digest", 0, digest));
    CM_TRY(cm_claim_bytes(run, "driver", 0, r->field[CM_GPU_DRIVER]));
    CM_TRY(cm_claim_bytes(run, "vbios", 0, r->field[CM_GPU_VBIOS]));
    CM_TRY(cm_claim_bytes(run, "fwid", 0, r->field[CM_GPU_FWID]));
    for (uint32_t i = 0; i < r->n; i++)
        if (!cm_all_zero(r->value[i]))
            CM_TRY(cm_claim_bytes(run, "measurement", i + 1, r->value[i]));
    return CM_OKAY;
}

/* ---- whose it is --------------------------------------------------------------------------- */

/* FWID ::= SEQUENCE { hash OBJECT IDENTIFIER, digest OCTET STRING } */
static cm_view take_fwid(cm_cut *c)
{
    cm_cut in = cm_cut_of(cm_asn1_take(c, CM_DER_SEQ));
    cm_view v;

    (void)cm_asn1_take(&in, CM_DER_OBJECT);
    v = cm_asn1_take(&in, CM_DER_OCTET_STRING);
    return cm_cut_done(&in) ? v : cm_view_of(NULL, 0);
}

/* An older certificate has the key again, then its FWID. */
static cm_view dice_fwid(cm_view extension)
{
    cm_cut out = cm_cut_of(extension), c = cm_cut_of(cm_asn1_take(&out, CM_DER_SEQ));

    (void)cm_asn1_uint(&c, CM_DER_INT);
    (void)cm_asn1_take(&c, CM_DER_SEQ);
    return take_fwid(&c);
}

/* DiceTcbInfo: the first of its FWIDs; what stands last may be another. */
static cm_view tcb_info_fwid(cm_view extension)
{
    cm_cut out = cm_cut_of(extension), c = cm_cut_of(cm_asn1_take(&out, CM_DER_SEQ));

    while (!c.bad && c.rest.n) {
        uint32_t tag;
        cm_view v = cm_asn1_next(&c, &tag);
        cm_cut in = cm_cut_of(v);

        if (!c.bad && tag == (CM_DER_CTX_IN | TCB_INFO_FWIDS))
            return take_fwid(&in);
    }
    return cm_view_of(NULL, 0);
}

/* AT-92 */
static void check_fwid(cm_run *run, const cm_gpu_report *r, const X509 *leaf)
{
    cm_view v, have = cm_view_of(NULL, 0);

    if (cm_x509_extension(&v, leaf, OID_TCB_INFO))
        have = tcb_info_fwid(v);
    else if (cm_x509_extension(&v, leaf, OID_DICE))
        have = dice_fwid(v);
    if (r->field[CM_GPU_FWID].n)
        cm_note(run, CM_CHECK_IDENTITY, cm_view_eq(have, r->field[CM_GPU_FWID]),
                "the certificate is of other firmware than the report");
    else
        cm_note_skip(run, CM_CHECK_IDENTITY, "the report does not name its firmware's identity");
}

static cm_err signed_by(bool *good, const cm_run *run, const cm_gpu_report *r, X509 *x)
{
    cm_view half[] = {cm_view_sub(r->signature, 0, SIGNATURE / 2),
                      cm_view_sub(r->signature, SIGNATURE / 2, SIGNATURE / 2)};

    return cm_ecdsa_raw(good, run->c, X509_get0_pubkey(x), "secp384r1", CM_SHA384, half[0], half[1],
                        r->covered);
}

/* The one certificate that is no CA's; of several, as where an operator has those of other vendors
 * too, the one whose key signed. */
static cm_err device(X509 **out, bool *good, const cm_run *run, const cm_pool *pool,
                     const cm_gpu_report *r)
{
    X509 *any = NULL, *signer = NULL;
    size_t n = 0, signers = 0;

    for (size_t i = 0; i < pool->n; i++) {
        X509 *x = pool->v[i];
        bool is = false;

        if (X509_check_ca(x) != 0 || (any && X509_cmp(any, x) == 0) ||
            (signer && X509_cmp(signer, x) == 0))
            continue;
        CM_TRY(signed_by(&is, run, r, x));
        n++;
        any = x;
        signers += is;
        signer = is ? x : signer;
    }
    *good = signers == 1;
    *out = *good ? signer : n == 1 ? any : NULL;
    return CM_OKAY;
}

/* AT-93: the policy names all blocks as one, or the vendor's manifests of them. */
static cm_err check_measured(cm_run *run, const cm_gpu_report *r, const X509 *leaf)
{
    uint8_t digest[CM_GPU_DIGEST];
    bool manifests = false;

    CM_TRY(cm_hash_once(run->c, CM_SHA384, digest, r->record));
    for (size_t i = 0; i < run->p->n_measurements; i++) {
        if (cm_view_eq(run->p->measurements[i], CM_VIEW(digest))) {
            cm_note_pass(run, CM_CHECK_MEASUREMENT);
            return CM_OKAY;
        }
        manifests |= run->p->measurements[i].n == CM_RIM_NAME;
    }
    if (manifests)
        return cm_gpu_check_rims(run, r, leaf);
    cm_check_measurement(run, CM_VIEW(digest));
    return CM_OKAY;
}

/* AT-91 */
static cm_err check_signer(cm_run *run, const cm_gpu_report *r)
{
    CM_AUTO(cm_path_done) cm_path path = {0};
    CM_AUTO(cm_pool_done) cm_pool pool = {0};
    bool good = false;
    X509 *leaf = NULL;

    CM_TRY(cm_pool_load(&pool, run));
    CM_TRY(device(&leaf, &good, run, &pool, r));
    if (!leaf) {
        cm_note_skip(run, CM_CHECK_REVOCATION, "nobody signed it");
        cm_note_skip(run, CM_CHECK_MEASUREMENT, "nobody signed it");
        cm_note_fail(run, CM_CHECK_CHAIN, "the device's certificate is not there once");
        return CM_OKAY;
    }
    cm_note(run, CM_CHECK_SIGNATURE, good, "the report's signature is wrong");
    CM_TRY(cm_path_find(&path, run, leaf, &pool, CM_VENDOR_NVIDIA, CM_CHECK_CHAIN));
    if (path.root)
        cm_path_ocsp(&path, run, 1); /* AT-128: the device itself issued the first */
    else
        cm_note_skip(run, CM_CHECK_REVOCATION, "the certificates lead to no root");
    check_fwid(run, r, leaf);
    return check_measured(run, r, leaf);
}

cm_err cm_attest_nvidia(cm_run *run)
{
    cm_gpu_report r = {0};
    uint8_t digest[CM_GPU_DIGEST];

    if (!cm_note(run, CM_CHECK_FORM, parse(&r, run->in->evidence),
                 "it is no SPDM measurement report of the documented form"))
        return CM_OKAY;
    CM_TRY(cm_hash_once(run->c, CM_SHA384, digest, r.record));
    CM_TRY(claims(run, &r, CM_VIEW(digest)));
    CM_TRY(check_signer(run, &r));
    if (run->p->fresh.n)
        cm_note(run, CM_CHECK_FRESH, cm_view_eq(r.nonce, run->p->fresh),
                "it is bound to something else: stale, replayed or relayed");
    else
        cm_note_skip(run, CM_CHECK_FRESH, "no nonce or binding was expected");
    return CM_OKAY;
}
