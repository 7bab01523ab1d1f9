#ifndef CM_SVC_PAGE_INT_H
#define CM_SVC_PAGE_INT_H
/* Lists by page: rows below a path, from where the last page ended. */
#include "svc/svc_int.h"

typedef struct {
    cm_call *call;
    const cm_message *record, *item; /* of a row, of the list */
    /* Fills an item from a row's record; key: the row's. */
    cm_err (*show)(cm_call *c, cm_msg *item, cm_view key, const cm_msg *record);
    cm_msg **items;
    size_t n, max;
    cm_view last;
} cm_svc_page;

/* A page below `under`, into field 0 (items) and 1 (next_page_token) of the answer. Size and token
 * come from fields 4 and 5 of the request. */
cm_err cm_svc_list(cm_call *c, const cm_path *under, cm_svc_page *p);
/* The nth part of a row's key, in the call's arena. */
cm_err cm_svc_part(cm_call *c, cm_view *out, cm_view key, size_t n);

#endif
