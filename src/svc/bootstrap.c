/* A store's first minutes. */
#include "svc/bootstrap.h"

#include "svc/svc_int.h"

enum { ARENA = 1 << 20 };

/* ---- the system's rows ---- */

static cm_err row_key(const cm_row_keys *keys, cm_key_runner runner, cm_view tenant,
                      uint64_t version, cm_view kek)
{
    cm_keyop op = {
        .code = CM_KEYOP_ROW_KEY, .bind = {.tenant = tenant, .kek_version = version}, .kek = kek};
    cm_err e = runner.run(runner.self, &op);

    if (cm_ok(e))
        e = keys->add(keys->self, tenant, cm_buf_view(&op.out));
    cm_keyop_done_with(&op);
    return e;
}

static cm_err new_kek(cm_key_runner runner, cm_view tenant, cm_buf *sealed)
{
    cm_keyop op = {.code = CM_KEYOP_NEW_TENANT, .bind = {.tenant = tenant, .kek_version = 1}};
    cm_err e = runner.run(runner.self, &op);

    if (cm_ok(e))
        e = cm_buf_append(sealed, cm_buf_view(&op.out));
    cm_keyop_done_with(&op);
    return e;
}

/* The record of a first KEK, as cm_svc_put_tenant() has it. */
static cm_err kek_record(cm_buf *out, cm_arena *a, cm_view sealed, uint64_t now_ms)
{
    cm_msg *r, *v, *list[1];

    CM_TRY(cm_msg_new(&r, a, &cm_message_KekRecord));
    CM_TRY(cm_msg_new(&v, a, &cm_message_KekVersion));
    cm_set_number(v, M_KekVersion_version, 1);
    cm_set_view(v, M_KekVersion_sealed, sealed);
    cm_set_number(v, M_KekVersion_created_ms, now_ms);
    list[0] = v;
    cm_set_msgs(r, M_KekRecord_versions, list, 1);
    cm_set_number(r, M_KekRecord_row_key_version, 1);
    cm_set_number(r, M_KekRecord_format, 1);
    return cm_msg_to_proto(out, r);
}

static cm_err make_system(cm_store *s, cm_arena *a, cm_key_runner runner, cm_view path,
                          uint64_t now_ms, cm_buf *sealed)
{
    CM_AUTO(cm_buf_free) cm_buf record = {.max = 1 << 16};
    CM_AUTO(cm_txn_abort_ptr) cm_txn *t = NULL;
    cm_store_write w = {.key = path, .version = 1};
    uint64_t version;
    cm_txn *ending;

    CM_TRY(new_kek(runner, CM_LIT(""), sealed));
    CM_TRY(kek_record(&record, a, cm_buf_view(sealed), now_ms));
    w.value = cm_buf_view(&record);
    CM_TRY(cm_txn_begin(&t, s));
    CM_TRY(cm_txn_versions(t, &path, 1, &version));
    if (version != 0)
        return CM_FAIL(STORE_CONFLICT);
    CM_TRY(cm_txn_write(t, &w, 1));
    ending = t;
    t = NULL;
    return cm_txn_commit(ending);
}

cm_err cm_boot_row_key(const cm_row_keys *keys, cm_key_runner runner, cm_view tenant,
                       const cm_msg *kek)
{
    uint64_t wanted = cm_msg_number(kek, M_KekRecord_row_key_version, 1);
    const cm_msg_value *all = &kek->v[M_KekRecord_versions];

    for (size_t i = 0; all->set && i < all->n; i++)
        if (cm_msg_number(all->msgs[i], M_KekVersion_version, 0) == wanted)
            return row_key(keys, runner, tenant, wanted,
                           cm_msg_view(all->msgs[i], M_KekVersion_sealed));
    return CM_FAIL(SVC_RECORD);
}

cm_err cm_boot_rows(cm_store *s, const cm_row_keys *keys, cm_key_runner runner, uint64_t now_ms,
                    bool *fresh)
{
    CM_AUTO(cm_arena_free_ptr) cm_arena *a = NULL;
    CM_AUTO(cm_buf_free) cm_buf value = {.max = 1 << 16};
    CM_AUTO(cm_buf_free) cm_buf sealed = {.max = 1 << 16};
    uint64_t version;
    cm_path p;
    cm_msg *m;
    cm_err e;

    CM_TRY(cm_arena_new(&a, ARENA));
    cm_path_init(&p);
    cm_path_add_str(&p, "boot");
    cm_path_add_str(&p, "tenant");
    cm_path_add_str(&p, "");
    e = cm_store_get(s, cm_path_view(&p), &value, &version);
    if (cm_is(e, CM_STORE_NO_ROW)) {
        CM_TRY(make_system(s, a, runner, cm_path_view(&p), now_ms, &sealed));
        *fresh = true;
        return row_key(keys, runner, CM_LIT(""), 1, cm_buf_view(&sealed));
    }
    CM_TRY(e);
    CM_TRY(cm_svc_record(&m, a, &cm_message_KekRecord, cm_buf_view(&value)));
    *fresh = false;
    return cm_boot_row_key(keys, runner, CM_LIT(""), m);
}

cm_err cm_bootstrap_due(cm_svc *s, bool *due)
{
    CM_AUTO(cm_buf_free) cm_buf value = {.max = 1 << 16};
    uint64_t version;
    cm_path p;
    cm_err e;

    cm_path_init(&p);
    cm_path_add_str(&p, "");
    cm_path_add_str(&p, "gen");
    cm_path_add_str(&p, "");
    e = cm_store_get(s->o.store, cm_path_view(&p), &value, &version);
    if (cm_failed(e) && !cm_is(e, CM_STORE_NO_ROW))
        return e;
    *due = cm_failed(e);
    return CM_OKAY;
}

/* ---- the first tenant ---- */

static cm_err one_text(cm_call *c, cm_msg *m, size_t field, const char *text)
{
    cm_view *v;

    CM_TRY(cm_arena_get(c->arena, &v, sizeof *v));
    *v = cm_view_str(text);
    m->v[field].set = true;
    m->v[field].n = 1;
    m->v[field].views = v;
    return CM_OKAY;
}

static cm_err grant(cm_call *c, const char *name, cm_view principal, const char *const *actions,
                    size_t n)
{
    cm_view path, *who, *what;
    cm_msg *r;

    CM_TRY(cm_svc_new_msg(c, &r, &cm_message_GrantRecord));
    CM_TRY(cm_arena_get(c->arena, &who, sizeof *who));
    CM_TRY(cm_arena_get(c->arena, &what, n * sizeof *what));
    *who = principal;
    for (size_t i = 0; i < n; i++)
        what[i] = cm_view_str(actions[i]);
    CM_TRY(one_text(c, r, M_GrantRecord_principals, ""));
    r->v[M_GrantRecord_principals].views = who;
    CM_TRY(one_text(c, r, M_GrantRecord_actions, ""));
    r->v[M_GrantRecord_actions].views = what;
    r->v[M_GrantRecord_actions].n = n;
    cm_set_number(r, M_GrantRecord_effect, 0);
    cm_set_number(r, M_GrantRecord_format, 1);
    CM_TRY(CM_PATH(c, &path, c->state->tenant, CM_LIT("grant"), cm_view_str(name)));
    return cm_svc_write(c, path, 1, r);
}

static cm_err credential(cm_call *c, cm_msg **kept, unsigned kind, cm_view id, cm_view public_key,
                         cm_view principal)
{
    cm_msg *row;
    cm_view path;

    CM_TRY(cm_svc_new_msg(c, &row, &cm_message_CredentialRecord));
    cm_set_view(row, M_CredentialRecord_principal, principal);
    cm_set_view(row, M_CredentialRecord_public_key, public_key);
    cm_set_number(row, M_CredentialRecord_format, 1);
    CM_TRY(cm_svc_credential_path(c, &path, c->state->tenant, kind, id));
    CM_TRY(cm_svc_write(c, path, 1, row));
    CM_TRY(cm_svc_new_msg(c, kept, &cm_message_Credential));
    cm_set_number(*kept, M_Credential_kind, kind);
    cm_set_view(*kept, M_Credential_public_key, public_key);
    cm_set_view(*kept, M_Credential_id, id);
    cm_set_number(*kept, M_Credential_created_ms, c->state->now);
    return CM_OKAY;
}

/* The administrator as a principal of the call's tenant. */
static cm_err administrator(cm_call *c, const cm_bootstrap_options *o)
{
    CM_AUTO(cm_sig_key_free_ptr) cm_sig_key *key = NULL;
    uint8_t hash[32];
    cm_msg **kept, *r;
    size_t n = 0;
    cm_view id;

    CM_TRY(cm_svc_mldsa_key(&key, c->svc->o.crypt, o->public_key));
    CM_TRY(cm_hash_once(c->svc->o.crypt, CM_SHA256, hash, o->public_key));
    CM_TRY(cm_arena_copy(c->arena, &id, CM_VIEW(hash)));
    CM_TRY(cm_arena_get(c->arena, &kept, 2 * sizeof *kept));
    CM_TRY(credential(c, &kept[n++], CM_CREDENTIAL_MLDSA, id, o->public_key, o->admin));
    if (o->spki.n && o->spki.n != sizeof hash)
        return CM_FAIL(SVC_CREDENTIAL);
    if (o->spki.n)
        CM_TRY(
            credential(c, &kept[n++], CM_CREDENTIAL_CERT, o->spki, cm_view_of(NULL, 0), o->admin));
    return cm_svc_new_principal(c, o->admin, kept, n, 0, &r);
}

/* Two first runs at once: one of them has replaced the other's root. */
static cm_err under_root(cm_call *c, uint64_t version)
{
    cm_view path;

    if (!version)
        return CM_OKAY;
    CM_TRY(CM_PATH(c, &path, CM_LIT("boot"), CM_LIT("root")));
    return cm_svc_expect(c, path, version);
}

static cm_err system_part(cm_call *c, const cm_bootstrap_options *o)
{
    static const char *const all[] = {"*"}, *const most[] = {"admin", "audit", "read"};
    cm_msg *gen, *r;
    cm_view path;

    c->state->tenant = CM_LIT("");
    CM_TRY(under_root(c, o->root));
    CM_TRY(cm_svc_new_msg(c, &gen, &cm_message_GenerationRecord));
    cm_set_number(gen, M_GenerationRecord_changes, 1);
    cm_set_number(gen, M_GenerationRecord_format, 1);
    CM_TRY(CM_PATH(c, &path, CM_LIT(""), CM_LIT("gen"), CM_LIT("")));
    CM_TRY(cm_svc_expect(c, path, 0));
    CM_TRY(cm_svc_write(c, path, 1, gen));
    CM_TRY(cm_svc_new_principal(c, CM_LIT("local"), NULL, 0, 0, &r));
    CM_TRY(grant(c, "local", CM_LIT("local"), all, 1));
    CM_TRY(administrator(c, o));
    return grant(c, "administrators", o->admin, most, CM_COUNT(most));
}

static cm_err tenant_part(cm_call *c, cm_key_runner runner, const cm_bootstrap_options *o)
{
    static const char *const all[] = {"*"};
    CM_AUTO(cm_buf_free) cm_buf sealed = {.max = 1 << 16};
    cm_view kek;
    cm_msg *r;

    CM_TRY(new_kek(runner, o->tenant, &sealed));
    CM_TRY(cm_arena_copy(c->arena, &kek, cm_buf_view(&sealed)));
    CM_TRY(row_key(&c->svc->o.row_keys, runner, o->tenant, 1, kek));
    c->state->tenant = o->tenant;
    CM_TRY(cm_svc_new_msg(c, &r, &cm_message_TenantRecord));
    CM_TRY(cm_svc_put_tenant(c, o->tenant, kek, r));
    CM_TRY(administrator(c, o));
    return grant(c, "administrators", o->admin, all, 1);
}

static cm_err commit(cm_call *c, const cm_bootstrap_options *o)
{
    struct cm_call_state *st = c->state;

    CM_TRY(cm_random(c->svc->o.crypt, st->id, sizeof st->id));
    st->entry = (cm_audit_entry){
        .time_ms = st->now,
        .id = CM_VIEW(st->id),
        .tenant = o->tenant,
        .op = CM_LIT("Bootstrap"),
        .decision = CM_AUDIT_ALLOW,
    };
    st->unit.entry = &st->entry;
    return cm_committer_commit(c->svc->o.committer, &st->unit);
}

cm_err cm_bootstrap(cm_svc *s, cm_key_runner runner, const cm_bootstrap_options *o)
{
    CM_AUTO(cm_arena_free_ptr) cm_arena *a = NULL;
    struct cm_call_state *st;
    cm_call call = {.svc = s};
    bool due;
    cm_err e;

    CM_TRY(cm_svc_tenant_check(o->tenant));
    CM_TRY(cm_svc_name_check(o->admin));
    CM_TRY(cm_bootstrap_due(s, &due));
    if (!due)
        return CM_FAIL(SVC_EXISTS);
    CM_TRY(cm_arena_new(&a, ARENA));
    CM_TRY(cm_arena_get(a, &st, sizeof *st));
    memset(st, 0, sizeof *st);
    call.arena = a;
    call.state = st;
    st->call = &call;
    st->now = s->o.now_ms(s->o.now_arg);
    st->unit = (cm_unit){.expects = st->expects, .writes = st->writes, .bumps = st->bumps};
    e = system_part(&call, o);
    if (cm_ok(e))
        e = tenant_part(&call, runner, o);
    if (cm_ok(e))
        e = commit(&call, o);
    cm_svc_release(st);
    return e;
}
