/* Reference manifests of the vendor, imported and laid beside the recorded report that is theirs;
 * then each thing that may be wrong with them. */
#include <stdio.h>
#include <string.h>

#include "attest_kit.h"
#include "rim/import.h"

#define SET    "nvidia/hopper-550.90.07-full"
#define DRIVER "NV_GPU_DRIVER_GH100_550.90.07"
#define VBIOS  "NV_GPU_VBIOS_1010_0200_882_96009F0001"

enum { BOTH = 2, NVDEC_ROW = 35, ROWS_ACTIVE = 33, NONCE_AT = 4 };

static const cm_reason NOTHING_WRONG = 0;

static const uint32_t skips = CM_CHECK_BIT(REVOCATION);

typedef struct {
    tee *t;
    cm_rim_import from[BOTH];
    cm_rim rim[BOTH];
    cm_buf file;
    uint8_t digest[32];
    cm_view files[1], named[1];
} bench;

static cm_buf xml_of(const char *folder, const char *name)
{
    char path[200];

    (void)snprintf(path, sizeof path, "%s.xml", name);
    return t_slurp(tee_path(folder, path));
}

static cm_err import(bench *b, cm_rim_import *out, cm_view xml, const char *id, uint64_t now,
                     const char **why)
{
    return cm_rim_import_xml(out, why, b->t->c, xml, cm_view_str(id), now);
}

static void load(bench *b, size_t i, const char *id)
{
    CM_AUTO(cm_buf_free) cm_buf xml = xml_of(SET "/rim", id);
    const char *why = NULL;

    if (!T_CHECK(cm_ok(import(b, &b->from[i], cm_buf_view(&xml), id, b->t->p.now, &why))))
        fprintf(stderr, "%s: %s\n", id, why ? why : "");
    b->rim[i] = b->from[i].rim;
}

/* The file of the first n manifests, and its name in the policy. */
static void put(bench *b, size_t n)
{
    cm_buf_free(&b->file);
    b->file.max = CM_RIM_FILE_MAX;
    T_CHECK(cm_ok(cm_rim_put(&b->file, b->rim, n)));
    T_CHECK(cm_ok(cm_hash_once(b->t->c, CM_SHA256, b->digest, cm_buf_view(&b->file))));
    b->files[0] = cm_buf_view(&b->file);
    b->named[0] = CM_VIEW(b->digest);
    b->t->in.rims = b->files;
    b->t->in.n_rims = 1;
    b->t->p.measurements = b->named;
    b->t->p.n_measurements = 1;
}

static bool refused(bench *b)
{
    return cm_failed(tee_run(b->t, UINT32_MAX)) &&
           tee_is(b->t, CM_CHECK_MEASUREMENT, CM_VERDICT_FAIL);
}

static bool accepted(bench *b)
{
    return cm_ok(tee_run(b->t, skips)) && tee_is(b->t, CM_CHECK_MEASUREMENT, CM_VERDICT_PASS);
}

/* AT-126: each active row, with each byte of chance wrong, and AT-127: but for the decoder's. */
static void rows(bench *b)
{
    size_t active = 0;

    for (size_t m = 0; m < BOTH; m++)
        for (size_t i = 0; i < CM_RIM_ROWS; i++) {
            uint8_t other[CM_RIM_DIGEST * CM_RIM_ALTERNATIVES];
            cm_view row = b->rim[m].row[i];

            if (row.n == 0)
                continue;
            active++;
            memcpy(other, row.p, row.n);
            for (size_t k = 0; k < row.n; k += CM_RIM_DIGEST)
                other[k + (i * 7 + m) % CM_RIM_DIGEST] ^= 1;
            b->rim[m].row[i] = cm_view_of(other, row.n);
            put(b, BOTH);
            t_case("row", i);
            T_CHECK(i == NVDEC_ROW ? accepted(b) : refused(b));
            b->rim[m].row[i] = row;
            t_ran();
        }
    T_CHECK(active == ROWS_ACTIVE);
}

/* AT-120, AT-126 */
static void contents(bench *b)
{
    cm_rim kept = b->rim[0];

    b->rim[0].version = CM_LIT("550.90.08");
    put(b, BOTH);
    T_CHECK(refused(b));
    b->rim[0] = kept;
    b->rim[0].product = CM_LIT("GB100");
    put(b, BOTH);
    T_CHECK(refused(b));
    b->rim[0] = kept;
    b->rim[0].id = CM_LIT("NV_GPU_DRIVER_GH100_550.90.08");
    put(b, BOTH);
    T_CHECK(refused(b));
    b->rim[0] = kept;
    for (size_t i = 0; i < CM_RIM_ROWS; i++)
        if (b->rim[1].row[i].n) { /* of both at once */
            b->rim[0].row[i] = b->rim[1].row[i];
            break;
        }
    put(b, BOTH);
    T_CHECK(refused(b));
    memset(b->rim[0].row, 0, sizeof b->rim[0].row); /* bug 8: nothing active */
    T_CHECK(cm_is(cm_rim_put(&b->file, b->rim, BOTH), CM_BAD_ARGUMENT));
    b->rim[0] = kept;
    put(b, 1); /* the other manifest is not there */
    T_CHECK(refused(b));
    b->rim[1] = b->rim[0]; /* twice the same */
    put(b, BOTH);
    T_CHECK(refused(b));
    b->rim[1] = b->from[1].rim;
    put(b, BOTH);
    T_CHECK(accepted(b));
}

/* AT-121, AT-124 */
static void trust(bench *b)
{
    uint64_t now = b->t->p.now;

    b->digest[0] ^= 1;
    T_CHECK(refused(b));
    b->digest[0] ^= 1;
    b->t->in.n_rims = 0;
    T_CHECK(refused(b));
    b->t->in.n_rims = 1;
    b->t->p.n_measurements = 0; /* given, but the policy names none: it is not asked */
    T_CHECK(cm_ok(tee_run(b->t, UINT32_MAX)));
    T_CHECK(tee_is(b->t, CM_CHECK_MEASUREMENT, CM_VERDICT_SKIP));
    b->t->p.n_measurements = 1;
    b->t->p.now = tee_time("2026-09-01T00:00:00"); /* the signers' certificates are over */
    T_CHECK(refused(b));
    b->t->p.now = now;
    T_CHECK(accepted(b));
    /* AT-93: what the report has as a whole may be named instead, and nothing else will do. */
    tee_measured(b->t, cm_attest_claim_view(&b->t->r, cm_attest_find(&b->t->r, "record_digest")));
    T_CHECK(accepted(b));
    b->t->digest[0] ^= 1;
    T_CHECK(refused(b));
    put(b, BOTH);
    T_CHECK(accepted(b));
}

/* AT-120: no bit of the file may change, and nothing may follow. */
static void form(bench *b)
{
    cm_view whole = b->files[0];
    size_t n;
    cm_rim one;

    T_CHECK(cm_ok(cm_rim_read(&one, &n, whole, 0)) && n == BOTH && cm_rim_is(whole));
    T_CHECK(cm_is(cm_rim_read(&one, &n, whole, BOTH), CM_RIM_FORM));
    for (size_t i = 0; i < whole.n; i += 97) {
        b->file.p[i] ^= 4;
        T_CHECK(refused(b)); /* another digest than the policy names */
        b->file.p[i] ^= 4;
        T_CHECK(cm_is(cm_rim_read(&one, &n, cm_view_sub(whole, 0, i), 0), CM_RIM_FORM));
    }
}

/* ---- the import ---------------------------------------------------------------------------- */

/* Replaces one text by another as often as it is there. */
static cm_buf with(cm_view xml, const char *from, const char *to)
{
    cm_buf out = {.max = 2 << 20};
    cm_view a = cm_view_str(from);

    for (size_t i = 0; i < xml.n;) {
        bool here = i + a.n <= xml.n && cm_view_eq(cm_view_sub(xml, i, a.n), a);

        (void)!cm_ok(cm_buf_append(&out, here ? cm_view_str(to) : cm_view_sub(xml, i, 1)));
        i += here ? a.n : 1;
    }
    return out;
}

static void changed(bench *b, cm_view xml, const char *from, const char *to, cm_reason reason)
{
    CM_AUTO(cm_rim_import_done) cm_rim_import r = {.rim = {.from = 0}};
    CM_AUTO(cm_buf_free) cm_buf other = with(xml, from, to);
    const char *why = NULL;
    cm_err e = import(b, &r, cm_buf_view(&other), DRIVER, b->t->p.now, &why);

    T_CHECK(!cm_view_eq(xml, cm_buf_view(&other)));
    if (!T_CHECK(reason ? cm_is(e, reason) : cm_ok(e)))
        fprintf(stderr, "%s for %s: %s\n", to, from, cm_err_what(e));
    t_ran();
}

/* AT-122, AT-123, AT-125 */
static void bad_xml(bench *b, cm_view xml)
{
    changed(b, xml, "active=\"True\"", "active=\"False\"", CM_RIM_SIGNER);
    changed(b, xml, "revision=\"r1\"", "revision=\"r2\"", CM_RIM_SIGNER);
    changed(b, xml, "<ds:DigestValue>gMJ", "<ds:DigestValue>gMK", CM_RIM_SIGNER);
    changed(b, xml, "<ds:SignatureValue>uA3", "<ds:SignatureValue>uA4", CM_RIM_SIGNER);
    changed(b, xml, "<ns0:Payload", "<!-- --><ns0:Payload", CM_RIM_FORM);
    changed(b, xml, "<SoftwareIdentity", "<!DOCTYPE a [<!ENTITY b \"c\">]><SoftwareIdentity",
            CM_RIM_FORM);
    changed(b, xml, "name=\"Measurement_7\"", "name=\"&#77;easurement_7\"", CM_RIM_FORM);
    changed(b, xml, "URI=\"\"", "URI=\"#a\"", CM_RIM_FORM);
    changed(b, xml, "ecdsa-sha384", "ecdsa-sha256", CM_RIM_FORM);
    changed(b, xml, "</ds:Reference>", "</ds:Reference><ds:Reference URI=\"\"/>", CM_RIM_FORM);
    changed(b, xml, "</ds:Signature>", "</ds:Signature><ds:Signature/>", CM_RIM_FORM);
    changed(b, xml, "<ds:SignedInfo>", "text<ds:SignedInfo>", CM_RIM_FORM);
    changed(b, xml, "</SoftwareIdentity>", "</SoftwareIdentity><a/>", CM_RIM_FORM);
    changed(b, xml, "xmlns:ns2=", "xmlns:ns3=", CM_RIM_FORM);
    changed(b, xml, "index=\"7\"", "index=\"7\" index=\"7\"", CM_RIM_FORM);
    /* What the canonical form does not tell apart is still signed. */
    changed(b, xml, "revision=\"r1\"", "revision='r1' ", NOTHING_WRONG);
    changed(b, xml, "<ns0:Entity name=\"NVIDIA Corporation\" role",
            "<ns0:Entity\n name=\"NVIDIA Corporation\"  role", NOTHING_WRONG);
    changed(b, xml, "corpus=\"false\" name=\"GH100\"", "name=\"GH100\" corpus=\"false\"",
            NOTHING_WRONG);
    changed(b, xml, "name=\"Measurement_7\" size=\"48\"/>",
            "name=\"Measurement_7\" size=\"48\"></ns0:Resource>", NOTHING_WRONG);
}

static void imports(bench *b)
{
    CM_AUTO(cm_buf_free) cm_buf xml = xml_of(SET "/rim", DRIVER);
    CM_AUTO(cm_rim_import_done) cm_rim_import r = {.rim = {.from = 0}};
    cm_view v = cm_buf_view(&xml);
    const char *why = NULL;

    bad_xml(b, v);
    T_CHECK(cm_is(import(b, &r, v, VBIOS, b->t->p.now, &why), CM_RIM_FORM));
    T_CHECK(cm_is(import(b, &r, v, "another", b->t->p.now, &why), CM_RIM_FORM));
    T_CHECK(cm_is(import(b, &r, v, DRIVER, tee_time("2024-05-01T00:00:00"), &why), CM_RIM_SIGNER));
    T_CHECK(cm_is(import(b, &r, v, DRIVER, tee_time("2026-06-02T00:00:00"), &why), CM_RIM_SIGNER));
    for (size_t n = 0; n < v.n; n += 1009)
        T_CHECK(cm_failed(import(b, &r, cm_view_sub(v, 0, n), DRIVER, b->t->p.now, &why)));
    T_CHECK(r.bytes.p == NULL); /* nothing came out */
}

/* The vendor's own: a signature that is wrong, and a chain for debugging. */
static void negative(bench *b, const char *name, const char *id)
{
    CM_AUTO(cm_buf_free) cm_buf xml = xml_of("nvidia/negative-rim", name);
    CM_AUTO(cm_rim_import_done) cm_rim_import r = {.rim = {.from = 0}};
    const char *why = NULL;

    T_CHECK(cm_is(import(b, &r, cm_buf_view(&xml), id, b->t->p.now, &why), CM_RIM_SIGNER));
    T_CHECK(why != NULL);
    t_ran();
}

static void all(void)
{
    static bench b;
    uint8_t nonce[32];

    b.t = tee_new(SET, "report.bin", tee_time("2025-08-21T12:00:00"));
    tee_cert(b.t, SET, "chain.pem");
    memcpy(nonce, b.t->evidence.p + NONCE_AT, sizeof nonce);
    b.t->p.fresh = CM_VIEW(nonce);
    load(&b, 0, DRIVER);
    load(&b, 1, VBIOS);
    put(&b, BOTH);
    T_CHECK(accepted(&b));
    t_ran();
    rows(&b);
    contents(&b);
    trust(&b);
    form(&b);
    imports(&b);
    negative(&b, "incorrect_signature_driver_rim", "NV_GPU_DRIVER_GH100_550.144.03");
    negative(&b, "incorrect_cert_chain_driver_rim", "NV_GPU_VBIOS_0_0_0_9700830009");
    cm_buf_free(&b.file);
    for (size_t i = 0; i < BOTH; i++)
        cm_rim_import_done(&b.from[i]);
    tee_done(b.t);
}

static void run(void)
{
    if (tee_exists(SET, "report.bin"))
        t_group("reference manifests", all);
}

int main(void)
{
    return t_vectors_main(run);
}
