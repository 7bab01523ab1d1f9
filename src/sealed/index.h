#ifndef CM_SEALED_INDEX_H
#define CM_SEALED_INDEX_H
/* The index of a sealed model: its file name and its tensors (spec/sealed.md). */
#include "sealed/dir.h"
#include "sealed/format.h"

enum {
    CM_INDEX_MAX = 256 << 20,
    CM_INDEX_FILE_NAME_MAX = 255,
    /* a path before a name: see cm_dir_tensors() */
    CM_INDEX_TENSOR_NAME_MAX = CM_DIR_PATH_MAX + 1 + CM_TENSOR_NAME_MAX
};

typedef struct {
    char *name; /* one path component, or NULL */
    cm_tensors tensors;
} cm_index;
void cm_index_free(cm_index *x);

/** The record, appended to out. A name that is no single path component is left out; BAD_ARGUMENT
 * when a tensor is one that cm_index_decode() would refuse. */
CM_MUST cm_err cm_index_encode(cm_buf *out, const cm_index *x, const uint8_t nonce[32]);
/** SEALED_INDEX on anything not canonical, out of order or out of bounds; model_size bounds every
 * tensor (S-11). */
CM_MUST cm_err cm_index_decode(cm_index *out, cm_view v, uint64_t model_size);

/** The tensors of every .safetensors and .gguf file of a folder, into an empty list. plain is the
 * whole layout-1 plaintext. A file that is not well-formed has none. A name that several files have
 * becomes PATH:NAME. FORMAT_LIMIT past CM_TENSORS_MAX, FORMAT_DUPLICATE when even that is not
 * unique, and whatever reading fails with. */
CM_MUST cm_err cm_dir_tensors(cm_tensors *out, const cm_source *plain, const cm_dir *d);

#endif
