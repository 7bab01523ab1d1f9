/* The tensors of a folder of model files, as one list. */
#include "sealed/index.h"
#include "sealed/tensors_int.h"

/* A file inside the plaintext. */
struct part {
    const cm_source *whole;
    const cm_dir_entry *e;
};

static cm_err read_part(void *self, uint8_t *p, size_t n, uint64_t off, size_t *got)
{
    const struct part *x = self;

    n = off < x->e->size ? (size_t)CM_MIN((uint64_t)n, x->e->size - off) : 0;
    return x->whole->read(x->whole->self, p, n, x->e->offset + off, got);
}

static bool ends_with(const char *path, const char *end)
{
    size_t n = strlen(path), m = strlen(end);

    return n > m && cm_view_eq(cm_view_of(path + n - m, m), cm_view_of(end, m));
}

/* What a file's bytes can cause makes it one without tensors; what the machine can is an error. */
static bool tolerable(cm_err e)
{
    cm_class c = cm_err_class(e);

    return c == CM_CLASS_MALFORMED || c == CM_CLASS_UNSUPPORTED || c == CM_CLASS_LIMIT;
}

static cm_err append(cm_tensors *all, const cm_tensors *t)
{
    for (size_t i = 0; i < t->n; i++)
        CM_TRY(cm_tensors_add(all, &t->v[i]));
    return CM_OKAY;
}

static cm_err add_file(cm_tensors *all, const cm_source *plain, const cm_dir_entry *e)
{
    CM_AUTO(cm_tensors_free) cm_tensors t = {0};
    struct part part = {plain, e};
    cm_source s = {.read = read_part, .self = &part, .size = e->size};
    cm_err err = CM_OKAY;

    if (ends_with(e->path, ".safetensors"))
        err = cm_safetensors_parse(&t, &s, e->offset, NULL);
    else if (ends_with(e->path, ".gguf"))
        err = cm_gguf_parse(&t, &s, e->offset, NULL);
    if (cm_failed(err))
        return tolerable(err) ? CM_OKAY : err;
    return append(all, &t);
}

static cm_err rename_one(cm_tensors *all, cm_tensor *x, const char *path)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_INDEX_TENSOR_NAME_MAX};

    CM_TRY(cm_buf_append(&b, cm_view_str(path)));
    CM_TRY(cm_buf_byte(&b, ':'));
    CM_TRY(cm_buf_append(&b, x->name));
    return cm_tensors_keep(all, &x->name, cm_buf_view(&b));
}

/* first[i] is the first tensor of file i, first[d->n] the number of them all. */
static cm_err rename_twins(cm_tensors *all, const cm_dir *d, const size_t *first)
{
    CM_AUTO(cm_free_ptr) bool *twin = NULL;

    CM_TRY(cm_alloc_array(&twin, all->n, sizeof *twin));
    CM_TRY(cm_tensors_twins(all, twin));
    for (size_t i = 0; i < d->n; i++)
        for (size_t j = first[i]; j < first[i + 1]; j++)
            if (twin[j])
                CM_TRY(rename_one(all, &all->v[j], d->v[i].path));
    return CM_OKAY;
}

static cm_err collect(cm_tensors *all, const cm_source *plain, const cm_dir *d)
{
    CM_AUTO(cm_free_ptr) size_t *first = NULL;
    uint64_t at;

    CM_TRY(cm_alloc_array(&first, d->n + 1, sizeof *first));
    for (size_t i = 0; i < d->n; i++) {
        CM_TRY(add_file(all, plain, &d->v[i]));
        first[i + 1] = all->n;
    }
    CM_TRY(rename_twins(all, d, first));
    return cm_tensors_finish(all, &at);
}

cm_err cm_dir_tensors(cm_tensors *out, const cm_source *plain, const cm_dir *d)
{
    CM_AUTO(cm_tensors_free) cm_tensors all = {0};

    CM_TRY(collect(&all, plain, d));
    cm_tensors_move(out, &all);
    return CM_OKAY;
}
