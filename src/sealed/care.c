/* Looking after containers: who can open one, who vouches for it, and moving one to new keys. */
#include <sys/stat.h>
#include <unistd.h>

#include "base/os.h"
#include "sealed/extract_int.h"

enum { COPY = 8 << 20 };

/* ---- rewrap -------------------------------------------------------------------------------- */

static cm_err make_envelope(struct cm_sealed *s, const cm_rewrap *w, cm_buf *env)
{
    CM_AUTO(cm_buf_free) cm_buf context = {.max = 64};
    cm_envelope_policy policy = cm_tier_policy(s->core.tier, s->o.allow_classical);

    CM_TRY(cm_sealed_context(&context, &s->core));
    return cm_envelope_reseal(env, s->crypt, &s->content, s->slots.envelope, w->keep, w->keep_arg,
                              w->add, w->add_n, &policy, cm_buf_view(&context));
}

/* S-4: the other slot first and durable, then the old one cleared. */
static cm_err write_slots(struct cm_sealed *s, cm_view env)
{
    CM_AUTO(cm_buf_free) cm_buf slot = {.max = CM_SLOT_MAX};
    unsigned now = s->slots.which, next = !now;
    uint64_t at[2] = {s->core.slots_at, s->core.slots_at + s->core.slot};

    CM_TRY(cm_buf_reserve(&slot, s->core.slot));
    CM_TRY(cm_slot_encode(slot.p, s->crypt, &s->core, s->slots.sequence + 1, env));
    CM_TRY(cm_os_pwrite(s->fd, slot.p, s->core.slot, at[next]));
    CM_TRY(cm_os_sync(s->fd));
    memset(slot.p, 0, s->core.slot);
    CM_TRY(cm_os_pwrite(s->fd, slot.p, s->core.slot, at[now]));
    return cm_os_sync(s->fd);
}

/* In the kernel where the file system can share or move the bytes itself, else through memory. */
static cm_err copy_range(int in, int out, uint64_t from, uint64_t to, uint64_t n)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = COPY};
    off_t a = (off_t)from, z = (off_t)to;

    while (n) {
        ssize_t got = copy_file_range(in, &a, out, &z, (size_t)CM_MIN(n, (uint64_t)1 << 30), 0);

        if (got <= 0)
            break;
        n -= (uint64_t)got;
    }
    CM_TRY(cm_buf_reserve(&b, COPY));
    while (n) {
        size_t some = (size_t)CM_MIN(n, (uint64_t)COPY);

        CM_TRY(cm_os_pread_all(in, b.p, some, (uint64_t)a));
        CM_TRY(cm_os_pwrite(out, b.p, some, (uint64_t)z));
        a += (off_t)some;
        z += (off_t)some;
        n -= some;
    }
    return CM_OKAY;
}

/* The same container with longer slots: hd does not cover them, so nothing else changes. */
static cm_err copy_with_room(struct cm_sealed *s, int out, cm_view env)
{
    CM_AUTO(cm_buf_free)
    cm_buf front = {.max = CM_PRELUDE + CM_CORE_MAX + 4096 + 2ull * CM_SLOT_MAX};
    cm_core h = s->core;

    h.slot = cm_slot_size(2 * env.n);
    if (env.n > h.slot - CM_SLOT_HEAD)
        return CM_FAIL(ENVELOPE_TOO_MANY);
    CM_TRY(cm_core_encode(&front, s->crypt, &h));
    CM_TRY(cm_slots_encode(&front, s->crypt, &h, 1, env));
    CM_TRY(cm_os_pwrite(out, front.p, front.n, 0));
    return copy_range(s->fd, out, s->core.body_at, h.body_at, s->info.file_size - s->core.body_at);
}

static cm_err copy_container(struct cm_sealed *s, const char *path, cm_view env)
{
    cm_os_out o = {.fd = -1};
    struct stat st;
    cm_err e;

    if (fstat(s->fd, &st) != 0)
        return CM_FAIL(IO_READ);
    CM_TRY(cm_os_out_open(&o, path, st.st_mode & 0777, false));
    e = copy_with_room(s, o.fd, env);
    if (cm_ok(e))
        e = cm_os_out_commit(&o, true);
    if (cm_failed(e))
        cm_os_out_drop(&o);
    return e;
}

static cm_err rewrap(struct cm_sealed *s, const char *path, cm_rewrap *w)
{
    CM_AUTO(cm_buf_free) cm_buf env = {.max = CM_ENVELOPE_MAX};

    CM_TRY(cm_sealed_open_envelope(s));
    CM_TRY(make_envelope(s, w, &env));
    w->copied = env.n > s->core.slot - CM_SLOT_HEAD || s->slots.sequence == UINT64_MAX;
    return w->copied ? copy_container(s, path, cm_buf_view(&env))
                     : write_slots(s, cm_buf_view(&env));
}

cm_err cm_sealed_rewrap(const cm_crypt *c, const char *path, const cm_open_options *o, cm_rewrap *w)
{
    CM_AUTO(cm_sealed_free_ptr) cm_sealed *s = NULL;
    CM_AUTO(cm_os_close_fd) int fd = -1;

    CM_TRY(cm_os_open_update(&fd, path, false));
    CM_TRY(cm_os_lock(fd, path));
    CM_TRY(cm_sealed_load(&s, c, fd, o));
    return rewrap(s, path, w);
}

/* ---- sign ---------------------------------------------------------------------------------- */

cm_err cm_sealed_sign(const cm_crypt *c, int fd, const cm_sig_key *const *signers, size_t n,
                      const char *out, bool replace)
{
    CM_AUTO(cm_sealed_free_ptr) cm_sealed *s = NULL;
    CM_AUTO(cm_buf_free) cm_buf signatures = {.max = CM_SIGNATURES_MAX};
    CM_AUTO(cm_buf_free) cm_buf file = {.max = CM_SIGNATURES_MAX + 128};
    cm_open_options o = {0};
    cm_view manifest;

    if (n == 0)
        return CM_FAIL(SEALED_NO_SIGNER);
    CM_TRY(cm_sealed_load(&s, c, fd, &o));
    for (size_t i = 0; i < n; i++)
        if (cm_sig_level(cm_sig_key_info(signers[i])->id) < cm_tier_level(s->core.tier)) /* S-14 */
            return CM_FAIL(SEALED_WEAK_SIGNATURE);
    manifest = cm_view_of(s->back.p, s->footer.manifest);
    CM_TRY(cm_signatures_encode(&signatures, manifest, signers, n));
    CM_TRY(cm_detached_encode(&file, c, manifest, cm_buf_view(&signatures)));
    return cm_os_spit(out, cm_buf_view(&file), 0644, replace);
}
