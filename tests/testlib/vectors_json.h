#ifndef CM_TESTLIB_VECTORS_JSON_H
#define CM_TESTLIB_VECTORS_JSON_H
/* Known answers in JSON, read by our own reader. Ends the process on a field that is not there. */
#include "codec/json.h"
#include "vectors.h"

/** A whole file; free with cm_json_free(). */
cm_json *t_json(const char *path);
const cm_json_node *t_json_get(const cm_json_node *obj, const char *key);
bool t_json_has(const cm_json_node *obj, const char *key);
cm_view t_json_text(const cm_json_node *obj, const char *key);
bool t_json_is(const cm_json_node *obj, const char *key, const char *text);
/** As t_hex_view(). */
cm_view t_json_hex(const cm_json_node *obj, const char *key);
uint64_t t_json_num(const cm_json_node *obj, const char *key);

#define T_JSON_EACH(item, array) \
    for (const cm_json_node *item = cm_json_first(array); item; item = cm_json_next(item))

#endif
