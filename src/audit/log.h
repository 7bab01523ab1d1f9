#ifndef CM_AUDIT_LOG_H
#define CM_AUDIT_LOG_H
/*
 * The log as it stands in the store: what the committer writes, read by everyone else.
 *
 * Rows of the system's tenant (spec/audit.md, 2):
 *   log head              size and root of all that is committed, time of the last entry
 *   log note              the last signed checkpoint
 *   log entry INDEX       a run of entries from INDEX on, as in a bundle, never over a bundle's end
 *   log tile LEVEL N      the hashes of a tile; of level 0 only full ones
 * Entries and full tiles never change, and what grows only grows: whoever reads the head first may
 * read the rest without a transaction.
 *
 * Any thread; a cm_log_source belongs to one at a time.
 */
#include "audit/tree.h"
#include "store/store.h"

typedef struct {
    uint64_t size;
    uint8_t root[32];
    uint64_t time_ms; /* of the last entry; 0: not known */
    uint64_t version; /* of the row; 0: there is none yet */
} cm_log_head;

void cm_log_head_path(cm_path *p);
void cm_log_note_path(cm_path *p);
void cm_log_entry_path(cm_path *p, uint64_t index);
void cm_log_tile_path(cm_path *p, unsigned level, uint64_t n);

/** An empty log has no head yet: size 0. AUDIT_DAMAGED when the row is no head; what the store
 * fails with. */
CM_MUST cm_err cm_log_head_read(cm_log_head *h, cm_store *s);
/** Append the last signed checkpoint. STORE_NO_ROW: none yet. */
CM_MUST cm_err cm_log_note_read(cm_buf *note, cm_store *s);

/** Append the first width entries of bundle n (1 to 256), in C2SP's form. AUDIT_DAMAGED when they
 * are not all there. */
CM_MUST cm_err cm_log_bundle(cm_buf *out, cm_store *s, uint64_t n, unsigned width);
/** Append the first width hashes of a tile. */
CM_MUST cm_err cm_log_tile(cm_buf *out, cm_store *s, unsigned level, uint64_t n, unsigned width);
/** Append one entry. AUDIT_NO_LEAF past the end. */
CM_MUST cm_err cm_log_entry(cm_buf *out, cm_store *s, uint64_t index);

/** The next entry of a bundle; false at its end or where it is cut off. */
bool cm_log_entry_next(cm_view *bundle, cm_view *entry);

/* ---- a log to read, wherever it is ---- */

/** Each appends; width as in cm_log_bundle(), exactly so many entries or hashes. */
typedef struct {
    cm_err (*note)(void *self, cm_buf *out);
    cm_err (*tile)(void *self, cm_buf *out, unsigned level, uint64_t n, unsigned width);
    cm_err (*bundle)(void *self, cm_buf *out, uint64_t n, unsigned width);
    void *self;
} cm_log_view;

cm_log_view cm_log_view_store(cm_store *s);

/** Files in the layout of C2SP tlog-tiles. */
typedef struct {
    /** Append the file of that name ("checkpoint", "tile/0/000"); NO_FILE when there is none. */
    cm_err (*read)(void *self, cm_buf *out, const char *name);
    void *self;
} cm_log_files;

/** f is borrowed. A partial file that is gone is looked for in the full one. AUDIT_TILE: a file of
 * another length, or of other entries than its name says. */
cm_log_view cm_log_view_files(const cm_log_files *f);

/** Hashes from a view's tiles, one tile a level remembered. Plain memory of 130 KiB. */
typedef struct {
    cm_log_view view;
    uint64_t size; /* of the tree whose tiles are read: may grow */
    cm_tile tile[CM_TILE_LEVELS];
} cm_log_source;

void cm_log_source_init(cm_log_source *l, const cm_log_view *v, uint64_t size);
cm_tlog_source cm_log_source_of(cm_log_source *l);

/** Append a receipt of one entry, by the last checkpoint. AUDIT_NO_LEAF when that does not cover
 * it; nothing is verified. */
CM_MUST cm_err cm_log_receipt(cm_buf *out, const cm_log_view *v, uint64_t index);
/** Append the hashes that lead from the tree of size leaves to that of the last checkpoint; none
 * for size 0. AUDIT_SHRUNK when the checkpoint is smaller. */
CM_MUST cm_err cm_log_proof_since(cm_buf *proof, const cm_log_view *v, uint64_t size);

/** Where an export goes. */
typedef struct {
    /** Put a file under its name, whole. */
    cm_err (*write)(void *self, const char *name, cm_view v);
    /** Whether a full tile or bundle of that name is there already. */
    bool (*has)(void *self, const char *name);
    /** Now and then; may be NULL. false: stop, CANCELLED. */
    bool (*progress)(void *self, uint64_t done, uint64_t of);
    void *self;
} cm_log_sink;

/** Everything under the last checkpoint, which is written last. *size, if not NULL: its. */
CM_MUST cm_err cm_log_export(const cm_log_sink *to, const cm_log_view *v, uint64_t *size);

/** The right edge of the tree under head, from the store's rows, and the versions of the rows of
 * its partial tiles. AUDIT_DAMAGED when its root is not the head's. */
CM_MUST cm_err cm_log_load(cm_tree *t, uint64_t versions[CM_TILE_LEVELS], cm_store *s,
                           const cm_log_head *h);

#endif
