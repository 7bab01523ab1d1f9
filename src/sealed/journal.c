#include "sealed/journal.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/os.h"

enum { AAD = 8 + 32 + 32 };

static const uint8_t magic[8] = {'C', 'S', 'M', 'J', '0', '0', '0', '1'};

static cm_err name_of(char **out, const char *part)
{
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 8192};

    CM_TRY(cm_buf_append(&b, cm_view_str(part)));
    CM_TRY(cm_buf_append(&b, CM_LIT(".journal")));
    return cm_strdup(out, cm_buf_view(&b));
}

static uint64_t start_of(const cm_journal *j)
{
    return j->path ? CM_JOURNAL_HEAD : 0;
}

static cm_err cipher(cm_gcm **g, const cm_journal_id *id)
{
    CM_AUTO(cm_key32_wipe) cm_key32 k = {{0}};

    memcpy(k.b, id->resume_key, sizeof k.b);
    return cm_gcm_new(g, id->crypt, &k);
}

static void put_aad(uint8_t *head, const cm_journal_id *id)
{
    memcpy(head, magic, sizeof magic);
    memcpy(head + 8, id->identity, 32);
    memcpy(head + 40, id->hd, 32);
}

static cm_err write_head(const cm_journal *j, const cm_journal_id *id, const cm_key32 *content)
{
    CM_AUTO(cm_gcm_free_ptr) cm_gcm *g = NULL;
    uint8_t head[CM_JOURNAL_HEAD], *nonce = head + AAD;

    put_aad(head, id);
    CM_TRY(cm_random(id->crypt, nonce, CM_GCM_NONCE));
    CM_TRY(cipher(&g, id));
    CM_TRY(cm_gcm_seal(g, nonce + CM_GCM_NONCE, nonce + CM_GCM_NONCE + 32, nonce,
                       cm_view_of(head, AAD), CM_VIEW(content->b)));
    return cm_os_pwrite(j->fd, head, sizeof head, 0);
}

cm_err cm_journal_new(cm_journal *j, const char *part, const cm_journal_id *id,
                      const cm_key32 *content, const uint8_t floe_header[CM_FLOE_HEADER])
{
    CM_AUTO(cm_journal_drop) cm_journal n = {.fd = -1};

    if (part) {
        CM_TRY(name_of(&n.path, part));
        CM_TRY(cm_os_open_update(&n.fd, n.path, true));
        CM_TRY(write_head(&n, id, content));
    } else {
        CM_TRY(cm_os_memfd(&n.fd, "casemate-tree", false));
    }
    CM_TRY(cm_journal_append(&n, cm_view_of(floe_header, CM_FLOE_HEADER)));
    *j = n;
    n = (cm_journal){.fd = -1};
    return CM_OKAY;
}

static cm_err read_head(const cm_journal *j, const cm_journal_id *id, cm_key32 *content)
{
    CM_AUTO(cm_gcm_free_ptr) cm_gcm *g = NULL;
    CM_AUTO(cm_key32_wipe) cm_key32 k = {{0}};
    uint8_t head[CM_JOURNAL_HEAD], want[AAD], *nonce = head + AAD;

    CM_TRY(cm_os_pread_all(j->fd, head, sizeof head, 0));
    put_aad(want, id);
    if (!cm_view_eq(cm_view_of(head, AAD), CM_VIEW(want)))
        return CM_FAIL(SEALED_JOURNAL);
    CM_TRY(cipher(&g, id));
    CM_TRY(cm_gcm_open(g, k.b, nonce + CM_GCM_NONCE + 32, nonce, cm_view_of(head, AAD),
                       cm_view_of(nonce + CM_GCM_NONCE, 32)));
    *content = k;
    return CM_OKAY;
}

cm_err cm_journal_open(cm_journal *j, const char *part, const cm_journal_id *id, cm_key32 *content)
{
    CM_AUTO(cm_journal_close) cm_journal n = {.fd = -1};
    struct stat st;

    CM_TRY(name_of(&n.path, part));
    if (cm_failed(cm_os_open_update(&n.fd, n.path, false)) || fstat(n.fd, &st) != 0 ||
        !S_ISREG(st.st_mode) || (uint64_t)st.st_size < CM_JOURNAL_HEAD + CM_FLOE_HEADER)
        return CM_FAIL(SEALED_JOURNAL);
    if (cm_failed(read_head(&n, id, content)))
        return CM_FAIL(SEALED_JOURNAL);
    n.size = (uint64_t)st.st_size - CM_JOURNAL_HEAD;
    *j = n;
    n = (cm_journal){.fd = -1};
    return CM_OKAY;
}

cm_err cm_journal_append(cm_journal *j, cm_view bytes)
{
    CM_TRY(cm_os_pwrite(j->fd, bytes.p, bytes.n, start_of(j) + j->size));
    j->size += bytes.n;
    return CM_OKAY;
}

cm_err cm_journal_read(const cm_journal *j, void *p, size_t n, uint64_t off)
{
    return cm_os_pread_all(j->fd, p, n, start_of(j) + off);
}

cm_err cm_journal_cut(cm_journal *j, uint64_t n)
{
    if (ftruncate(j->fd, (off_t)(start_of(j) + n)) != 0)
        return cm_os_err(errno, CM_IO_WRITE);
    j->size = n;
    return CM_OKAY;
}

void cm_journal_close(cm_journal *j)
{
    cm_os_close_fd(&j->fd);
    cm_free(j->path);
    *j = (cm_journal){.fd = -1};
}

void cm_journal_drop(cm_journal *j)
{
    if (j->path)
        cm_os_remove(j->path);
    cm_journal_close(j);
}
