#ifndef CM_SEALED_FORMAT_H
#define CM_SEALED_FORMAT_H
/*
 * Model file formats: where the tensors of a safetensors or GGUF file are. Parsers read through a
 * callback, so they work on a file, on a buffer and on a sealed model alike, and never read
 * weights.
 */
#include "base/base.h"

/** Up to n bytes at off into p; fewer only at the end of the file. */
typedef struct {
    cm_err (*read)(void *self, uint8_t *p, size_t n, uint64_t off, size_t *got);
    void *self;
    uint64_t size;
} cm_source;

enum { CM_TENSOR_DIMS = 8, CM_TENSORS_MAX = 1 << 20, CM_TENSOR_NAME_MAX = 1024 };

typedef struct {
    cm_view name;      /* UTF-8, borrowed from the list's arena */
    const char *dtype; /* "F32", "BF16", "Q4_K", ...: static */
    uint64_t shape[CM_TENSOR_DIMS];
    uint32_t dims;
    uint64_t offset, size; /* bytes in the model's plaintext */
} cm_tensor;

/** Tensors in the order of their offsets. Owns its names. */
typedef struct {
    cm_tensor *v;
    size_t n, cap;
    void *arena; /* private */
} cm_tensors;
void cm_tensors_free(cm_tensors *t);
/** The tensor of that name or NULL; hashed or sorted, so fast for a million names. */
const cm_tensor *cm_tensors_find(const cm_tensors *t, cm_view name);

typedef enum {
    CM_FORMAT_RAW,
    CM_FORMAT_SAFETENSORS,
    CM_FORMAT_GGUF,
    CM_FORMAT_DIRECTORY
} cm_format;
const char *cm_format_name(cm_format f);
CM_MUST cm_err cm_format_by_name(cm_format *out, cm_view name);

/** Look at the first bytes: GGUF by magic, safetensors by a plausible header, else RAW. A file that
 * only looks like one is RAW for the sealer: sealing never fails over a format. */
CM_MUST cm_err cm_format_guess(cm_format *out, const cm_source *s);
/** The tensors of a file that lies at base in the model's plaintext. FORMAT_MALFORMED, with the
 * byte offset in *at (may be NULL); FORMAT_LIMIT. Appends to out; out unchanged on failure. */
CM_MUST cm_err cm_safetensors_parse(cm_tensors *out, const cm_source *s, uint64_t base,
                                    uint64_t *at);
CM_MUST cm_err cm_gguf_parse(cm_tensors *out, const cm_source *s, uint64_t base, uint64_t *at);

/** The index record of spec/sealed.md: name and tensors, in and out. */
typedef struct {
    char *name; /* may be NULL */
    cm_tensors tensors;
} cm_index;
void cm_index_free(cm_index *x);
CM_MUST cm_err cm_index_encode(cm_buf *out, const cm_index *x, const uint8_t nonce[32]);
/** SEALED_INDEX on anything not canonical or out of bounds; model_size bounds every tensor (S-11).
 */
CM_MUST cm_err cm_index_decode(cm_index *out, cm_view v, uint64_t model_size);

/* ---- directories: the table at the start of a layout-1 plaintext (S-7, S-8) ---- */
typedef struct {
    char *path;
    uint64_t size, offset; /* offset in the plaintext */
    bool executable;
} cm_dir_entry;
typedef struct {
    cm_dir_entry *v;
    size_t n, cap;
    uint64_t plain_size; /* table, files and padding */
} cm_dir;
enum {
    CM_DIR_FILES_MAX = 1 << 16,
    CM_DIR_PATH_MAX = 1024,
    CM_DIR_ALIGN = 4096,
    CM_DIR_TABLE_MAX = 64 << 20
};
void cm_dir_free(cm_dir *d);
/** Whether a path is fit for a table (S-7). */
bool cm_dir_path_ok(cm_view path);
/** Walk a folder: openat with O_NOFOLLOW, sorted; DIR_LINK, DIR_SPECIAL, DIR_PATH name the culprit
 * in *bad (malloc'd text, may be NULL). Offsets are filled in. */
CM_MUST cm_err cm_dir_scan(cm_dir *out, int dirfd, char **bad);
/** Table bytes padded to CM_DIR_ALIGN. */
CM_MUST cm_err cm_dir_encode(cm_buf *out, const cm_dir *d);
/** Parse a table from the start of the plaintext; plain_size must add up. */
CM_MUST cm_err cm_dir_decode(cm_dir *out, const cm_source *s);
/** A source over the whole layout-1 plaintext of a folder on disk (table, files, padding), reading
 * files on demand; a file whose size or mtime changed since the scan is DIR_CHANGED. Any thread. */
typedef struct cm_dir_source cm_dir_source;
CM_MUST cm_err cm_dir_source_new(cm_dir_source **out, cm_source *src, int dirfd, const cm_dir *d);
/** Fails when a file changed since the scan: call at the end. */
CM_MUST cm_err cm_dir_source_check(cm_dir_source *s);
void cm_dir_source_free(cm_dir_source *s);
/** Create the table's files under dirfd (must be empty), sized; open one for writing. */
CM_MUST cm_err cm_dir_create(int dirfd, const cm_dir *d);
CM_MUST cm_err cm_dir_open_entry(int *fd, int dirfd, const cm_dir_entry *e, bool write);

#endif
