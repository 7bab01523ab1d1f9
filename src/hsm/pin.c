#include "base/secret.h"
#include "hsm/p11_int.h"

/* H-64: the token is logged in by the PIN it has; what it takes instead is ours from now on. */
static cm_err change(cm_p11 *p, cm_view pin)
{
    CK_FLAGS flags = CKF_SERIAL_SESSION | CKF_RW_SESSION;
    CK_SESSION_HANDLE s;
    cm_err e;
    CK_RV rv;

    CM_TRY(cm_p11_err(p->m.f->C_OpenSession(p->slot, flags, NULL, NULL, &s)));
    rv = p->m.f->C_SetPIN(s, p->pin, p->pin_n, (CK_UTF8CHAR *)(uintptr_t)pin.p, pin.n);
    e = rv == CKR_PIN_INVALID || rv == CKR_PIN_LEN_RANGE ? CM_FAIL(HSM_PIN_RANGE) : cm_p11_err(rv);
    (void)p->m.f->C_CloseSession(s);
    CM_TRY(e);
    cm_wipe(p->pin, p->pin_n);
    memcpy(p->pin, pin.p, pin.n);
    p->pin_n = pin.n;
    return CM_OKAY;
}

cm_err cm_p11_set_pin(cm_p11 *p, cm_view pin)
{
    cm_err e;

    if (pin.n == 0 || pin.n > CM_P11_PIN_MAX)
        return CM_FAIL(HSM_NO_PIN);
    if (p->pin_n == 0)
        return CM_FAIL(HSM_MECHANISM);
    pthread_mutex_lock(&p->lock);
    e = change(p, pin);
    pthread_mutex_unlock(&p->lock);
    return e;
}
