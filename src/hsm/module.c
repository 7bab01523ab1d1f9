#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/os.h"
#include "codec/text.h"
#include "hsm/p11_int.h"

enum { MODULE_MAX = 256 << 20, PART = 1 << 16 };

static const struct {
    CK_RV rv;
    cm_reason reason;
} reasons[] = {
    {CKR_HOST_MEMORY, CM_NO_MEMORY},
    {CKR_DEVICE_MEMORY, CM_HSM_SESSIONS},
    {CKR_SESSION_COUNT, CM_HSM_SESSIONS},
    {CKR_DEVICE_REMOVED, CM_HSM_GONE},
    {CKR_TOKEN_NOT_PRESENT, CM_HSM_GONE},
    {CKR_TOKEN_NOT_RECOGNIZED, CM_HSM_GONE},
    {CKR_SESSION_CLOSED, CM_HSM_GONE},
    {CKR_SESSION_HANDLE_INVALID, CM_HSM_GONE},
    {CKR_KEY_HANDLE_INVALID, CM_HSM_GONE},
    {CKR_OBJECT_HANDLE_INVALID, CM_HSM_GONE},
    {CKR_USER_NOT_LOGGED_IN, CM_HSM_GONE},
    {CKR_CRYPTOKI_NOT_INITIALIZED, CM_HSM_GONE},
    {CKR_FUNCTION_NOT_SUPPORTED, CM_HSM_MECHANISM},
    {CKR_MECHANISM_INVALID, CM_HSM_MECHANISM},
    {CKR_MECHANISM_PARAM_INVALID, CM_HSM_MECHANISM},
    {CKR_DOMAIN_PARAMS_INVALID, CM_HSM_MECHANISM},
    {CKR_CURVE_NOT_SUPPORTED, CM_HSM_MECHANISM},
    {CKR_KEY_SIZE_RANGE, CM_HSM_MECHANISM},
    {CKR_KEY_TYPE_INCONSISTENT, CM_HSM_GONE}, /* we looked: the handle has changed its meaning */
    {CKR_ATTRIBUTE_TYPE_INVALID, CM_HSM_MECHANISM},
    {CKR_ATTRIBUTE_VALUE_INVALID, CM_HSM_MECHANISM},
    {CKR_TEMPLATE_INCOMPLETE, CM_HSM_MECHANISM},
    {CKR_TEMPLATE_INCONSISTENT, CM_HSM_MECHANISM},
    {CKR_PIN_INCORRECT, CM_HSM_PIN_WRONG},
    {CKR_PIN_INVALID, CM_HSM_PIN_WRONG},
    {CKR_PIN_LEN_RANGE, CM_HSM_PIN_WRONG},
    {CKR_PIN_EXPIRED, CM_HSM_PIN_WRONG},
    {CKR_PIN_LOCKED, CM_HSM_PIN_LOCKED},
};

cm_err cm_p11_err(CK_RV rv)
{
    if (rv == CKR_OK)
        return CM_OKAY;
    for (size_t i = 0; i < CM_COUNT(reasons); i++)
        if (reasons[i].rv == rv)
            return (cm_err){(uint32_t)reasons[i].reason};
    return CM_FAIL(HSM_DEVICE);
}

/* H-8: what is loaded is what was hashed, unless somebody replaces it in between who could as well
 * have done so before. */
static cm_err hash_file(uint8_t hash[32], const cm_crypt *c, const char *path)
{
    CM_AUTO(cm_os_close_fd) int fd = -1;
    CM_AUTO(cm_hasher_free_ptr) cm_hasher *h = NULL;
    CM_AUTO(cm_free_ptr) uint8_t *part = NULL;
    size_t n, all = 0;

    CM_TRY(cm_os_open_read(&fd, path));
    CM_TRY(cm_hasher_new(&h, c, CM_SHA256));
    CM_TRY(cm_alloc(&part, PART));
    do {
        CM_TRY(cm_os_read(fd, part, PART, &n));
        CM_TRY(cm_hasher_update(h, cm_view_of(part, n)));
        all += n;
    } while (n == PART && all < MODULE_MAX);
    return n == PART ? CM_FAIL(TOO_BIG) : cm_hasher_final(h, hash);
}

/* A function out of dlsym() without a cast that ISO C leaves undefined. */
static bool symbol(void *out, void *lib, const char *name)
{
    void *p = dlsym(lib, name);

    memcpy(out, &p, sizeof p);
    return p != NULL;
}

/* The newest interface there is: 3.x, else the list of 2.40. */
static cm_err interface(struct module *m)
{
    ck_get_interface *get_interface;
    ck_get_function_list *get_list;
    CK_INTERFACE *i = NULL;

    if (symbol(&get_interface, m->lib, "C_GetInterface") &&
        get_interface(NULL, NULL, &i, 0) == CKR_OK && i && i->pFunctionList && i->pInterfaceName &&
        strcmp((const char *)i->pInterfaceName, "PKCS 11") == 0)
        m->f = i->pFunctionList;
    else if (!symbol(&get_list, m->lib, "C_GetFunctionList") || get_list(&m->f) != CKR_OK)
        return CM_FAIL(HSM_INTERFACE);
    if (!m->f || (m->f->version.major != 2 && m->f->version.major != 3))
        return CM_FAIL(HSM_INTERFACE);
    m->version = m->f->version;
    return CM_OKAY;
}

static cm_err initialize(struct module *m)
{
    CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK, .pReserved = m->init};
    CK_RV rv = m->f->C_Initialize(&args);

    if (rv == CKR_CANT_LOCK || (rv == CKR_ARGUMENTS_BAD && !m->init)) {
        m->serial = true;
        rv = m->f->C_Initialize(NULL);
    }
    if (rv != CKR_OK)
        return CM_FAIL(HSM_INIT);
    m->initialized = true;
    return CM_OKAY;
}

/* H-8 */
static cm_err is_expected(const uint8_t hash[32], const char *hex)
{
    CM_AUTO(cm_buf_free) cm_buf want = {.max = 32};

    if (!hex)
        return CM_OKAY;
    if (cm_failed(cm_hex_decode(&want, cm_view_str(hex))) ||
        !cm_view_eq(cm_buf_view(&want), cm_view_of(hash, 32)))
        return CM_FAIL(HSM_MODULE_OTHER);
    return CM_OKAY;
}

cm_err cm_p11_module_load(struct module *m, const cm_crypt *c, const char *path, const char *sha256,
                          const char *init)
{
    if (strlen(path) >= sizeof m->path)
        return CM_FAIL(TOO_BIG);
    memcpy(m->path, path, strlen(path) + 1);
    CM_TRY(hash_file(m->hash, c, path));
    CM_TRY(is_expected(m->hash, sha256));
    m->lib = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!m->lib)
        return CM_FAIL(HSM_MODULE);
    CM_TRY(interface(m));
    if (init)
        CM_TRY(cm_strdup(&m->init, cm_view_str(init)));
    return initialize(m);
}

/* Libraries that a module opens when it starts can't be opened again in the sandbox. */
void cm_p11_module_pin(const struct module *m)
{
    struct link_map *l = NULL;

    if (dlinfo(m->lib, RTLD_DI_LINKMAP, &l) != 0)
        return;
    for (; l; l = l->l_next)
        if (l->l_name[0])
            (void)dlopen(l->l_name, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE);
}

cm_err cm_p11_module_again(struct module *m)
{
    if (m->initialized)
        (void)m->f->C_Finalize(NULL);
    m->initialized = false;
    return initialize(m);
}

/* Modules leave threads and exit handlers behind: a library stays loaded. */
void cm_p11_module_unload(struct module *m)
{
    if (m->initialized)
        (void)m->f->C_Finalize(NULL);
    m->initialized = false;
    cm_free(m->init);
    m->init = NULL;
}
