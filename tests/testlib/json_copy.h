#ifndef CM_TESTLIB_JSON_COPY_H
#define CM_TESTLIB_JSON_COPY_H
/* Write what was read: for round trips in unit tests, fuzzers and the comparison with Python. */
#include "codec/json.h"

static inline void json_copy(cm_json_writer *w, const cm_json_node *n)
{
    cm_view v = {0};
    bool b = false;
    cm_err e = CM_OKAY;

    switch (cm_json_type_of(n)) {
    case CM_JSON_NULL:
        cm_json_put_null(w, NULL);
        break;
    case CM_JSON_BOOL:
        e = cm_json_bool(n, &b);
        cm_json_put_bool(w, NULL, b);
        break;
    case CM_JSON_NUMBER:
        e = cm_json_number(n, &v);
        cm_json_put_number(w, NULL, v);
        break;
    case CM_JSON_STRING:
        e = cm_json_string(n, &v);
        cm_json_put_text(w, NULL, v);
        break;
    case CM_JSON_ARRAY:
        cm_json_begin_array(w, NULL);
        for (n = cm_json_first(n); n; n = cm_json_next(n))
            json_copy(w, n);
        cm_json_end_array(w);
        break;
    case CM_JSON_OBJECT:
        cm_json_begin_object(w, NULL);
        for (n = cm_json_first(n); n; n = cm_json_next(n)) {
            cm_json_put_key(w, cm_json_key(n));
            json_copy(w, n);
        }
        cm_json_end_object(w);
        break;
    }
    if (cm_failed(e))
        w->err = e;
}

#endif
