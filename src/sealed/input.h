#ifndef CM_SEALED_INPUT_H
#define CM_SEALED_INPUT_H
/* What is to be sealed: a file, a folder or a stream, behind one way of reading. */
#include <sys/stat.h>

#include "sealed/sealed.h"

enum { CM_INPUT_PREFIX = 8 << 20 };

typedef struct {
    cm_source src; /* file and folder: size known, any offset */
    bool stream, directory;
    int fd;
    bool own_fd;
    struct stat st;
    cm_dir dir;
    cm_dir_source *dir_source;
    uint8_t *prefix; /* stream: its first bytes, kept to find the tensors in */
    size_t prefix_n;
    const char *name;      /* the file's own name or NULL; borrowed */
    const cm_index *index; /* known already, with format; borrowed */
    cm_format format;
} cm_input;

/** path NULL: descriptor fd, which is a stream unless it is a regular file. SEALED_KIND. Keeps
 * pointers into itself: do not move it. culprit as in cm_seal_options. */
CM_MUST cm_err cm_input_open(cm_input *in, const char *path, int fd, char **culprit);
void cm_input_done(cm_input *in);
/** Fill p with the segment at off; streams: the next bytes. */
CM_MUST cm_err cm_input_take(cm_input *in, uint8_t *p, size_t n, uint64_t off, size_t *got);
/** SEALED_CHANGED when the file or folder is not what it was when opened. */
CM_MUST cm_err cm_input_unchanged(cm_input *in);
/** 32 bytes that tell this input from another and from a changed one; false for streams. */
CM_MUST cm_err cm_input_identity(const cm_input *in, const cm_crypt *c, uint8_t id[32], bool *has);
/** Format and tensors, into an index that borrows nothing: of the file, of every file of the
 * folder, or of a stream's first bytes. What looks broken is raw, never an error. */
CM_MUST cm_err cm_input_index(cm_input *in, uint64_t size, cm_format *format, cm_index *x);

/** cm_seal() of an input that is open already. */
CM_MUST cm_err cm_seal_input(cm_seal_result *r, const cm_crypt *c, const cm_seal_options *o,
                             cm_input *in, const char *out, int out_fd);

#endif
