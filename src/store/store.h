#ifndef CM_STORE_STORE_H
#define CM_STORE_STORE_H
/*
 * Durable rows in key order, with a version each: SQLite inside the process, or PostgreSQL for many
 * nodes. What a row holds is sealed on its way in and checked on its way out (store/README.md):
 * bound to its tenant, its key and its version.
 *
 * A version counts the writes of a row from 1. Whoever writes names the version that the row gets:
 * the row must stand at the one before (0: absent), so every write is a compare-and-swap.
 */
#include "store/path.h"

typedef struct cm_store cm_store;

/** How rows are sealed. `tenant` is the first component of the row's path. */
typedef struct {
    /** Append the sealed form of plain. */
    cm_err (*seal)(void *self, cm_buf *out, cm_view tenant, cm_view key, uint64_t version,
                   cm_view plain);
    cm_err (*open)(void *self, cm_buf *out, cm_view tenant, cm_view key, uint64_t version,
                   cm_view sealed);
    void *self;
} cm_store_sealer;

typedef struct {
    const char *path;   /* the database file */
    bool create;        /* make it when absent */
    bool migrate;       /* bring an older schema up to date */
    bool read_only;     /* beside the process that has it; transactions are refused */
    unsigned cache_kib; /* 0: default */
} cm_store_sqlite;

typedef struct {
    const char *conninfo; /* libpq's: a password comes from its passfile, never from here */
    bool create;          /* make the tables when absent */
    bool migrate;
    unsigned readers;    /* connections for reading; 0: default, at most 64 */
    unsigned patience_s; /* how long a lost server is waited for; 0: default */
    unsigned write_ms; /* how long an answer to a step of a transaction is waited for; 0: default */
    unsigned read_ms;  /* how long a read waits, for its answer or for a lost server, where a
                        * thread that reads must not stop for long; 0: as long as a write */
} cm_store_postgres;

/** STORE_FOREIGN another program's file; STORE_NEWER, STORE_OLDER the schema is another;
 * STORE_IN_USE another process has it and read_only is not asked for; NO_FILE without create. */
CM_MUST cm_err cm_store_open_sqlite(cm_store **out, const cm_store_sqlite *o);
/** Loads libpq.so.5: call it before the process is confined. STORE_NO_LIBPQ without it;
 * STORE_UNREACHABLE, STORE_LOGIN; STORE_CONNINFO for what libpq can't read or one with a password
 * in it; NO_FILE without create where the tables are absent. A name other than a socket's folder
 * is reached by verified TLS unless the conninfo says otherwise. */
CM_MUST cm_err cm_store_open_postgres(cm_store **out, const cm_store_postgres *o);
void cm_store_close(cm_store *s);
void cm_store_close_ptr(cm_store **s);
/** Files that connections to a server are made with, each while each() runs: keys, certificates, a
 * passfile. They may be absent. Nothing for a database in a file. */
void cm_store_files(cm_store *s, void (*each)(void *arg, const char *path), void *arg);
/** Whether other processes may write to the same rows. */
bool cm_store_shared(const cm_store *s);

typedef struct {
    uint8_t id[16];      /* random, another one after every restore */
    uint64_t generation; /* grows with every transaction that wrote */
    unsigned schema;
    const char *engine; /* "sqlite", "postgres" */
} cm_store_info;
/** Any thread. */
CM_MUST cm_err cm_store_get_info(cm_store *s, cm_store_info *i);
/** From now on rows outside "boot" can be read and written. Borrowed until the store closes. */
void cm_store_unseal(cm_store *s, const cm_store_sealer *sealer);

typedef struct {
    cm_view key, value; /* borrowed for the call */
    uint64_t version;
} cm_store_row;

/** Any thread. STORE_NO_ROW; STORE_LOCKED before cm_store_unseal(); CRYPT_TAG for a row that is not
 * what was written under this key and version. Appends to value. */
CM_MUST cm_err cm_store_get(cm_store *s, cm_view key, cm_buf *value, uint64_t *version);
/** Rows from <= key < to in order, at most max, from one snapshot. The first failure of row() ends
 * it and is returned. Any thread. */
CM_MUST cm_err cm_store_scan(cm_store *s, cm_view from, cm_view to, size_t max,
                             cm_err (*row)(void *arg, const cm_store_row *r), void *arg);

/* One write transaction at a time per store; the thread that began it ends it. */
typedef struct cm_txn cm_txn;

typedef struct {
    cm_view key;
    uint64_t version; /* that the row gets; 0: the row is removed */
    cm_view value;
} cm_store_write;

CM_MUST cm_err cm_txn_begin(cm_txn **out, cm_store *s);
/** Versions of many rows at once, 0 where there is none. */
CM_MUST cm_err cm_txn_versions(cm_txn *t, const cm_view *keys, size_t n, uint64_t *versions);
CM_MUST cm_err cm_txn_get(cm_txn *t, cm_view key, cm_buf *value, uint64_t *version);
/** The rows must stand as their versions say (the caller has looked): STORE_CONFLICT. BAD_ARGUMENT,
 * TOO_BIG. After a failure only cm_txn_abort() is left. */
CM_MUST cm_err cm_txn_write(cm_txn *t, const cm_store_write *w, size_t n);
/** Durable once it returns. STORE_CONFLICT: another node was faster, begin anew. STORE_UNKNOWN: the
 * server was lost and could not be asked: it may be there or not, and the next transaction waits
 * until that is settled. t is gone in any case. */
CM_MUST cm_err cm_txn_commit(cm_txn *t);
void cm_txn_abort(cm_txn *t);
void cm_txn_abort_ptr(cm_txn **t);

#endif
