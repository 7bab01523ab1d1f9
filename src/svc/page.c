/* Lists by page. A page is one snapshot; between pages rows may come and go, but none is shown
 * twice and none that stays is missed (V-60). */
#include "svc/page_int.h"

#include "codec/text.h"

enum { PAGE = 100, PAGE_MAX = 1000, FIELD_SIZE = 4, FIELD_TOKEN = 5 };

cm_err cm_svc_part(cm_call *c, cm_view *out, cm_view key, size_t n)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_PATH_MAX};

    CM_TRY(cm_path_nth(&b, key, n));
    return cm_arena_copy(c->arena, out, cm_buf_view(&b));
}

static cm_err take_row(void *arg, const cm_store_row *row)
{
    cm_svc_page *p = arg;
    cm_arena *a = p->call->arena;
    cm_view key, value;
    cm_msg *record;

    CM_TRY(cm_arena_copy(a, &key, row->key));
    CM_TRY(cm_arena_copy(a, &value, row->value));
    CM_TRY(cm_svc_record(&record, a, p->record, value));
    CM_TRY(cm_msg_new(&p->items[p->n], a, p->item));
    CM_TRY(p->show(p->call, p->items[p->n], key, record));
    p->n++;
    p->last = key;
    return CM_OKAY;
}

/* A token is the last row's key; one that leads out of the list is refused (V-61). */
static cm_err from_token(cm_call *c, cm_path *from, cm_view to, cm_view token)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_PATH_MAX - 1};

    if (cm_failed(cm_base64_decode(&b, token, true)) ||
        cm_view_compare(cm_buf_view(&b), cm_path_view(from)) < 0 ||
        cm_view_compare(cm_buf_view(&b), to) >= 0)
        return cm_svc_wrong(c, CM_FAIL(SVC_REQUEST), "page_token");
    memcpy(from->b, b.p, b.n);
    from->b[b.n] = 0; /* the first key behind it */
    from->n = b.n + 1;
    return CM_OKAY;
}

cm_err cm_svc_list(cm_call *c, const cm_path *under, cm_svc_page *p)
{
    const cm_msg_value *size = cm_field_by_number(c->request, FIELD_SIZE);
    const cm_msg_value *token = cm_field_by_number(c->request, FIELD_TOKEN);
    CM_AUTO(cm_buf_free) cm_buf text = {.max = (size_t)2 * CM_PATH_MAX};
    cm_path from = *under, to = *under;
    cm_view kept;

    cm_path_end(&to);
    if (cm_path_view(&from).n == 0)
        return CM_FAIL(SVC_NAME);
    if (token && token->view.n)
        CM_TRY(from_token(c, &from, cm_path_view(&to), token->view));
    p->call = c;
    p->max = size && size->number ? CM_MIN(size->number, (uint64_t)PAGE_MAX) : PAGE;
    CM_TRY(cm_arena_get(c->arena, &p->items, p->max * sizeof *p->items));
    CM_TRY(cm_store_scan(c->svc->o.store, cm_path_view(&from), cm_path_view(&to), p->max, take_row,
                         p));
    cm_set_msgs(c->answer, 0, p->items, p->n);
    if (p->n < p->max)
        return CM_OKAY;
    CM_TRY(cm_base64_encode(&text, p->last, true));
    CM_TRY(cm_arena_copy(c->arena, &kept, cm_buf_view(&text)));
    cm_set_view(c->answer, 1, kept);
    return CM_OKAY;
}
