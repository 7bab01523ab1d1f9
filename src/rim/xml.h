#ifndef CM_RIM_XML_H
#define CM_RIM_XML_H
/*
 * As much XML as signed manifests need (XML 1.0, Namespaces, Canonical XML 1.1), for the offline
 * import alone: no daemon links it. Refused: declarations of types, processing instructions,
 * comments, CDATA, entities but the five, references by number, carriage returns, tabs and line
 * ends in attributes, attributes of xml:, names that are not ASCII. So a text has one canonical
 * form in 1.0 and 1.1 alike, and none of it depends on anything outside.
 *
 * Everything borrows from the text. Any thread; time depends on the text, which is public.
 */
#include "base/base.h"

enum { CM_XML_TEXT_MAX = 1 << 20, CM_XML_DEPTH = 16 };

typedef struct {
    cm_view prefix, local, uri;
    cm_view raw; /* its value as written */
} cm_xml_attr;

typedef struct {
    cm_view prefix, uri;
} cm_xml_ns;

/* In document order: what is inside an element follows it, up to end. */
typedef struct {
    bool is_text;
    cm_view raw;                /* text as written */
    cm_view prefix, local, uri; /* of an element */
    uint32_t parent, end;
    uint32_t attr, n_attrs, ns, n_ns;
} cm_xml_node;

typedef struct {
    cm_view text;
    cm_xml_node *node; /* the first is the root element */
    cm_xml_attr *attr;
    cm_xml_ns *ns;
    uint32_t n, n_attrs, n_ns;
} cm_xml;

/** Read a text. RIM_FORM; TOO_BIG; NO_MEMORY. Free with cm_xml_done(). */
CM_MUST cm_err cm_xml_read(cm_xml *out, cm_view text);
/** Zeroed is valid. */
void cm_xml_done(cm_xml *x);

/** The next character of raw, without its escape; raw is advanced. */
char cm_xml_take(cm_view *raw);

/** Append the canonical form (without comments) of the element at apex and what is inside, but not
 * of the element skip (the number of nodes: of all). TOO_BIG, RIM_FORM too many namespaces. */
CM_MUST cm_err cm_xml_canonical(cm_buf *out, const cm_xml *x, uint32_t apex, uint32_t skip);

/** Whether node is that element. */
bool cm_xml_is(const cm_xml *x, uint32_t node, const char *uri, const char *local);
/** An attribute's value as written; false when it is not there. uri "" for none. */
bool cm_xml_attribute(cm_view *raw, const cm_xml *x, uint32_t node, const char *uri,
                      const char *local);

#endif
