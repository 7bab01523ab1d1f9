#include "codec/text.h"
#include "pki/cert_int.h"

enum { SUBJECT_MAX = 64, DNS_MAX = 253, LABEL_MAX = 63, ADDRESS_MAX = 45 };

/* ---- subject ------------------------------------------------------------------------------- */

static bool is_name(cm_view v)
{
    size_t chars = 0;

    for (size_t i = 0; i < v.n; i++) {
        if (v.p[i] < 0x20 || v.p[i] == 0x7f)
            return false;
        chars += (v.p[i] & 0xc0) != 0x80;
    }
    return cm_utf8_valid(v) && chars >= 1 && chars <= SUBJECT_MAX;
}

static cm_err add_entry(X509_NAME *n, int nid, cm_view v)
{
    if (!is_name(v))
        return CM_FAIL(CERT_REQUEST);
    CM_TRY_PKI(X509_NAME_add_entry_by_NID(n, nid, MBSTRING_UTF8, v.p, (int)v.n, -1, 0));
    return CM_OKAY;
}

cm_err cm_cert_subject(X509_NAME **out, const cm_cert_request *r)
{
    CM_AUTO(cm_pki_name_done) X509_NAME *n = X509_NAME_new();

    if (!n)
        return CM_FAIL(NO_MEMORY);
    if (r->organization.n)
        CM_TRY(add_entry(n, NID_organizationName, r->organization));
    CM_TRY(add_entry(n, NID_commonName, r->common_name));
    *out = n;
    n = NULL;
    return CM_OKAY;
}

/* ---- alternative names --------------------------------------------------------------------- */

static bool is_label(cm_view v)
{
    if (v.n == 0 || v.n > LABEL_MAX || v.p[0] == '-' || v.p[v.n - 1] == '-')
        return false;
    for (size_t i = 0; i < v.n; i++) {
        uint8_t c = v.p[i], lower = c | 0x20;

        if (!((lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '-'))
            return false;
    }
    return true;
}

/* K-63 */
cm_err cm_cert_dns_check(cm_view name)
{
    size_t labels = 0;
    bool wild = name.n > 2 && name.p[0] == '*' && name.p[1] == '.';
    cm_view rest = wild ? cm_view_sub(name, 2, name.n - 2) : name;

    if (name.n > DNS_MAX)
        return CM_FAIL(CERT_REQUEST);
    for (;; labels++) {
        const uint8_t *dot = rest.n ? memchr(rest.p, '.', rest.n) : NULL;
        size_t n = dot ? (size_t)(dot - rest.p) : rest.n;

        if (!is_label(cm_view_sub(rest, 0, n)))
            return CM_FAIL(CERT_REQUEST);
        if (!dot)
            break;
        rest = cm_view_sub(rest, n + 1, rest.n - n - 1);
    }
    return wild && labels < 1 ? CM_FAIL(CERT_REQUEST) : CM_OKAY;
}

/* Takes over value, whatever happens. */
static cm_err push(GENERAL_NAMES *names, int type, ASN1_STRING *value)
{
    CM_AUTO(cm_pki_general_done) GENERAL_NAME *g = GENERAL_NAME_new();

    if (!g) {
        ASN1_STRING_free(value);
        return CM_FAIL(NO_MEMORY);
    }
    GENERAL_NAME_set0_value(g, type, value);
    if (sk_GENERAL_NAME_push(names, g) <= 0)
        return CM_FAIL(NO_MEMORY);
    g = NULL;
    return CM_OKAY;
}

static cm_err push_dns(GENERAL_NAMES *names, cm_view name)
{
    ASN1_IA5STRING *s;

    CM_TRY(cm_cert_dns_check(name));
    s = ASN1_IA5STRING_new();
    if (!s || ASN1_STRING_set(s, name.p, (int)name.n) != 1) {
        ASN1_IA5STRING_free(s);
        return CM_FAIL(NO_MEMORY);
    }
    return push(names, GEN_DNS, s);
}

static cm_err push_ip(GENERAL_NAMES *names, cm_view text)
{
    char t[ADDRESS_MAX + 1] = {0};
    ASN1_OCTET_STRING *s;

    if (text.n == 0 || text.n > ADDRESS_MAX || memchr(text.p, 0, text.n))
        return CM_FAIL(CERT_REQUEST);
    memcpy(t, text.p, text.n);
    s = a2i_IPADDRESS(t);
    return s ? push(names, GEN_IPADD, s) : cm_pki_fail(CM_CERT_REQUEST);
}

cm_err cm_cert_names(GENERAL_NAMES **out, const cm_cert_request *r)
{
    CM_AUTO(cm_pki_names_done) GENERAL_NAMES *names = NULL;

    if (r->n_dns > CM_CERT_SANS_MAX || r->n_ip > CM_CERT_SANS_MAX - r->n_dns)
        return CM_FAIL(CERT_REQUEST);
    if (r->n_dns + r->n_ip == 0) {
        *out = NULL;
        return CM_OKAY;
    }
    names = GENERAL_NAMES_new();
    if (!names)
        return CM_FAIL(NO_MEMORY);
    for (size_t i = 0; i < r->n_dns; i++)
        CM_TRY(push_dns(names, r->dns[i]));
    for (size_t i = 0; i < r->n_ip; i++)
        CM_TRY(push_ip(names, r->ip[i]));
    *out = names;
    names = NULL;
    return CM_OKAY;
}

static cm_err check_one(const GENERAL_NAME *g)
{
    int type;
    const ASN1_STRING *s = GENERAL_NAME_get0_value(g, &type);
    size_t n;

    if (type != GEN_DNS && type != GEN_IPADD)
        return CM_FAIL(CERT_REQUEST);
    n = (size_t)ASN1_STRING_length(s);
    if (type == GEN_DNS)
        return cm_cert_dns_check(cm_view_of(ASN1_STRING_get0_data(s), n));
    return n == 4 || n == 16 ? CM_OKAY : CM_FAIL(CERT_REQUEST);
}

/* K-66 */
cm_err cm_cert_names_check(const GENERAL_NAMES *names)
{
    int n = names ? sk_GENERAL_NAME_num(names) : 0;

    if (n > CM_CERT_SANS_MAX)
        return CM_FAIL(CERT_REQUEST);
    for (int i = 0; i < n; i++)
        CM_TRY(check_one(sk_GENERAL_NAME_value(names, i)));
    return CM_OKAY;
}
