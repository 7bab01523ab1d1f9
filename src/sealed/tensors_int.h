#ifndef CM_SEALED_TENSORS_INT_H
#define CM_SEALED_TENSORS_INT_H
/* Building a list of tensors: reserve, add, then finish once. */
#include "sealed/format.h"

/** Room for n tensors in all. FORMAT_LIMIT past CM_TENSORS_MAX. */
CM_MUST cm_err cm_tensors_reserve(cm_tensors *t, size_t n);
/** Copies the name, but not the dtype. */
CM_MUST cm_err cm_tensors_add(cm_tensors *t, const cm_tensor *x);
/** Bytes that live as long as the list. */
CM_MUST cm_err cm_tensors_keep(cm_tensors *t, cm_view *out, cm_view v);
/** Sort by offset and make names findable. FORMAT_DUPLICATE, FORMAT_TENSOR when two overlap; the
 * offset of the culprit's bytes in *at. */
CM_MUST cm_err cm_tensors_finish(cm_tensors *t, uint64_t *at);
/** Whether they stand as cm_tensors_finish() would put them. */
bool cm_tensors_in_order(const cm_tensors *t);
/** Set twin[i], one of t->n, where another tensor has the same name. */
CM_MUST cm_err cm_tensors_twins(cm_tensors *t, bool *twin);
void cm_tensors_move(cm_tensors *to, cm_tensors *from);

/** A set of names, to see that none comes twice. */
typedef struct {
    cm_tensors t;
    size_t bytes;
} cm_names;
/** FORMAT_LIMIT past 65536 names or 16 MiB. */
CM_MUST cm_err cm_names_add(cm_names *n, cm_view name);
/** FORMAT_DUPLICATE. */
CM_MUST cm_err cm_names_finish(cm_names *n);
void cm_names_free(cm_names *n);

/* ---- element types ---- */

typedef struct {
    const char *name;
    uint32_t block, bytes; /* elements of a block and what it takes */
} cm_ggml_type;
/** NULL when unknown. */
const cm_ggml_type *cm_dtype_ggml(uint32_t id);
/** The static name of a safetensors dtype, and the bits of an element; NULL when unknown. */
const char *cm_dtype_safetensors(cm_view name, unsigned *bits);
/** The static text of a dtype of either format, or NULL. */
const char *cm_dtype_intern(cm_view name);

#endif
