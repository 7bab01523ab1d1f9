#ifndef CM_APPRAISE_POLICY_INT_H
#define CM_APPRAISE_POLICY_INT_H
/* What the files about policies share. */
#include "appraise/policy.h"
#include "appraise/yaml.h"

/** Everything a policy points at. */
struct cm_policy_memory {
    cm_yaml yaml;
    struct cm_policy_piece *pieces;
};

struct cm_policy_piece {
    struct cm_policy_piece *next;
    max_align_t bytes[];
};

/** Zeroed memory that lives as long as the policy. */
CM_MUST cm_err cm_policy_get(cm_policy *p, void *out, size_t n, size_t size);

typedef struct {
    cm_policy *p;
    cm_policy_fault *fault;
} cm_policy_parse;

/** Say what is wrong with the value of a key, and return POLICY_FORM. */
CM_MUST cm_err cm_policy_wrong(cm_policy_parse *s, const cm_json_node *n, const char *what);
/** The same of an object that lacks a key. */
CM_MUST cm_err cm_policy_missing(cm_policy_parse *s, const cm_json_node *n, const char *key);
/** Fill s->p from its document. POLICY_FORM; NO_MEMORY. */
CM_MUST cm_err cm_policy_parse_root(cm_policy_parse *s);

#endif
