#ifndef CM_BASE_OS_H
#define CM_BASE_OS_H
/* Files, as this project uses them: whole reads and writes, and output that appears at once. */
#include "base/base.h"

#include <sys/types.h>

/** The reason that fits errno value err, or fallback where none does. */
cm_err cm_os_err(int err, cm_reason fallback);

/** Close a descriptor variable if it is >= 0, for CM_AUTO. */
void cm_os_close_fd(int *fd);

/** Read until n bytes or the end; *got says how many. IO_READ. Retries EINTR. */
CM_MUST cm_err cm_os_read(int fd, void *p, size_t n, size_t *got);
/** The same at an offset. */
CM_MUST cm_err cm_os_pread(int fd, void *p, size_t n, uint64_t at, size_t *got);
/** All n bytes at an offset, or IO_SHORT. */
CM_MUST cm_err cm_os_pread_all(int fd, void *p, size_t n, uint64_t at);
/** Say that n bytes from at will be read soon: the disk fetches them meanwhile. Only advice. */
void cm_os_will_read(int fd, uint64_t at, uint64_t n);
/** Write everything. NO_SPACE, IO_PIPE_CLOSED, IO_WRITE. */
CM_MUST cm_err cm_os_write(int fd, const void *p, size_t n);
CM_MUST cm_err cm_os_pwrite(int fd, const void *p, size_t n, uint64_t at);
CM_MUST cm_err cm_os_sync(int fd);

/** Open for reading, O_CLOEXEC. NO_FILE, NO_PERMISSION, IO_OPEN. */
CM_MUST cm_err cm_os_open_read(int *fd, const char *path);
/** Whether fd is a regular file on which group or others have any permission. IO_READ. */
CM_MUST cm_err cm_os_is_shared(int fd, bool *shared);
/** Open for reading and writing; create: make it or empty it, for this user only, and never
 * through a symbolic link. */
CM_MUST cm_err cm_os_open_update(int *fd, const char *path, bool create);
/** Lock the file behind fd, which path led to, against other writers until it is closed. FILE_BUSY
 * when another process holds it or has put another file in its place. */
CM_MUST cm_err cm_os_lock(int fd, const char *path);
/** A file in memory without a name; sealable: it can be made unchangeable. NO_MEMORY. */
CM_MUST cm_err cm_os_memfd(int *fd, const char *label, bool sealable);
/** Make a cm_os_memfd() unchangeable for good, and readable by its owner alone. */
CM_MUST cm_err cm_os_freeze(int fd);
bool cm_os_exists(const char *path);
/** Remove a file if it is there. */
void cm_os_remove(const char *path);
/** A whole small file, at most max bytes (TOO_BIG). Appends to out, whose own max holds too. */
CM_MUST cm_err cm_os_slurp(cm_buf *out, const char *path, size_t max);
/** Put bytes under a name at once: temp file in the same folder, fsync, rename, fsync folder.
 * replace false: CONFLICT (FILE_EXISTS) when the name is taken. */
CM_MUST cm_err cm_os_spit(const char *path, cm_view v, mode_t mode, bool replace);

/** Output that is visible under its name only when it is whole. The bytes go to PATH.part, locked
 * against a second writer, and stay there for a resumed run when not committed. */
typedef struct {
    int fd;
    char *path, *part;
} cm_os_out;

/** Open PATH.part for reading and writing. keep: leave what an earlier run wrote, else empty it.
 * FILE_BUSY when another process writes it. */
CM_MUST cm_err cm_os_out_open(cm_os_out *o, const char *path, mode_t mode, bool keep);
/** fsync, rename to PATH, fsync the folder, close. replace false: FILE_EXISTS when taken. */
CM_MUST cm_err cm_os_out_commit(cm_os_out *o, bool replace);
/** Remove the partial file and close. */
void cm_os_out_drop(cm_os_out *o);
/** Close, leaving the partial file for a later run. Zeroed objects are fine (fd 0 is never ours).
 */
void cm_os_out_close(cm_os_out *o);
/** fsync the folder that holds path. */
CM_MUST cm_err cm_os_sync_dir_of(const char *path);

/** Seconds since the epoch; nanoseconds of a clock that never goes back. */
uint64_t cm_os_now(void);
uint64_t cm_os_monotonic_ns(void);

/** Zeroed memory in pages of its own, of which only those that are touched take any. For large
 * buffers that are seldom full; cm_alloc() is faster. NO_MEMORY. */
CM_MUST cm_err cm_os_pages(void *out, size_t n);
/** Gives back what cm_os_pages() gave for n; nothing of it stays readable. */
void cm_os_pages_free(void *p, size_t n);

#endif
