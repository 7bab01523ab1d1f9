/* A content key wrapped and unwrapped by a server. */
#include "kms.h"

#include "svc/messages.h"

enum { ARENA_MAX = 1 << 20 };

static cm_err connected(cm_cli_kms *k)
{
    if (k->remote.client)
        return CM_OKAY;
    return cm_remote_open(k->cli, &k->remote);
}

static void put_view(cm_msg *m, size_t field, cm_view v)
{
    if (v.n == 0)
        return;
    m->v[field].set = true;
    m->v[field].view = v;
}

static cm_err ask(cm_cli_kms *k, const char *op, cm_arena *a, const cm_msg *request,
                  cm_msg **answer)
{
    return cm_remote_call(k->cli, &k->remote, cm_svc_op_by_name(cm_view_str(op)), a, request,
                          answer);
}

static cm_err wrap(void *arg, cm_buf *wrapped, uint64_t *version, const cm_key_name *name,
                   const cm_key32 *key, cm_view aad)
{
    CM_AUTO(cm_arena_free_ptr) cm_arena *a = NULL;
    cm_cli_kms *k = arg;
    cm_msg *m, *answer;

    CM_TRY(connected(k));
    CM_TRY(cm_arena_new(&a, ARENA_MAX));
    CM_TRY(cm_msg_new(&m, a, &cm_message_WrapRequest));
    put_view(m, M_WrapRequest_tenant, name->tenant);
    put_view(m, M_WrapRequest_keyspace, name->keyspace);
    put_view(m, M_WrapRequest_key, name->key);
    put_view(m, M_WrapRequest_plain, CM_VIEW(key->b));
    put_view(m, M_WrapRequest_aad, aad);
    CM_TRY(ask(k, "Wrap", a, m, &answer));
    CM_TRY(cm_buf_append(wrapped, cm_msg_view(answer, M_WrapAnswer_wrapped)));
    *version = cm_msg_number(answer, M_WrapAnswer_version, 0);
    return CM_OKAY;
}

static cm_err unwrap(void *arg, cm_key32 *key, const cm_key_name *name, cm_view wrapped,
                     cm_view aad)
{
    CM_AUTO(cm_arena_free_ptr) cm_arena *a = NULL;
    cm_cli_kms *k = arg;
    cm_msg *m, *answer;
    cm_view plain;

    CM_TRY(connected(k));
    CM_TRY(cm_arena_new(&a, ARENA_MAX));
    CM_TRY(cm_msg_new(&m, a, &cm_message_UnwrapRequest));
    put_view(m, M_UnwrapRequest_tenant, name->tenant);
    put_view(m, M_UnwrapRequest_keyspace, name->keyspace);
    put_view(m, M_UnwrapRequest_key, name->key);
    put_view(m, M_UnwrapRequest_wrapped, wrapped);
    put_view(m, M_UnwrapRequest_aad, aad);
    CM_TRY(ask(k, "Unwrap", a, m, &answer));
    plain = cm_msg_view(answer, M_UnwrapAnswer_plain);
    if (plain.n != sizeof key->b)
        return CM_FAIL(CLI_SERVER);
    memcpy(key->b, plain.p, sizeof key->b);
    return CM_OKAY;
}

cm_err cm_cli_kms_recipient(cm_cli *cli, cm_cli_kms *k, cm_recipient *out, const char *option)
{
    const char *keyspace = cm_cli_text(cli, "kms-keyspace");

    k->cli = cli;
    CM_TRY(connected(k));
    k->key = (cm_kms_key){.name = {.tenant = cm_view_str(k->remote.tenant),
                                   .keyspace = cm_view_str(keyspace ? keyspace : ""),
                                   .key = cm_view_str(cm_cli_text(cli, option))},
                          .wrap = wrap,
                          .unwrap = unwrap,
                          .arg = k};
    *out = cm_recipient_kms(&k->key);
    return CM_OKAY;
}

void cm_cli_kms_opener(cm_cli *cli, cm_cli_kms *k, cm_opener *out)
{
    k->cli = cli;
    k->key = (cm_kms_key){.wrap = wrap, .unwrap = unwrap, .arg = k, .any = true};
    *out = cm_opener_kms(&k->key);
}

void cm_cli_kms_done(cm_cli_kms *k)
{
    cm_remote_close(&k->remote);
}
