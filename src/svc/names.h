#ifndef CM_SVC_NAMES_H
#define CM_SVC_NAMES_H
/*
 * Names of tenants, keyspaces, keys, principals: typed parts, never joined (V-3). What the seeds
 * write as one string, `model:customer:name`, is taken apart at the edge and nowhere else.
 */
#include "base/base.h"

enum { CM_NAME_MAX = 128, CM_TENANT_MAX = 64 };

/** The system's own tenant as the interface spells it; in rows it is "". */
#define CM_SYSTEM_TENANT "system"

/** A name: 1 to CM_NAME_MAX bytes of UTF-8 without control characters. SVC_NAME. Any separator is
 * allowed: nothing is ever split or joined. */
CM_MUST cm_err cm_svc_name_check(cm_view name);
/** A tenant's: 1 to CM_TENANT_MAX of a-z 0-9 - _ . : beginning with a letter or digit, and neither
 * "system" nor "boot". SVC_NAME. */
CM_MUST cm_err cm_svc_tenant_check(cm_view name);

/** The three parts of a seed's key name. */
typedef struct {
    char part[3][CM_NAME_MAX]; /* model, customer, name */
    size_t n[3];
} cm_seed_name;

/** `model:customer:name`, where a part writes its own colons as `\:` and backslashes as `\\`. One
 * text per triple: any other escape and any other number of parts is SVC_NAME. */
CM_MUST cm_err cm_svc_seed_name(cm_seed_name *out, cm_view text);
/** The text of three parts; appends. */
CM_MUST cm_err cm_svc_seed_text(cm_buf *out, const cm_view parts[3]);

/** Undo %XX in one part of a path or query into out (at most max bytes). plus: `+` is a space. Only
 * valid escapes; NUL and bytes that are not UTF-8 in the result are refused. SVC_NAME. */
CM_MUST cm_err cm_svc_unescape(char *out, size_t max, size_t *n, cm_view text, bool plus);

#endif
