/* The log as callers see it. Heads and tiles are public: they hold hashes alone. Entries are their
 * tenant's. */
#include "svc/svc_int.h"

#include "audit/log.h"
#include "audit/receipt.h"

enum { ENTRIES = 100, ENTRIES_MAX = 1000, TAIL_WAIT_MS = 500 };

static cm_err size_of(uint64_t *size, cm_view note)
{
    cm_checkpoint at;
    cm_note n;

    CM_TRY(cm_note_parse(&n, note));
    CM_TRY(cm_checkpoint_parse(&at, n.text));
    *size = at.size;
    return CM_OKAY;
}

/* This node's, or a newer one that another node has signed and put into the store. */
static cm_err newest_note(cm_call *c, cm_buf *note)
{
    CM_AUTO(cm_buf_free) cm_buf stored = {.max = CM_NOTE_MAX};
    uint64_t ours = 0, theirs = 0;
    cm_err e = cm_committer_checkpoint(c->svc->o.committer, note);

    if (!cm_store_shared(c->svc->o.store))
        return e;
    if (cm_ok(e))
        CM_TRY(size_of(&ours, cm_buf_view(note)));
    CM_TRY(cm_log_note_read(&stored, c->svc->o.store));
    CM_TRY(size_of(&theirs, cm_buf_view(&stored)));
    if (theirs <= ours)
        return CM_OKAY;
    note->n = 0;
    return cm_buf_append(note, cm_buf_view(&stored));
}

cm_err cm_do_checkpoint(cm_call *c)
{
    CM_AUTO(cm_buf_free) cm_buf note = {.max = CM_NOTE_MAX};
    cm_view kept;

    CM_TRY(newest_note(c, &note));
    CM_TRY(cm_arena_copy(c->arena, &kept, cm_buf_view(&note)));
    cm_set_view(c->answer, M_CheckpointAnswer_checkpoint, kept);
    return CM_OKAY;
}

cm_err cm_do_tile(cm_call *c)
{
    CM_AUTO(cm_buf_free) cm_buf tile = {.max = (size_t)CM_TILE_WIDTH * 32};
    uint64_t level = cm_msg_number(c->request, M_TileRequest_level, 0);
    uint64_t width = cm_msg_number(c->request, M_TileRequest_width, CM_TILE_WIDTH);
    cm_view kept;

    if (level >= CM_TILE_LEVELS || width == 0 || width > CM_TILE_WIDTH)
        return cm_svc_wrong(c, CM_FAIL(SVC_REQUEST), "level, width");
    CM_TRY(cm_log_tile(&tile, c->svc->o.store, (unsigned)level,
                       cm_msg_number(c->request, M_TileRequest_index, 0), (unsigned)width));
    CM_TRY(cm_arena_copy(c->arena, &kept, cm_buf_view(&tile)));
    cm_set_view(c->answer, M_TileAnswer_tile, kept);
    return CM_OKAY;
}

/* V-63: a tenant sees its own entries; the system's auditors see all. */
static bool may_see(const cm_call *c, const cm_audit_entry *e)
{
    return c->state->tenant.n == 0 || cm_view_eq(e->tenant, c->state->tenant);
}

/* ---- receipts ---- */

static cm_err make_receipt(cm_call *c, cm_buf *out, uint64_t leaf, cm_view entry)
{
    CM_AUTO(cm_buf_free) cm_buf note = {.max = CM_NOTE_MAX};
    CM_AUTO(cm_buf_free) cm_buf proof = {.max = (size_t)64 * 32};
    CM_AUTO(cm_free_ptr) cm_log_source *source = NULL;
    cm_tlog_source hashes;
    cm_checkpoint at;
    cm_log_view view;
    cm_note n;

    CM_TRY(newest_note(c, &note));
    CM_TRY(cm_note_parse(&n, cm_buf_view(&note)));
    CM_TRY(cm_checkpoint_parse(&at, n.text));
    if (leaf >= at.size) /* committed, and to be signed in a moment */
        return CM_FAIL(SVC_NO_ROW);
    CM_TRY(cm_alloc(&source, sizeof *source));
    view = cm_log_view_store(c->svc->o.store);
    cm_log_source_init(source, &view, at.size);
    hashes = cm_log_source_of(source);
    CM_TRY(cm_tlog_inclusion(&proof, &hashes, leaf, at.size));
    return cm_receipt_put(out, leaf, cm_buf_view(&proof), entry, cm_buf_view(&note));
}

cm_err cm_do_receipt(cm_call *c)
{
    uint64_t leaf = cm_msg_number(c->request, M_ReceiptRequest_leaf, 0);
    CM_AUTO(cm_buf_free) cm_buf entry = {.max = CM_RECEIPT_EXTRA};
    CM_AUTO(cm_buf_free) cm_buf receipt = {.max = CM_RECEIPT_MAX};
    cm_audit_entry e;
    cm_view kept;
    cm_err failed = cm_log_entry(&entry, c->svc->o.store, leaf);

    if (cm_failed(failed))
        return cm_err_class(failed) == CM_CLASS_NOTFOUND ? CM_FAIL(SVC_NO_ROW) : failed;
    CM_TRY(cm_audit_entry_decode(&e, cm_buf_view(&entry)));
    if (!may_see(c, &e)) /* as if it were not there */
        return CM_FAIL(SVC_NO_ROW);
    CM_TRY(make_receipt(c, &receipt, leaf, cm_buf_view(&entry)));
    CM_TRY(cm_arena_copy(c->arena, &kept, cm_buf_view(&receipt)));
    cm_set_view(c->answer, M_ReceiptAnswer_receipt, kept);
    return CM_OKAY;
}

/* ---- entries ---- */

static cm_err show_entry(cm_call *c, cm_msg *out, uint64_t leaf, const cm_audit_entry *e,
                         cm_view bytes)
{
    cm_set_number(out, M_LogEntry_leaf, leaf);
    cm_set_number(out, M_LogEntry_time_ms, e->time_ms);
    cm_set_view(out, M_LogEntry_tenant, e->tenant.n ? e->tenant : CM_LIT(CM_SYSTEM_TENANT));
    cm_set_view(out, M_LogEntry_operation, e->op);
    cm_set_view(out, M_LogEntry_resource, e->resource);
    cm_set_number(out, M_LogEntry_key_version, e->key_version);
    cm_set_number(out, M_LogEntry_allowed, e->decision == CM_AUDIT_ALLOW);
    if (e->reason)
        cm_set_view(out, M_LogEntry_reason, cm_view_str(cm_err_name((cm_err){e->reason})));
    cm_set_view(out, M_LogEntry_principal, e->principal);
    cm_set_view(out, M_LogEntry_id, e->id);
    cm_set_view(out, M_LogEntry_entry, bytes);
    cm_set_view(out, M_LogEntry_custody, e->custody);
    (void)c;
    return CM_OKAY;
}

/* Entries from `from` on, at most `count` looked at; the tenant's are shown. */
static cm_err entries(cm_call *c, uint64_t from, uint64_t count, uint64_t size)
{
    uint64_t end = from < size ? CM_MIN(size, from + count) : from;
    cm_msg **list;
    size_t n = 0;

    CM_TRY(cm_arena_get(c->arena, &list, (count + 1) * sizeof *list));
    for (uint64_t i = from; i < end; i++) {
        CM_AUTO(cm_buf_free) cm_buf b = {.max = CM_RECEIPT_EXTRA};
        cm_audit_entry e;
        cm_view kept;

        CM_TRY(cm_log_entry(&b, c->svc->o.store, i));
        CM_TRY(cm_audit_entry_decode(&e, cm_buf_view(&b)));
        if (!may_see(c, &e))
            continue;
        CM_TRY(cm_arena_copy(c->arena, &kept, cm_buf_view(&b)));
        CM_TRY(cm_audit_entry_decode(&e, kept));
        CM_TRY(cm_svc_new_msg(c, &list[n], &cm_message_LogEntry));
        CM_TRY(show_entry(c, list[n++], i, &e, kept));
    }
    cm_set_msgs(c->answer, M_ListEntriesAnswer_entries, list, n);
    cm_set_number(c->answer, M_ListEntriesAnswer_next, end);
    cm_set_number(c->answer, M_ListEntriesAnswer_size, size);
    return CM_OKAY;
}

cm_err cm_do_list_entries(cm_call *c)
{
    uint64_t count = cm_msg_number(c->request, M_ListEntriesRequest_count, ENTRIES);
    cm_log_head head;

    CM_TRY(cm_log_head_read(&head, c->svc->o.store));
    return entries(c, cm_msg_number(c->request, M_ListEntriesRequest_from, 0),
                   CM_MIN(count, (uint64_t)ENTRIES_MAX), head.size);
}

/* One piece of the stream; the caller comes back for the next (cm_svc_more). */
cm_err cm_do_tail_entries(cm_call *c)
{
    CM_TRY(cm_do_list_entries(c));
    c->more = true;
    c->wait_ms = cm_msg_number(c->answer, M_ListEntriesAnswer_next, 0) <
                         cm_msg_number(c->answer, M_ListEntriesAnswer_size, 0)
                     ? 0
                     : TAIL_WAIT_MS;
    cm_set_number(c->request, M_ListEntriesRequest_from,
                  cm_msg_number(c->answer, M_ListEntriesAnswer_next, 0));
    return CM_OKAY;
}
