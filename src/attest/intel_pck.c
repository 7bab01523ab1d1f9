/* The SGX extension of a PCK certificate: nested pairs of OID and value, in DER. */
#include "attest/intel_int.h"
#include "codec/cut.h"

enum { SEQUENCE = 0x30, OID = 0x06, INTEGER = 0x02, OCTETS = 0x04, FMSPC = 6, PCE_ID = 2 };

/* 1.2.840.113741.1.13.1 */
static const uint8_t prefix[] = {0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 0x01, 0x0d, 0x01};

enum { ARC_TCB = 2, ARC_PCE_ID = 3, ARC_FMSPC = 4, ARC_PCE_SVN = 17 };

static size_t der_length(cm_cut *c)
{
    uint8_t first = cm_cut_u8(c);
    size_t n = first;

    if (first == 0x81) {
        n = cm_cut_u8(c);
        c->bad |= n < 0x80;
    } else if (first == 0x82) {
        n = cm_cut_be16(c);
        c->bad |= n < 0x100;
    } else if (first >= 0x80) {
        c->bad = true;
    }
    return n;
}

static cm_view der_take(cm_cut *c, uint8_t tag)
{
    if (cm_cut_u8(c) != tag)
        c->bad = true;
    return cm_cut_bytes(c, der_length(c));
}

/* The last arc or two of an OID below the prefix; 0 when it is another. */
static unsigned arc_of(cm_view oid, unsigned *sub)
{
    if (oid.n < sizeof prefix + 1 || oid.n > sizeof prefix + 2 ||
        !cm_view_eq(cm_view_sub(oid, 0, sizeof prefix), CM_VIEW(prefix)))
        return 0;
    *sub = oid.n == sizeof prefix + 2 ? oid.p[sizeof prefix + 1] : 0;
    return oid.p[sizeof prefix];
}

static bool small(cm_cut *c, uint32_t *v)
{
    cm_view n = der_take(c, INTEGER);

    if (c->bad || n.n == 0 || n.n > 3 || n.p[0] & 0x80)
        return false;
    *v = 0;
    for (size_t i = 0; i < n.n; i++)
        *v = *v << 8 | n.p[i];
    return true;
}

static bool read_svn(cm_intel_platform *p, unsigned sub, cm_cut *pair, uint32_t *seen)
{
    uint32_t v;

    if (sub < 1 || sub > ARC_PCE_SVN)
        return true; /* CPUSVN: the components again */
    if (*seen & 1u << sub || !small(pair, &v))
        return false;
    *seen |= 1u << sub;
    if (sub == ARC_PCE_SVN)
        p->pce_svn = v;
    else if (v > UINT8_MAX)
        return false;
    else
        p->svn[sub - 1] = (uint8_t)v;
    return true;
}

static bool read_tcb(cm_intel_platform *p, cm_view list)
{
    enum { ALL = 0x3fffe }; /* 1 to 17 */
    cm_cut c = cm_cut_of(list);
    uint32_t seen = 0;

    while (!c.bad && c.rest.n) {
        cm_cut pair = cm_cut_of(der_take(&c, SEQUENCE));
        unsigned sub = 0;

        if (arc_of(der_take(&pair, OID), &sub) != ARC_TCB || !read_svn(p, sub, &pair, &seen))
            return false;
    }
    return cm_cut_done(&c) && seen == ALL;
}

/* AT-43 */
bool cm_intel_platform_read(cm_intel_platform *p, const X509 *pck)
{
    bool tcb = false;
    cm_cut c;
    cm_view v;

    if (!cm_x509_extension(&v, pck, "1.2.840.113741.1.13.1"))
        return false;
    c = cm_cut_of(v);
    c = cm_cut_of(der_take(&c, SEQUENCE));
    while (!c.bad && c.rest.n) {
        cm_cut pair = cm_cut_of(der_take(&c, SEQUENCE));
        unsigned sub = 0, arc = arc_of(der_take(&pair, OID), &sub);

        if (arc == ARC_TCB)
            tcb = !tcb && read_tcb(p, der_take(&pair, SEQUENCE));
        else if (arc == ARC_FMSPC)
            p->fmspc = der_take(&pair, OCTETS);
        else if (arc == ARC_PCE_ID)
            p->pce_id = der_take(&pair, OCTETS);
    }
    return cm_cut_done(&c) && tcb && p->fmspc.n == FMSPC && p->pce_id.n == PCE_ID;
}
