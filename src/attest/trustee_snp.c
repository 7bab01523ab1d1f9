/* AMD's report out of the sev crate's AttestationReport, as serde writes it: numbers, lists of
 * numbers, and null for what a version of the report does not have. */
#include <string.h>

#include "attest/trustee.h"

enum { VERSION_CPUID = 3, VERSION_MITIGATION = 5, VERSION_MAX = 0xff };

typedef enum { NUMBER, LIST, OBJECT } form;

/* Which of the crate writes a member: all of it, up to version 5, from version 6 on. */
typedef enum { EVERY, EARLY, LATE } crate;

struct shape;

/* Where a member stands: n bytes from `at`. since: the version of the report from which on it has a
 * value; before that it is null. */
typedef struct {
    const char *name;
    uint16_t at, n;
    form form;
    crate of;
    uint8_t since;
    bool may_miss; /* then; some do not know it */
    const struct shape *inner;
} field;

typedef struct shape {
    const field *f;
    size_t n;
} shape;

#define SHAPE(fields)              \
    {                              \
        (fields), CM_COUNT(fields) \
    }
#define NUM(name, at, n, of)                    \
    {                                           \
        name, at, n, NUMBER, of, 0, false, NULL \
    }
#define ROW(name, at, n, of)                  \
    {                                         \
        name, at, n, LIST, of, 0, false, NULL \
    }
#define OBJ(name, at, of, in)                    \
    {                                            \
        name, at, 0, OBJECT, of, 0, false, &(in) \
    }
#define SINCE(name, at, n, version, may_miss)              \
    {                                                      \
        name, at, n, NUMBER, LATE, version, may_miss, NULL \
    }

/* AT-156: two layouts of firmware versions; the crate's early form has the first alone. */
static const field milan_fields[] = {
    SINCE("fmc", 0, 1, VERSION_MAX, false),
    NUM("bootloader", 0, 1, EVERY),
    NUM("tee", 1, 1, EVERY),
    ROW("_reserved", 2, 4, EARLY),
    NUM("snp", 6, 1, EVERY),
    NUM("microcode", 7, 1, EVERY),
};
static const field turin_fields[] = {
    NUM("fmc", 0, 1, LATE), NUM("bootloader", 1, 1, LATE), NUM("tee", 2, 1, LATE),
    NUM("snp", 3, 1, LATE), NUM("microcode", 7, 1, LATE),
};
static const field version_fields[] = {
    NUM("build", 0, 1, LATE),
    NUM("minor", 1, 1, LATE),
    NUM("major", 2, 1, LATE),
};
static const field signature_fields[] = {
    ROW("r", 0, 72, EVERY),
    ROW("s", 72, 72, EVERY),
    ROW("_reserved", 144, 368, EARLY),
};

static const shape milan = SHAPE(milan_fields), turin = SHAPE(turin_fields),
                   version = SHAPE(version_fields), signature = SHAPE(signature_fields);

/* AMD 56860, table "ATTESTATION_REPORT"; a tcb's shape is found in the text. The early crate kept
 * reserved bytes, whatever they held. */
static const field report_fields[] = {
    NUM("version", 0x00, 4, EVERY),
    NUM("guest_svn", 0x04, 4, EVERY),
    NUM("policy", 0x08, 8, EVERY),
    ROW("family_id", 0x10, 16, EVERY),
    ROW("image_id", 0x20, 16, EVERY),
    NUM("vmpl", 0x30, 4, EVERY),
    NUM("sig_algo", 0x34, 4, EVERY),
    OBJ("current_tcb", 0x38, EVERY, milan),
    NUM("plat_info", 0x40, 8, EVERY),
    NUM("key_info", 0x48, 4, LATE),
    NUM("_author_key_en", 0x48, 4, EARLY),
    NUM("_reserved_0", 0x4c, 4, EARLY),
    ROW("report_data", 0x50, 64, EVERY),
    ROW("measurement", 0x90, 48, EVERY),
    ROW("host_data", 0xc0, 32, EVERY),
    ROW("id_key_digest", 0xe0, 48, EVERY),
    ROW("author_key_digest", 0x110, 48, EVERY),
    ROW("report_id", 0x140, 32, EVERY),
    ROW("report_id_ma", 0x160, 32, EVERY),
    OBJ("reported_tcb", 0x180, EVERY, milan),
    SINCE("cpuid_fam_id", 0x188, 1, VERSION_CPUID, false),
    SINCE("cpuid_mod_id", 0x189, 1, VERSION_CPUID, false),
    SINCE("cpuid_step", 0x18a, 1, VERSION_CPUID, false),
    ROW("_reserved_1", 0x188, 24, EARLY),
    ROW("chip_id", 0x1a0, 64, EVERY),
    OBJ("committed_tcb", 0x1e0, EVERY, milan),
    OBJ("current", 0x1e8, LATE, version),
    OBJ("committed", 0x1ec, LATE, version),
    NUM("current_build", 0x1e8, 1, EARLY),
    NUM("current_minor", 0x1e9, 1, EARLY),
    NUM("current_major", 0x1ea, 1, EARLY),
    NUM("_reserved_2", 0x1eb, 1, EARLY),
    NUM("committed_build", 0x1ec, 1, EARLY),
    NUM("committed_minor", 0x1ed, 1, EARLY),
    NUM("committed_major", 0x1ee, 1, EARLY),
    NUM("_reserved_3", 0x1ef, 1, EARLY),
    OBJ("launch_tcb", 0x1f0, EVERY, milan),
    SINCE("launch_mit_vector", 0x1f8, 8, VERSION_MITIGATION, true),
    SINCE("current_mit_vector", 0x200, 8, VERSION_MITIGATION, true),
    ROW("_reserved_4", 0x1f8, 168, EARLY),
    OBJ("signature", 0x2a0, EVERY, signature),
};

static const shape report = SHAPE(report_fields);

typedef struct {
    uint8_t *out;
    uint64_t version; /* of the report */
    crate crate;      /* EARLY or LATE */
    const shape *tcb; /* in place of milan */
} reading;

static bool written(const reading *r, const field *f)
{
    return f->of == EVERY || f->of == r->crate;
}

bool cm_trustee_bytes(uint8_t *out, size_t n, const cm_json_node *list)
{
    const cm_json_node *v = cm_json_first(list);

    if (cm_json_type_of(list) != CM_JSON_ARRAY || cm_json_size(list) != n)
        return false;
    for (size_t i = 0; i < n; i++, v = cm_json_next(v)) {
        uint64_t u;

        if (cm_failed(cm_json_u64(v, &u)) || u > UINT8_MAX)
            return false;
        out[i] = (uint8_t)u;
    }
    return true;
}

static bool number(uint8_t *out, size_t n, const cm_json_node *v)
{
    uint64_t u;

    if (cm_failed(cm_json_u64(v, &u)) || (n < 8 && u >> (8 * n)))
        return false;
    for (size_t i = 0; i < n; i++)
        out[i] = (uint8_t)(u >> (8 * i));
    return true;
}

/* AT-155: each member once, none left over. */
static bool only(const reading *r, const cm_json_node *obj, const shape *s)
{
    if (cm_json_type_of(obj) != CM_JSON_OBJECT)
        return false;
    for (const cm_json_node *m = cm_json_first(obj); m; m = cm_json_next(m)) {
        size_t i = 0;

        while (i < s->n &&
               !(written(r, &s->f[i]) && cm_view_eq(cm_json_key(m), cm_view_str(s->f[i].name))))
            i++;
        if (i == s->n)
            return false;
    }
    return true;
}

/* A member that is no object. */
static bool plain(const reading *r, size_t base, const field *f, const cm_json_node *obj)
{
    const cm_json_node *v = cm_json_get(obj, f->name);
    uint8_t *to = r->out + base + f->at;

    if (f->since > r->version) /* AT-156 */
        return v ? cm_json_type_of(v) == CM_JSON_NULL : f->may_miss;
    return f->form == LIST ? cm_trustee_bytes(to, f->n, v) : number(to, f->n, v);
}

static bool inner(const reading *r, const field *f, const cm_json_node *obj)
{
    const shape *s = f->inner == &milan ? r->tcb : f->inner;
    const cm_json_node *v = cm_json_get(obj, f->name);

    if (!only(r, v, s))
        return false;
    for (size_t i = 0; i < s->n; i++)
        if (written(r, &s->f[i]) && !plain(r, f->at, &s->f[i], v))
            return false;
    return true;
}

cm_err cm_trustee_snp_report(uint8_t out[CM_SNP_REPORT], const cm_json_node *n)
{
    const cm_json_node *fmc = cm_json_get(cm_json_get(n, "reported_tcb"), "fmc");
    reading r = {.out = out, .crate = cm_json_get(n, "key_info") ? LATE : EARLY, .tcb = &milan};

    if (r.crate == LATE && cm_json_type_of(fmc) == CM_JSON_NUMBER)
        r.tcb = &turin;
    memset(out, 0, CM_SNP_REPORT); /* AT-156: what the text has no member for */
    if (!only(&r, n, &report) || cm_failed(cm_json_u64(cm_json_get(n, "version"), &r.version)) ||
        r.version >= VERSION_MAX)
        return CM_FAIL(ATTEST_JSON);
    for (size_t i = 0; i < report.n; i++) {
        const field *f = &report.f[i];

        if (written(&r, f) && !(f->form == OBJECT ? inner(&r, f, n) : plain(&r, 0, f, n)))
            return CM_FAIL(ATTEST_JSON);
    }
    return CM_OKAY;
}
