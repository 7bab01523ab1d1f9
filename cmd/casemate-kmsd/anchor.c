/* How far the log had come, kept outside the database: an older copy of it is refused. */
#include <stdio.h>

#include "kmsd.h"
#include "store/anchor.h"
#include "store/rowseal.h"

enum { EVERY_MS = 100 };

/* What is in the store now, its log standing at size and root. */
static cm_err point(const kmsd *d, cm_anchor_point *p, uint64_t size, const uint8_t root[32])
{
    cm_store_info i;

    CM_TRY(cm_store_get_info(d->store, &i));
    *p = (cm_anchor_point){.generation = i.generation, .size = size};
    memcpy(p->store, i.id, sizeof p->store);
    memcpy(p->root, root, sizeof p->root);
    return CM_OKAY;
}

static cm_err load(void *self, uint64_t *size, uint8_t root[32])
{
    const kmsd *d = self;
    cm_anchor_point p;

    *size = 0;
    if (!d->accept_rollback && cm_anchor_last(d->anchor, &p)) {
        *size = p.size;
        memcpy(root, p.root, sizeof p.root);
    }
    return CM_OKAY;
}

static cm_err save(void *self, uint64_t size, const uint8_t root[32])
{
    kmsd *d = self;
    cm_anchor_point p;

    CM_TRY(point(d, &p, size, root));
    return cm_anchor_note(d->anchor, &p);
}

cm_err cm_kmsd_anchor_open(kmsd *d, cm_audit_anchor *out)
{
    CM_AUTO(cm_key32_wipe) cm_key32 key;
    cm_anchor_point last = {.size = 0}, now;
    char path[4200];

    snprintf(path, sizeof path, "%s/kms.anchor", d->v->data);
    CM_TRY(cm_rowseal_derive(d->rows, &key, CM_LIT(""), CM_LIT("casemate-anchor-v1")));
    CM_TRY(cm_anchor_new(&d->anchor, d->crypt, path, &key, EVERY_MS, d->accept_rollback));
    /* The committer holds the log against the note; store and generation are held here. */
    (void)cm_anchor_last(d->anchor, &last);
    CM_TRY(point(d, &now, last.size, last.root));
    CM_TRY(cm_anchor_check(d->anchor, &now, d->accept_rollback));
    *out = (cm_audit_anchor){load, save, d};
    return CM_OKAY;
}

void cm_kmsd_anchor_close(kmsd *d)
{
    if (d->anchor && cm_failed(cm_anchor_flush(d->anchor)))
        CM_LOG(d->log, ERROR, "anchor_failed");
    cm_anchor_free_ptr(&d->anchor);
}
