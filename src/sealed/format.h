#ifndef CM_SEALED_FORMAT_H
#define CM_SEALED_FORMAT_H
/*
 * Model file formats: where the tensors of a safetensors or GGUF file are. Parsers read through a
 * callback, so they work on a file, on a buffer and on a sealed model alike, in pieces of 16 KiB,
 * and never read weights. Memory grows with the number of tensors alone: about 200 bytes each.
 */
#include "base/base.h"

/** Up to n bytes at off into p; fewer only at the end of the file. */
typedef struct {
    cm_err (*read)(void *self, uint8_t *p, size_t n, uint64_t off, size_t *got);
    void *self;
    uint64_t size;
} cm_source;

enum {
    CM_TENSOR_DIMS = 8,
    CM_TENSORS_MAX = 1 << 20,
    CM_TENSOR_NAME_MAX = 1024,
    CM_TENSOR_DTYPE_MAX = 32
};

typedef struct {
    cm_view name;                   /* UTF-8, borrowed from the list's arena */
    const char *dtype;              /* "F32", "BF16", "Q4_K", ...: static or in the arena */
    uint64_t shape[CM_TENSOR_DIMS]; /* in the file's own order; a scalar has no dimension */
    uint32_t dims;
    uint64_t offset, size; /* bytes in the model's plaintext */
} cm_tensor;

/** Tensors in the order of their offsets, none overlapping, no name twice. Owns its names. Zeroed
 * is empty. */
typedef struct {
    cm_tensor *v;
    size_t n, cap;
    void *arena; /* private */
} cm_tensors;
void cm_tensors_free(cm_tensors *t);
/** The tensor of that name or NULL. O(log n). Any thread. */
const cm_tensor *cm_tensors_find(const cm_tensors *t, cm_view name);

typedef enum {
    CM_FORMAT_RAW,
    CM_FORMAT_SAFETENSORS,
    CM_FORMAT_GGUF,
    CM_FORMAT_DIRECTORY
} cm_format;
/** The name in the manifest. */
const char *cm_format_name(cm_format f);
/** FORMAT_UNKNOWN. */
CM_MUST cm_err cm_format_by_name(cm_format *out, cm_view name);

/** Look at the first bytes: GGUF by magic, safetensors by a plausible header, else RAW. A file that
 * only looks like one is RAW for the sealer: sealing never fails over a format. */
CM_MUST cm_err cm_format_guess(cm_format *out, const cm_source *s);

/** The tensors of a whole file that lies at base in the model's plaintext, into an empty list.
 * FORMAT_MALFORMED, FORMAT_TRUNCATED, FORMAT_TENSOR (size, shape and place contradict each other),
 * FORMAT_DUPLICATE, FORMAT_TYPE, FORMAT_VERSION, FORMAT_BIG_ENDIAN, FORMAT_LIMIT, and whatever
 * reading fails with. out unchanged then, and the byte offset in *at (may be NULL). */
CM_MUST cm_err cm_safetensors_parse(cm_tensors *out, const cm_source *s, uint64_t base,
                                    uint64_t *at);
CM_MUST cm_err cm_gguf_parse(cm_tensors *out, const cm_source *s, uint64_t base, uint64_t *at);

#endif
