/* Log entries: one canonical CBOR record each (spec/audit.md, 1). */
#include "audit/audit.h"

#include "codec/cbor.h"

/* the second has a custody. */
enum { VERSION = 1, VERSION_CUSTODY = 2 };

enum {
    F_VERSION,
    F_TIME,
    F_ID,
    F_TENANT,
    F_PRINCIPAL,
    F_OP,
    F_RESOURCE,
    F_KEY_VERSION,
    F_REQUEST,
    F_EVIDENCE,
    F_DECISION,
    F_REASON,
    F_CUSTODY,
    F_COUNT
};

/* the number of a field is its index. */
static const cm_cbor_field fields[F_COUNT] = {
    {F_VERSION, CM_CBOR_UINT, true, VERSION, VERSION_CUSTODY},
    {F_TIME, CM_CBOR_UINT, true, 0, INT64_MAX},
    {F_ID, CM_CBOR_BYTES, true, 16, 16},
    {F_TENANT, CM_CBOR_BYTES, false, 1, CM_AUDIT_TENANT_MAX},
    {F_PRINCIPAL, CM_CBOR_BYTES, false, 32, 32},
    {F_OP, CM_CBOR_TEXT, true, 1, CM_AUDIT_OP_MAX},
    {F_RESOURCE, CM_CBOR_BYTES, false, 1, CM_AUDIT_RESOURCE_MAX},
    {F_KEY_VERSION, CM_CBOR_UINT, false, 1, UINT64_MAX},
    {F_REQUEST, CM_CBOR_BYTES, false, 32, 32},
    {F_EVIDENCE, CM_CBOR_BYTES, false, 32, 32},
    {F_DECISION, CM_CBOR_UINT, true, CM_AUDIT_ALLOW, CM_AUDIT_FAIL},
    {F_REASON, CM_CBOR_UINT, false, 1, UINT32_MAX},
    {F_CUSTODY, CM_CBOR_TEXT, false, 1, CM_AUDIT_CUSTODY_MAX},
};

static cm_cbor_value number(uint64_t u)
{
    return (cm_cbor_value){.present = true, .u = u};
}

static cm_cbor_value number_if(uint64_t u)
{
    return (cm_cbor_value){.present = u != 0, .u = u};
}

static cm_cbor_value bytes(cm_view v)
{
    return (cm_cbor_value){.present = v.n > 0, .v = v};
}

cm_err cm_audit_entry_encode(cm_buf *out, const cm_audit_entry *e)
{
    const cm_cbor_value v[F_COUNT] = {
        [F_VERSION] = number(e->custody.n ? VERSION_CUSTODY : VERSION),
        [F_TIME] = number(e->time_ms),
        [F_ID] = bytes(e->id),
        [F_TENANT] = bytes(e->tenant),
        [F_PRINCIPAL] = bytes(e->principal),
        [F_OP] = bytes(e->op),
        [F_RESOURCE] = bytes(e->resource),
        [F_KEY_VERSION] = number_if(e->key_version),
        [F_REQUEST] = bytes(e->request),
        [F_EVIDENCE] = bytes(e->evidence),
        [F_DECISION] = number(e->decision),
        [F_REASON] = number_if(e->reason),
        [F_CUSTODY] = bytes(e->custody),
    };

    if (e->decision == CM_AUDIT_ALLOW && e->reason != 0) {
        return CM_FAIL(BAD_ARGUMENT); /* */
    }
    return cm_cbor_put_record(out, fields, v, F_COUNT);
}

cm_err cm_audit_entry_decode(cm_audit_entry *e, cm_view v)
{
    cm_cbor_value f[F_COUNT] = {0};
    cm_cbor c;

    if (v.n > CM_AUDIT_ENTRY_MAX || cm_failed(cm_cbor_open(&c, v, NULL)) ||
        cm_failed(cm_cbor_record(&c, fields, f, F_COUNT, NULL)) || cm_failed(cm_cbor_end(&c)) ||
        (f[F_DECISION].u == CM_AUDIT_ALLOW && f[F_REASON].u != 0) ||
        (f[F_VERSION].u == VERSION_CUSTODY) != f[F_CUSTODY].present) {
        return CM_FAIL(AUDIT_ENTRY);
    }
    *e = (cm_audit_entry){
        .time_ms = f[F_TIME].u,
        .id = f[F_ID].v,
        .tenant = f[F_TENANT].v,
        .principal = f[F_PRINCIPAL].v,
        .op = f[F_OP].v,
        .resource = f[F_RESOURCE].v,
        .key_version = f[F_KEY_VERSION].u,
        .request = f[F_REQUEST].v,
        .evidence = f[F_EVIDENCE].v,
        .decision = (cm_audit_decision)f[F_DECISION].u,
        .reason = (uint32_t)f[F_REASON].u,
        .custody = f[F_CUSTODY].v,
    };
    return CM_OKAY;
}
