#ifndef TESTLIB_BADFS_H
#define TESTLIB_BADFS_H
/*
 * A file system that fails, below SQLite: a VFS that becomes the default one. It remembers what was
 * written and not yet flushed, so that it can also lose power: then the files become what the disk
 * would hold, with any part of the unflushed sectors.
 */
#include <stdbool.h>

enum badfs_call { BADFS_WRITE, BADFS_SYNC, BADFS_READ, BADFS_TRUNCATE };

void badfs_install(void);
/** From now on the nth call of a kind (1: the next) fails, once, or with all that follow. full: as
 * a full disk does; else with an I/O error. n 0: none fails. */
void badfs_fail(enum badfs_call call, unsigned n, bool lasting, bool full);
/** Whether a call failed since. */
bool badfs_hit(void);
/** From now on what is written counts as being in the cache until it is flushed. */
void badfs_remember(void);
/** Loses power: of each sector written since its file's last flush, the old or the new state stays,
 * by seed. After all connections are closed. */
void badfs_cut_power(unsigned seed);
/** From now on writes change nothing any more, though they say they do: between the cut and the
 * closing of connections. */
void badfs_freeze(void);

#endif
