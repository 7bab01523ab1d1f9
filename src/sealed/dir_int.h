#ifndef CM_SEALED_DIR_INT_H
#define CM_SEALED_DIR_INT_H
/* Directory models: what the table, the folder and the source share. */
#include <sys/stat.h>

#include "sealed/dir.h"

/** A copy of path and the rest; offset is filled in by cm_dir_layout(). DIR_LIMIT. */
CM_MUST cm_err cm_dir_add(cm_dir *d, cm_view path, uint64_t size, bool executable);
/** Offsets and plain_size from paths and sizes. DIR_LIMIT. */
CM_MUST cm_err cm_dir_layout(cm_dir *d);
/** Whether paths ascend and none is a folder above another (S-7). */
bool cm_dir_in_order(const cm_dir *d);

/** Open the folder path ("" is dirfd itself) below dirfd for reading its entries. */
CM_MUST cm_err cm_dir_open_folder(int *fd, int dirfd, const char *path);
/** lstat() of a name in an open folder. */
CM_MUST cm_err cm_dir_stat(struct stat *st, int fd, const char *name);

static inline bool cm_dir_seen_same(const cm_dir_entry *e, const struct stat *st)
{
    return e->seen.dev == (uint64_t)st->st_dev && e->seen.ino == (uint64_t)st->st_ino &&
           e->size == (uint64_t)st->st_size && e->seen.sec == (int64_t)st->st_mtim.tv_sec &&
           e->seen.nsec == (int64_t)st->st_mtim.tv_nsec;
}

#endif
