#include "sealed/input.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/os.h"

static cm_err read_file(void *self, uint8_t *p, size_t n, uint64_t off, size_t *got)
{
    return cm_os_pread(((cm_input *)self)->fd, p, n, off, got);
}

static cm_err open_dir(cm_input *in, char **culprit)
{
    CM_TRY(cm_dir_scan(&in->dir, in->fd, culprit));
    in->directory = true;
    return cm_dir_source_new(&in->dir_source, &in->src, in->fd, &in->dir);
}

static cm_err open_stream(cm_input *in)
{
    in->stream = true;
    return cm_alloc(&in->prefix, CM_INPUT_PREFIX);
}

static cm_err open_any(cm_input *in, char **culprit)
{
    if (fstat(in->fd, &in->st) != 0)
        return CM_FAIL(IO_OPEN);
    if (S_ISDIR(in->st.st_mode))
        return open_dir(in, culprit);
    if (!S_ISREG(in->st.st_mode))
        return in->own_fd && !S_ISFIFO(in->st.st_mode) ? CM_FAIL(SEALED_KIND) : open_stream(in);
    in->src = (cm_source){.read = read_file, .self = in, .size = (uint64_t)in->st.st_size};
    return CM_OKAY;
}

cm_err cm_input_open(cm_input *in, const char *path, int fd, char **culprit)
{
    const char *slash = path ? strrchr(path, '/') : NULL;
    cm_err e;

    *in = (cm_input){.fd = fd, .own_fd = path != NULL, .name = slash ? slash + 1 : path};
    if (path)
        CM_TRY(cm_os_open_read(&in->fd, path));
    e = open_any(in, culprit);
    if (cm_failed(e))
        cm_input_done(in);
    return e;
}

void cm_input_done(cm_input *in)
{
    cm_dir_source_free(in->dir_source);
    cm_dir_free(&in->dir);
    if (in->prefix)
        cm_wipe(in->prefix, CM_INPUT_PREFIX);
    cm_free(in->prefix);
    if (in->own_fd)
        cm_os_close_fd(&in->fd);
    *in = (cm_input){.fd = -1};
}

static void keep_prefix(cm_input *in, const uint8_t *p, size_t n)
{
    size_t room = CM_MIN(n, CM_INPUT_PREFIX - in->prefix_n);

    memcpy(in->prefix + in->prefix_n, p, room);
    in->prefix_n += room;
}

cm_err cm_input_take(cm_input *in, uint8_t *p, size_t n, uint64_t off, size_t *got)
{
    if (!in->stream)
        return in->src.read(in->src.self, p, n, off, got);
    CM_TRY(cm_os_read(in->fd, p, n, got));
    keep_prefix(in, p, *got);
    return CM_OKAY;
}

cm_err cm_input_unchanged(cm_input *in)
{
    struct stat now;

    if (in->stream || in->index)
        return CM_OKAY;
    if (in->directory)
        return cm_dir_source_check(in->dir_source);
    if (fstat(in->fd, &now) != 0 || now.st_size != in->st.st_size ||
        now.st_mtim.tv_sec != in->st.st_mtim.tv_sec ||
        now.st_mtim.tv_nsec != in->st.st_mtim.tv_nsec)
        return CM_FAIL(SEALED_CHANGED);
    return CM_OKAY;
}

cm_err cm_input_identity(const cm_input *in, const cm_crypt *c, uint8_t id[32], bool *has)
{
    uint8_t b[40];

    *has = !in->stream && !in->index;
    if (!*has)
        return CM_OKAY;
    if (in->directory)
        return cm_dir_identity(&in->dir, c, id);
    cm_put_be64(b, (uint64_t)in->st.st_dev);
    cm_put_be64(b + 8, (uint64_t)in->st.st_ino);
    cm_put_be64(b + 16, (uint64_t)in->st.st_size);
    cm_put_be64(b + 24, (uint64_t)in->st.st_mtim.tv_sec);
    cm_put_be64(b + 32, (uint64_t)in->st.st_mtim.tv_nsec);
    return cm_hash_once(c, CM_SHA256, id, CM_VIEW(b));
}

/* ---- index --------------------------------------------------------------------------------- */

static cm_err read_prefix(void *self, uint8_t *p, size_t n, uint64_t off, size_t *got)
{
    cm_input *in = self;

    if (off > in->prefix_n || (off == in->prefix_n && n > 0))
        return CM_FAIL(FORMAT_LIMIT); /* the header does not fit what was kept */
    n = CM_MIN(n, in->prefix_n - (size_t)off);
    memcpy(p, in->prefix + off, n);
    *got = n;
    return CM_OKAY;
}

/* A failure of the machine is one; anything the file's bytes can cause makes it raw. */
static cm_err tolerate(cm_err e)
{
    cm_class c = cm_err_class(e);

    return c == CM_CLASS_IO || c == CM_CLASS_EXHAUSTED || c == CM_CLASS_CONFLICT ? e : CM_OKAY;
}

static cm_err index_file(const cm_source *s, cm_format *format, cm_tensors *t)
{
    cm_err e;

    CM_TRY(cm_format_guess(format, s));
    if (*format == CM_FORMAT_SAFETENSORS)
        e = cm_safetensors_parse(t, s, 0, NULL);
    else if (*format == CM_FORMAT_GGUF)
        e = cm_gguf_parse(t, s, 0, NULL);
    else
        return CM_OKAY;
    if (cm_failed(e))
        *format = CM_FORMAT_RAW;
    return cm_failed(e) ? tolerate(e) : CM_OKAY;
}

cm_err cm_input_index(cm_input *in, uint64_t size, cm_format *format, cm_index *x)
{
    cm_source kept = {.read = read_prefix, .self = in, .size = size};

    if (in->name && !in->directory && !in->stream)
        CM_TRY(cm_strdup(&x->name, cm_view_str(in->name)));
    if (in->directory) {
        *format = CM_FORMAT_DIRECTORY;
        return tolerate(cm_dir_tensors(&x->tensors, &in->src, &in->dir));
    }
    return index_file(in->stream ? &kept : &in->src, format, &x->tensors);
}
