#ifndef CM_APPRAISE_YAML_H
#define CM_APPRAISE_YAML_H
/*
 * YAML as JSON: what a person writes becomes the text that programs read. Anchors, aliases, tags,
 * directives and further documents are refused; a plain scalar that is a whole number, true, false
 * or null is one, every other is text. Time depends on the text. Any thread.
 */
#include "codec/json.h"

enum { CM_YAML_MAX = 256 << 10, CM_YAML_VALUES = 8192, CM_YAML_DEPTH = 12 };

typedef struct {
    size_t offset; /* in the JSON */
    unsigned line, column;
} cm_yaml_mark;

/** A text and where each of its values stood. */
typedef struct {
    cm_json *json;
    cm_yaml_mark *marks;
    size_t n;
} cm_yaml;

void cm_yaml_done(cm_yaml *y);
/** Read. POLICY_SYNTAX with *at and *what (static) set; NO_MEMORY. */
CM_MUST cm_err cm_yaml_read(cm_yaml *y, cm_view text, cm_yaml_mark *at, const char **what);
/** Where a value stands. */
cm_yaml_mark cm_yaml_at(const cm_yaml *y, const cm_json_node *node);

#endif
