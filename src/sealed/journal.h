#ifndef CM_SEALED_JOURNAL_H
#define CM_SEALED_JOURNAL_H
/*
 * Where the tree of a container in the making is kept, and how an interrupted run goes on. Each
 * sealed run of 1024 nodes is appended once the segments it stands for are durable, so the journal
 * is also the checkpoint. Without a name it is a memory file that dies with the process.
 *
 * File: "CSMJ0001" | input identity 32 | hd 32 | nonce 12, content key 32, tag 16 under the user's
 * resume key with everything before as aad | FLOE header of the tree | sealed runs.
 */
#include "sealed/keys.h"

typedef struct {
    int fd;
    char *path;    /* NULL: in memory */
    uint64_t size; /* bytes of the FLOE message so far, its header included */
} cm_journal;

enum { CM_JOURNAL_HEAD = 8 + 32 + 32 + 12 + 32 + 16 };

typedef struct {
    const cm_crypt *crypt;
    const uint8_t *resume_key; /* 32 bytes */
    const uint8_t *identity;   /* 32 bytes */
    const uint8_t *hd;         /* 32 bytes */
} cm_journal_id;

/** A fresh journal beside part (PART.journal), or in memory when part is NULL. floe_header starts
 * it. */
CM_MUST cm_err cm_journal_new(cm_journal *j, const char *part, const cm_journal_id *id,
                              const cm_key32 *content, const uint8_t floe_header[CM_FLOE_HEADER]);
/** One left by an earlier run. SEALED_JOURNAL when it is of another input, header or user. */
CM_MUST cm_err cm_journal_open(cm_journal *j, const char *part, const cm_journal_id *id,
                               cm_key32 *content);
CM_MUST cm_err cm_journal_append(cm_journal *j, cm_view bytes);
/** n bytes of the FLOE message from off. */
CM_MUST cm_err cm_journal_read(const cm_journal *j, void *p, size_t n, uint64_t off);
/** Forget what lies behind n bytes of the message: half a run that a crash cut off. */
CM_MUST cm_err cm_journal_cut(cm_journal *j, uint64_t n);
/** Close; remove the file as well. */
void cm_journal_drop(cm_journal *j);
/** Close and leave the file for a later run. */
void cm_journal_close(cm_journal *j);

#endif
