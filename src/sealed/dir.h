#ifndef CM_SEALED_DIR_H
#define CM_SEALED_DIR_H
/*
 * Directory models: the table at the start of a layout-1 plaintext (S-7, S-8), the folder it was
 * made of and the folder it becomes again. Nothing here follows a symbolic link, in any component
 * of a path: every folder on the way is opened by its own descriptor.
 */
#include "crypt/crypt.h"
#include "sealed/format.h"

enum {
    CM_DIR_FILES_MAX = 1 << 16,
    CM_DIR_PATH_MAX = 1024,
    CM_DIR_DEPTH_MAX = 32, /* folders above a file */
    CM_DIR_ALIGN = 4096,
    CM_DIR_TABLE_MAX = 64 << 20
};

typedef struct {
    char *path;
    uint64_t size, offset; /* offset in the plaintext */
    bool executable;
    struct {
        uint64_t dev, ino;
        int64_t sec, nsec; /* of the last change */
    } seen;                /* by cm_dir_scan(); zero in a decoded table */
} cm_dir_entry;

typedef struct {
    cm_dir_entry *v;
    size_t n, cap;
    uint64_t plain_size; /* table, files and padding */
} cm_dir;
void cm_dir_free(cm_dir *d);

/** Whether a path is fit for a table (S-7). */
bool cm_dir_path_ok(cm_view path);

/** Walk a folder and list its regular files, hidden ones included, empty folders left out.
 * DIR_LINK, DIR_SPECIAL, DIR_PATH, DIR_DEPTH (S-8), DIR_EMPTY, DIR_LIMIT, NO_PERMISSION. *bad (may
 * be NULL) names the culprit in printable text where there is one, and is NULL else; free with
 * cm_free(). */
CM_MUST cm_err cm_dir_scan(cm_dir *out, int dirfd, char **bad);
/** 32 bytes that tell this scan from one of another folder or of a changed one. */
CM_MUST cm_err cm_dir_identity(const cm_dir *d, const cm_crypt *c, uint8_t id[32]);

/** Table bytes padded to CM_DIR_ALIGN, appended to out. */
CM_MUST cm_err cm_dir_encode(cm_buf *out, const cm_dir *d);
/** Parse a table from the start of the plaintext, whose size must add up. DIR_TABLE (S-7). */
CM_MUST cm_err cm_dir_decode(cm_dir *out, const cm_source *s);

/** A source over the whole layout-1 plaintext of a scanned folder (table, files, padding), reading
 * files on demand; a file that is not what the scan saw is DIR_CHANGED. Any thread. src is filled
 * in and good until cm_dir_source_free(); d is borrowed until then, dirfd is not. */
typedef struct cm_dir_source cm_dir_source;
CM_MUST cm_err cm_dir_source_new(cm_dir_source **out, cm_source *src, int dirfd, const cm_dir *d);
/** DIR_CHANGED when a file changed since the scan: call at the end. */
CM_MUST cm_err cm_dir_source_check(cm_dir_source *s);
void cm_dir_source_free(cm_dir_source *s);

/** Create the table's files under dirfd, sized and without content, 0755 or 0644 less the umask.
 * DIR_NOT_EMPTY unless the folder is empty; NO_SPACE and the like, with part of it left behind. */
CM_MUST cm_err cm_dir_create(int dirfd, const cm_dir *d);
/** Open a file of the table for reading, or for reading and writing. DIR_LINK, DIR_SPECIAL. */
CM_MUST cm_err cm_dir_open_entry(int *fd, int dirfd, const cm_dir_entry *e, bool write);
/** Remove a folder and what is in it, as far as that goes. Links are removed, not followed. */
void cm_dir_remove(const char *path);

#endif
