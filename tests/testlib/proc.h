#ifndef TESTLIB_PROC_H
#define TESTLIB_PROC_H
/* Other programs and temporary folders, for tests. Each ends the process on failures of its own. */
#include <stdbool.h>
#include <sys/types.h>

#include <casemate/bytes.h>

enum { T_PATH = 512, T_OUTPUT = 1 << 20, T_ARGS = 40 };

/** A new folder below $TMPDIR; t_rmdir() removes it with everything in it. */
void t_mkdir(char path[T_PATH]);
void t_rmdir(const char *path);
/** dir/name in one of a few static buffers, good for the next 15 calls. */
const char *t_path(const char *dir, const char *name);
void t_put_file(const char *path, cm_view v);
/** Appends a whole file to b. */
void t_get_file(cm_buf *b, const char *path);

/** Run argv[0] (looked up in PATH) with in on its standard input. Appends what it writes, errors
 * included, to out when out is not NULL. Its exit status, or 128 + the signal. */
int t_run(cm_buf *out, cm_view in, const char *const argv[]);
/** In the background, with a standard input that stays open and empty. */
pid_t t_start(const char *log, const char *const argv[]);
/** Ends a program started here and waits for it. */
void t_stop(pid_t pid);

/** The openssl(1) to test against, or NULL when there is none of 3.5 or later. */
const char *t_openssl(void);

#endif
