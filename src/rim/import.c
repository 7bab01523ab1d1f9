#include "rim/import.h"

#include "codec/text.h"
#include "rim/xml.h"

#define NS_SIG    "http://www.w3.org/2000/09/xmldsig#"
#define NS_SWID   "http://standards.iso.org/iso/19770/-2/2015/schema.xsd"
#define NS_SHA384 "http://www.w3.org/2001/04/xmlenc#sha384"

#define C14N11       "http://www.w3.org/2006/12/xml-c14n11"
#define ECDSA_SHA384 "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384"
#define SHA384       "http://www.w3.org/2001/04/xmldsig-more#sha384"
#define ENVELOPED    "http://www.w3.org/2000/09/xmldsig#enveloped-signature"

enum {
    CANONICAL_MAX = 5 << 20,
    BASE64_MAX = 8192,
    CERTS = 8,
    INSIDE = 4, /* elements that one of a signature's has in it */
    TEXT_MAX = 96,
    BYTES_MAX = 64 << 10,
};
static const uint32_t NONE = UINT32_MAX;

typedef struct {
    const cm_crypt *c;
    cm_xml x;
    const char *why;
    uint32_t signature, info, value, reference, digest, keys;
    uint32_t meta, payload;
    cm_buf message; /* SignedInfo in its canonical form */
} reader;

static void reader_done(reader *r)
{
    cm_xml_done(&r->x);
    cm_buf_free(&r->message);
}

static cm_err wrong(reader *r, const char *why)
{
    r->why = why;
    return CM_FAIL(RIM_FORM);
}

/* ---- walking ------------------------------------------------------------------------------- */

static bool is_blank(cm_view v)
{
    for (size_t i = 0; i < v.n; i++)
        if (v.p[i] != ' ' && v.p[i] != '\n' && v.p[i] != '\t')
            return false;
    return true;
}

/* The next element inside parent from node on; NONE. Text between elements must be blank. */
static uint32_t element_from(reader *r, uint32_t parent, uint32_t node)
{
    while (node < r->x.node[parent].end) {
        const cm_xml_node *e = &r->x.node[node];

        if (!e->is_text)
            return node;
        if (!is_blank(e->raw))
            r->why = "it has text where none belongs";
        node = e->end;
    }
    return NONE;
}

static uint32_t first_in(reader *r, uint32_t parent)
{
    return element_from(r, parent, parent + 1);
}

static uint32_t next_in(reader *r, uint32_t parent, uint32_t node)
{
    return element_from(r, parent, r->x.node[node].end);
}

/* An element of the signature with one attribute (or none): that and no other. */
static bool is_algorithm(reader *r, uint32_t node, const char *local, const char *attr,
                         const char *value)
{
    cm_view v;

    if (node == NONE || !cm_xml_is(&r->x, node, NS_SIG, local))
        return false;
    if (!attr)
        return r->x.node[node].n_attrs == 0;
    return r->x.node[node].n_attrs == 1 && cm_xml_attribute(&v, &r->x, node, "", attr) &&
           cm_view_eq(v, cm_view_str(value));
}

/* The elements in parent, which are n of these names in this order. */
static bool take_in(reader *r, uint32_t parent, const char *const *names, uint32_t *found, size_t n)
{
    uint32_t node = first_in(r, parent);

    for (size_t i = 0; i < n; i++) {
        if (node == NONE || !cm_xml_is(&r->x, node, NS_SIG, names[i]))
            return false;
        found[i] = node;
        node = next_in(r, parent, node);
    }
    return node == NONE && !r->why;
}

/* Base64 in lines. */
static cm_err base64_of(reader *r, cm_buf *out, uint32_t node)
{
    CM_AUTO(cm_buf_free) cm_buf text = {.max = BASE64_MAX};
    const cm_xml_node *e = &r->x.node[node];
    cm_view raw;

    if (e->end != node + 2 || !r->x.node[node + 1].is_text)
        return wrong(r, "a value of its signature is no text");
    raw = r->x.node[node + 1].raw;
    for (size_t i = 0; i < raw.n; i++)
        if (!is_blank(cm_view_sub(raw, i, 1)))
            CM_TRY(cm_buf_byte(&text, raw.p[i]));
    if (cm_failed(cm_base64_decode(out, cm_buf_view(&text), false)))
        return wrong(r, "a value of its signature is no base64");
    return CM_OKAY;
}

/* ---- the signature ------------------------------------------------------------------------- */

static cm_err find_parts(reader *r)
{
    for (uint32_t n = first_in(r, 0); n != NONE; n = next_in(r, 0, n)) {
        uint32_t *to = cm_xml_is(&r->x, n, NS_SIG, "Signature")  ? &r->signature
                       : cm_xml_is(&r->x, n, NS_SWID, "Meta")    ? &r->meta
                       : cm_xml_is(&r->x, n, NS_SWID, "Payload") ? &r->payload
                                                                 : NULL;

        if (to && *to)
            return wrong(r, "it has two of what may be there once");
        if (!to && !cm_xml_is(&r->x, n, NS_SWID, "Entity"))
            return wrong(r, "it has an element that is not known");
        if (to)
            *to = n;
    }
    if (r->why)
        return CM_FAIL(RIM_FORM);
    if (!cm_xml_is(&r->x, 0, NS_SWID, "SoftwareIdentity") || !r->meta || !r->payload)
        return wrong(r, "it is no software identity with a payload");
    return r->signature ? CM_OKAY : wrong(r, "it is not signed");
}

/* AT-123 */
static bool read_reference(reader *r)
{
    static const char *const inside[] = {"Transforms", "DigestMethod", "DigestValue"};
    static const char *const two[] = {"Transform", "Transform"};
    uint32_t v[INSIDE], t[INSIDE];

    if (!is_algorithm(r, r->reference, "Reference", "URI", "") ||
        !take_in(r, r->reference, inside, v, 3) || !take_in(r, v[0], two, t, 2))
        return false;
    r->digest = v[2];
    return is_algorithm(r, v[0], "Transforms", NULL, NULL) &&
           is_algorithm(r, t[0], "Transform", "Algorithm", ENVELOPED) &&
           is_algorithm(r, t[1], "Transform", "Algorithm", C14N11) &&
           is_algorithm(r, v[1], "DigestMethod", "Algorithm", SHA384) &&
           is_algorithm(r, v[2], "DigestValue", NULL, NULL) && r->x.node[t[0]].end == t[0] + 1 &&
           r->x.node[t[1]].end == t[1] + 1;
}

static cm_err read_signature(reader *r)
{
    static const char *const outer[] = {"SignedInfo", "SignatureValue", "KeyInfo"};
    static const char *const inner[] = {"CanonicalizationMethod", "SignatureMethod", "Reference"};
    static const char *const data[] = {"X509Data"};
    uint32_t v[INSIDE], in[INSIDE], key[INSIDE];

    if (!is_algorithm(r, r->signature, "Signature", NULL, NULL) ||
        !take_in(r, r->signature, outer, v, 3) || !take_in(r, v[0], inner, in, 3) ||
        !take_in(r, v[2], data, key, 1))
        return wrong(r, "its signature has not the one form that is known");
    r->info = v[0];
    r->value = v[1];
    r->reference = in[2];
    r->keys = key[0];
    if (!is_algorithm(r, in[0], "CanonicalizationMethod", "Algorithm", C14N11) ||
        !is_algorithm(r, in[1], "SignatureMethod", "Algorithm", ECDSA_SHA384) || !read_reference(r))
        return wrong(r, "its signature is over something else, or of another algorithm");
    return CM_OKAY;
}

static cm_err check_digest(reader *r)
{
    CM_AUTO(cm_buf_free) cm_buf text = {.max = CANONICAL_MAX};
    CM_AUTO(cm_buf_free) cm_buf want = {.max = BASE64_MAX};
    uint8_t have[CM_RIM_DIGEST];

    CM_TRY(cm_xml_canonical(&text, &r->x, 0, r->signature));
    CM_TRY(cm_hash_once(r->c, CM_SHA384, have, cm_buf_view(&text)));
    CM_TRY(base64_of(r, &want, r->digest));
    if (cm_view_eq(cm_buf_view(&want), CM_VIEW(have)))
        return CM_OKAY;
    r->why = "it was changed after it was signed";
    return CM_FAIL(RIM_SIGNER);
}

typedef struct {
    cm_buf der[CERTS];
    cm_view v[CERTS];
    size_t n;
} certs;

static void certs_done(certs *l)
{
    for (size_t i = 0; i < l->n; i++)
        cm_buf_free(&l->der[i]);
}

static cm_err read_certs(reader *r, certs *l)
{
    for (uint32_t n = first_in(r, r->keys); n != NONE; n = next_in(r, r->keys, n)) {
        if (!is_algorithm(r, n, "X509Certificate", NULL, NULL) || l->n == CERTS)
            return wrong(r, "its signer has too many certificates, or something else");
        l->der[l->n] = (cm_buf){.max = BASE64_MAX};
        CM_TRY(base64_of(r, &l->der[l->n++], n));
        l->v[l->n - 1] = cm_buf_view(&l->der[l->n - 1]);
    }
    return r->why ? CM_FAIL(RIM_FORM) : CM_OKAY;
}

static cm_err check_signature(reader *r, cm_rim *out, uint8_t signer[32], uint64_t now)
{
    CM_AUTO(certs_done) certs list = {.n = 0};
    CM_AUTO(cm_buf_free) cm_buf sig = {.max = BASE64_MAX};
    cm_rim_seal seal = {.certs = list.v, .now = now};

    CM_TRY(check_digest(r));
    CM_TRY(cm_xml_canonical(&r->message, &r->x, r->info, r->x.n));
    CM_TRY(base64_of(r, &sig, r->value));
    CM_TRY(read_certs(r, &list));
    seal.n_certs = list.n;
    seal.signature = cm_buf_view(&sig);
    seal.message = cm_buf_view(&r->message);
    return cm_rim_verify(signer, &out->from, &out->until, &r->why, r->c, &seal);
}

/* ---- what is signed ------------------------------------------------------------------------ */

static bool text_of(reader *r, uint32_t node, const char *name, cm_view *v)
{
    return cm_xml_attribute(v, &r->x, node, "", name) && v->n && v->n <= TEXT_MAX;
}

static bool says(reader *r, uint32_t node, const char *name, const char *value)
{
    cm_view v;

    return text_of(r, node, name, &v) && cm_view_eq(v, cm_view_str(value));
}

static bool number(reader *r, uint32_t node, const char *name, uint64_t max, uint64_t *v)
{
    cm_view text;

    return text_of(r, node, name, &text) && cm_ok(cm_dec_u64(v, text)) && *v <= max;
}

/* Attributes Hash0, Hash1 and so on: as many as it says. */
static bool read_hash(reader *r, uint32_t node, uint64_t i, cm_buf *out)
{
    char name[] = {'H', 'a', 's', 'h', 0, 0, 0};
    cm_view hex;

    name[4] = (char)('0' + (i < 10 ? i : i / 10));
    if (i >= 10)
        name[5] = (char)('0' + i % 10);
    return cm_xml_attribute(&hex, &r->x, node, NS_SHA384, name) &&
           hex.n == 2 * (size_t)CM_RIM_DIGEST && cm_ok(cm_hex_decode(out, hex));
}

typedef struct {
    uint64_t index, alternatives;
    bool active;
} row_head;

/* AT-125: type, index, active, alternatives, name and size, and the hashes; nothing inside. */
static bool read_head(reader *r, uint32_t node, row_head *h)
{
    uint64_t size = 0;

    h->active = says(r, node, "active", "True");
    return cm_xml_is(&r->x, node, NS_SWID, "Resource") && says(r, node, "type", "Measurement") &&
           (h->active || says(r, node, "active", "False")) &&
           number(r, node, "index", CM_RIM_ROWS - 1, &h->index) &&
           number(r, node, "alternatives", CM_RIM_ALTERNATIVES, &h->alternatives) &&
           number(r, node, "size", CM_RIM_DIGEST, &size) && size == CM_RIM_DIGEST &&
           r->x.node[node].n_attrs == 6 + h->alternatives && first_in(r, node) == NONE;
}

static cm_err read_row(reader *r, uint32_t node, cm_rim_import *out, bool seen[CM_RIM_ROWS])
{
    size_t from = out->bytes.n;
    row_head h = {.index = 0};

    if (!read_head(r, node, &h) || h.alternatives == 0 || seen[h.index])
        return wrong(r, "a measurement of it is not of the documented form, or there twice");
    seen[h.index] = true;
    for (uint64_t i = 0; i < h.alternatives; i++)
        if (!read_hash(r, node, i, &out->bytes))
            return wrong(r, "a measurement of it lacks a value");
    if (h.active)
        out->rim.row[h.index] = cm_view_sub(cm_buf_view(&out->bytes), from, out->bytes.n - from);
    else
        out->bytes.n = from;
    return CM_OKAY;
}

static cm_err read_rows(reader *r, cm_rim_import *out)
{
    bool seen[CM_RIM_ROWS] = {false};
    bool any = false;

    for (uint32_t n = first_in(r, r->payload); n != NONE; n = next_in(r, r->payload, n))
        CM_TRY(read_row(r, n, out, seen));
    for (size_t i = 0; i < CM_RIM_ROWS; i++)
        any |= out->rim.row[i].n > 0;
    if (!any)
        return wrong(r, "no measurement of it is active: it would accept anything");
    return r->why ? CM_FAIL(RIM_FORM) : CM_OKAY;
}

static bool starts(cm_view v, cm_view head)
{
    return v.n > head.n && cm_view_eq(cm_view_sub(v, 0, head.n), head);
}

static bool ends(cm_view v, cm_view end)
{
    return v.n > end.n && cm_view_eq(cm_view_sub(v, v.n - end.n, end.n), end);
}

/* The id that a manifest of this content has: NV_GPU_DRIVER_ product _ version, or what ends in
 * the version without its points. */
static cm_err check_id(reader *r, cm_view id, cm_view product, cm_view version)
{
    CM_AUTO(cm_buf_free) cm_buf end = {.max = 3 * TEXT_MAX};
    bool driver = starts(id, CM_LIT("NV_GPU_DRIVER_"));

    if (driver) {
        CM_TRY(cm_buf_append(&end, CM_LIT("NV_GPU_DRIVER_")));
        CM_TRY(cm_buf_append(&end, product));
    } else if (!starts(id, CM_LIT("NV_GPU_VBIOS_")) && !starts(id, CM_LIT("NV_SWITCH_BIOS_"))) {
        return wrong(r, "its name is none of the vendor's: keep the file's name as it came");
    }
    CM_TRY(cm_buf_byte(&end, '_'));
    for (size_t i = 0; i < version.n; i++)
        if (driver || version.p[i] != '.')
            CM_TRY(cm_buf_byte(&end, version.p[i]));
    if (id.n > TEXT_MAX ||
        (driver ? !cm_view_eq(id, cm_buf_view(&end)) : !ends(id, cm_buf_view(&end))))
        return wrong(r, "its name says another product or version than is signed");
    return CM_OKAY;
}

static cm_err keep(cm_rim_import *out, cm_view *to, cm_view v)
{
    size_t from = out->bytes.n;

    CM_TRY(cm_buf_append(&out->bytes, v));
    *to = cm_view_sub(cm_buf_view(&out->bytes), from, v.n);
    return CM_OKAY;
}

static cm_err read_content(reader *r, cm_rim_import *out, cm_view id, const uint8_t signer[32])
{
    cm_view product, version;

    if (!text_of(r, r->meta, "product", &product) ||
        !text_of(r, r->meta, "colloquialVersion", &version))
        return wrong(r, "it does not say which product and version it is of");
    CM_TRY(check_id(r, id, product, version));
    /* Views into it are taken below: it must not move. */
    CM_TRY(cm_buf_reserve(&out->bytes, BYTES_MAX));
    CM_TRY(keep(out, &out->rim.id, id));
    CM_TRY(keep(out, &out->rim.product, product));
    CM_TRY(keep(out, &out->rim.version, version));
    CM_TRY(keep(out, &out->rim.signer, cm_view_of(signer, 32)));
    return read_rows(r, out);
}

/* ---- all of it ----------------------------------------------------------------------------- */

void cm_rim_import_done(cm_rim_import *r)
{
    cm_buf_free(&r->bytes);
}

static cm_err import(reader *r, cm_rim_import *out, cm_view xml, cm_view id, uint64_t now)
{
    uint8_t signer[32];

    CM_TRY(cm_xml_read(&r->x, xml));
    CM_TRY(find_parts(r));
    CM_TRY(read_signature(r));
    CM_TRY(check_signature(r, &out->rim, signer, now));
    return read_content(r, out, id, signer);
}

cm_err cm_rim_import_xml(cm_rim_import *out, const char **why, const cm_crypt *c, cm_view xml,
                         cm_view id, uint64_t now)
{
    CM_AUTO(reader_done) reader r = {.c = c, .message = {.max = BASE64_MAX}};
    CM_AUTO(cm_rim_import_done) cm_rim_import one = {.bytes = {.max = BYTES_MAX}};
    cm_err e = import(&r, &one, xml, id, now);

    *why = r.why;
    if (cm_failed(e))
        return e;
    *out = one;
    one = (cm_rim_import){.bytes = {.n = 0}};
    return CM_OKAY;
}
