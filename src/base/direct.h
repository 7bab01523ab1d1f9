#ifndef CM_BASE_DIRECT_H
#define CM_BASE_DIRECT_H
/*
 * Large output written past the page cache. Copying into the page cache and writing it back from
 * there costs more processor time than encrypting does; where the file system can take the bytes
 * from our own buffers it does, and everywhere else these are plain writes.
 */
#include "base/base.h"

enum { CM_DIRECT_ALIGN = 4096 };

/** Read-only once started: threads share it. */
typedef struct {
    int fd;     /* borrowed */
    int direct; /* the same file, past the page cache; -1: not here */
} cm_direct;

/** Start writing about size bytes to fd, a file open for writing, and reserve room for them: the
 * file may be that long afterwards, so cut it in the end. Never fails: what is too small to bother
 * and what the file system can't do is written plainly. */
void cm_direct_start(cm_direct *d, int fd, uint64_t size);
/** Write everything. p need only lie as far past a multiple of CM_DIRECT_ALIGN as at does, or all
 * of it goes through the page cache, as the ends that fill no block do. fsync is as necessary as
 * ever. NO_SPACE, IO_WRITE. Any thread, but never two for the same bytes. */
CM_MUST cm_err cm_direct_write(const cm_direct *d, const void *p, size_t n, uint64_t at);
void cm_direct_done(cm_direct *d);

#endif
