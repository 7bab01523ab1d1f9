/* Objects of a token, found by their id. H-70, H-71: not every token searches for CKA_ID, and some
 * put an id of their own in its place. */
#include "codec/text.h"
#include "hsm/p11_int.h"

enum { LIST_MAX = 4096 };

cm_err cm_p11_name(cm_buf *out, cm_view id)
{
    CM_TRY(cm_buf_append(out, CM_LIT(CM_P11_NAME)));
    return cm_hex_encode(out, id);
}

static CK_RV collect(cm_p11 *p, CK_SESSION_HANDLE s, CK_ATTRIBUTE *a, CK_ULONG a_n,
                     CK_OBJECT_HANDLE *list, CK_ULONG max, CK_ULONG *n)
{
    CK_ULONG got = 0;
    CK_RV rv, end;

    *n = 0;
    rv = p->m.f->C_FindObjectsInit(s, a, a_n);
    if (rv != CKR_OK)
        return rv;
    do {
        rv = p->m.f->C_FindObjects(s, list + *n, max - *n, &got);
        *n += rv == CKR_OK ? CM_MIN(got, max - *n) : 0;
    } while (rv == CKR_OK && got > 0 && *n < max);
    end = p->m.f->C_FindObjectsFinal(s);
    return rv != CKR_OK ? rv : end;
}

/* An attribute in room[CM_P11_NAME_MAX]; empty: it is longer, or there is none. */
static cm_err read_attribute(cm_p11 *p, CK_SESSION_HANDLE s, CK_OBJECT_HANDLE h, CK_ULONG type,
                             uint8_t *room, cm_view *v)
{
    CK_ATTRIBUTE a = {type, room, CM_P11_NAME_MAX};
    CK_RV rv = p->m.f->C_GetAttributeValue(s, h, &a, 1);

    *v = cm_view_of(room, 0);
    if (rv == CKR_BUFFER_TOO_SMALL || rv == CKR_ATTRIBUTE_TYPE_INVALID ||
        rv == CKR_ATTRIBUTE_SENSITIVE)
        return CM_OKAY;
    CM_TRY(cm_p11_err(rv));
    if (a.ulValueLen <= CM_P11_NAME_MAX)
        *v = cm_view_of(room, a.ulValueLen);
    return CM_OKAY;
}

bool cm_p11_object_is(cm_p11 *p, CK_SESSION_HANDLE s, CK_OBJECT_HANDLE h, CK_ULONG class,
                      cm_view label)
{
    uint8_t room[CM_P11_NAME_MAX];
    CK_ULONG is = 0;
    CK_ATTRIBUTE a = {CKA_CLASS, &is, sizeof is};
    cm_view v;

    return p->m.f->C_GetAttributeValue(s, h, &a, 1) == CKR_OK && is == class &&
           cm_ok(read_attribute(p, s, h, CKA_LABEL, room, &v)) && cm_view_eq(v, label);
}

/* By its id, or by the name that stands in the label in place of one. */
static cm_err bears(cm_p11 *p, CK_SESSION_HANDLE s, CK_OBJECT_HANDLE h, cm_view id, cm_view name,
                    bool *yes)
{
    uint8_t room[CM_P11_NAME_MAX];
    cm_view v;

    CM_TRY(read_attribute(p, s, h, CKA_ID, room, &v));
    *yes = cm_view_eq(v, id);
    if (*yes)
        return CM_OKAY;
    CM_TRY(read_attribute(p, s, h, CKA_LABEL, room, &v));
    *yes = cm_view_eq(v, name);
    return CM_OKAY;
}

static cm_err search_all(cm_p11 *p, CK_SESSION_HANDLE s, CK_ATTRIBUTE *kind, CK_ULONG kind_n,
                         cm_view id, CK_OBJECT_HANDLE list[FOUND_MAX], CK_ULONG *n)
{
    CM_AUTO(cm_free_ptr) CK_OBJECT_HANDLE *all = NULL;
    CM_AUTO(cm_buf_free) cm_buf name = {.max = CM_P11_NAME_MAX};
    CK_ULONG got = 0;
    bool yes;

    *n = 0;
    CM_TRY(cm_p11_name(&name, id));
    CM_TRY(cm_alloc_array(&all, LIST_MAX, sizeof *all));
    CM_TRY(cm_p11_err(collect(p, s, kind, kind_n, all, LIST_MAX, &got)));
    if (got == LIST_MAX)
        return CM_FAIL(HSM_MECHANISM);
    for (CK_ULONG i = 0; i < got && *n < FOUND_MAX; i++) {
        CM_TRY(bears(p, s, all[i], id, cm_buf_view(&name), &yes));
        if (yes)
            list[(*n)++] = all[i];
    }
    return CM_OKAY;
}

/* What a token says that does not search for this attribute. */
static bool unsearched(CK_RV rv)
{
    return rv == CKR_ATTRIBUTE_TYPE_INVALID || rv == CKR_ATTRIBUTE_VALUE_INVALID ||
           rv == CKR_TEMPLATE_INCONSISTENT || rv == CKR_FUNCTION_NOT_SUPPORTED;
}

/* H-70: a token that was seen to search for ids is believed when it finds none. */
cm_err cm_p11_search(cm_p11 *p, CK_SESSION_HANDLE s, CK_ULONG class, CK_ULONG type, cm_view id,
                     CK_OBJECT_HANDLE list[FOUND_MAX], CK_ULONG *n)
{
    CK_ATTRIBUTE a[] = {{CKA_CLASS, &class, sizeof class},
                        {CKA_KEY_TYPE, &type, sizeof type},
                        {CKA_ID, (void *)(uintptr_t)id.p, id.n}};
    CK_RV rv = collect(p, s, a, CM_COUNT(a), list, FOUND_MAX, n);

    if (rv == CKR_OK && *n)
        atomic_store(&p->by_id, true);
    if ((rv == CKR_OK && !*n && !atomic_load(&p->by_id)) || unsearched(rv))
        return search_all(p, s, a, CM_COUNT(a) - 1, id, list, n);
    return cm_p11_err(rv);
}
