#include "audit/blind.h"

enum { KIND_MAX = 32, TEXT_MAX = 4096 };

static void path_of(cm_path *p, cm_view tenant, const char *what)
{
    cm_path_init(p);
    cm_path_add(p, tenant);
    cm_path_add_str(p, "audit");
    cm_path_add_str(p, what);
}

void cm_audit_salt_path(cm_path *p, cm_view tenant)
{
    path_of(p, tenant, "salt");
}

void cm_audit_who_path(cm_path *p, cm_view tenant, cm_view blind)
{
    path_of(p, tenant, "who");
    cm_path_add(p, blind);
}

/* */
cm_err cm_audit_blind(const cm_crypt *c, uint8_t out[CM_AUDIT_BLIND], cm_view salt,
                      const char *kind, cm_view text)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = KIND_MAX + TEXT_MAX + 32};

    if (salt.n != CM_AUDIT_SALT || strlen(kind) > KIND_MAX || text.n > TEXT_MAX) {
        return CM_FAIL(BAD_ARGUMENT);
    }
    CM_TRY(cm_buf_append(&b, CM_LIT("casemate/blind/v1\0")));
    CM_TRY(cm_buf_append(&b, cm_view_of(kind, strlen(kind) + 1)));
    CM_TRY(cm_buf_append(&b, text));
    return cm_hmac(c, CM_SHA256, out, salt, cm_buf_view(&b));
}
