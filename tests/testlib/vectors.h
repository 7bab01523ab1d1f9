#ifndef CM_TESTLIB_VECTORS_H
#define CM_TESTLIB_VECTORS_H
/*
 * Known answers from $CASEMATE_VECTORS: files found by pattern, so that a new one is run without a
 * change here, and a count of what ran and what did not and why. A wrong answer is reported with
 * its file and case, and the rest still runs.
 */
#include <casemate/bytes.h>

/** A test's whole main(): 0 when something ran and nothing failed, 77 when nothing ran, else 1. */
int t_vectors_main(void (*run)(void));

/** fn for each file in the folder that matches the pattern (fnmatch), in order of names. A folder
 * or pattern that gives nothing is reported as a skip. Prints a line for each file. */
void t_each_file(const char *folder, const char *pattern, void (*fn)(const char *path));

/** What needs no file, counted under a name. */
void t_group(const char *name, void (*fn)(void));

/** A whole file, at most 64 MiB, unpacked if it is gzip. Ends the process when that fails. */
cm_buf t_slurp(const char *path);

/** The next line of *text without its end, which *text is moved behind; false at the end. */
bool t_line(cm_view *line, cm_view *text);
/** The bytes of hex text; a view of one of 16 buffers in turn. */
cm_view t_hex_view(cm_view hex);
/** A file of `name = hex` lines: moves to the next, the value still as text. Others are passed
 * over.
 */
bool t_pair(cm_view *name, cm_view *value, cm_view *text);

/** Name the case that the checks which follow are about. */
void t_case(const char *name, uint64_t number);
/** Count a case as run; or as left out for a reason (a literal). */
void t_ran(void);
void t_skip(const char *why);
/** What a case says, and whether it holds. Returns it. */
bool t_check(bool holds, const char *what, const char *file, int line);
#define T_CHECK(x) t_check((x), #x, __FILE__, __LINE__)

#endif
