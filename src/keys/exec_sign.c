/* Signatures and MACs: which call of crypt each form of a request uses (KM-30). */
#include "base/ct.h"
#include "keys/ring_int.h"

static bool own_context(const cm_sig_info *i)
{
    return i->id <= CM_SIG_SLHDSA_SHA2_128F;
}

static bool is_dual(const cm_sig_info *i)
{
    return i->id == CM_SIG_DUAL65 || i->id == CM_SIG_DUAL87;
}

static bool is_curve(const cm_sig_info *i)
{
    return i->id == CM_SIG_P256 || i->id == CM_SIG_P384 || i->id == CM_SIG_SECP256K1;
}

/* KM-32: what cm_sign() would have an algorithm without contexts sign is nobody's message. */
static bool is_statement(cm_view v)
{
    static const char label[] = "casemate-sig-v1";

    return v.n >= sizeof label && cm_view_eq(cm_view_sub(v, 0, sizeof label), CM_VIEW(label));
}

/* KM-31: contexts are ML-DSA's and SLH-DSA's own, so that other software verifies; a dual key binds
 * its context in both halves. */
static cm_err check_message(const cm_keyop *op, const cm_sig_info *i)
{
    bool takes_context = own_context(i) || is_dual(i);

    if (op->form == CM_FORM_RAW && (op->context.n || is_dual(i)))
        return CM_FAIL(KEY_FORM);
    if (op->context.n && !takes_context)
        return CM_FAIL(KEY_FORM);
    if (!takes_context && is_statement(op->data))
        return CM_FAIL(KEY_FORM);
    return CM_OKAY;
}

static cm_err check_form(const cm_keyop *op, const cm_sig_info *i)
{
    bool fits;

    switch (op->form) {
    case CM_FORM_MESSAGE:
    case CM_FORM_RAW:
        return check_message(op, i);
    case CM_FORM_DIGEST:
        fits = is_curve(i) && op->data.n == i->seed && op->context.n == 0;
        break;
    case CM_FORM_MU:
        fits = i->id <= CM_SIG_MLDSA87 && op->data.n == 64 && op->context.n == 0;
        break;
    default:
        fits = false;
    }
    return fits ? CM_OKAY : CM_FAIL(KEY_FORM);
}

static cm_err sign_sig(cm_keyop *op, const cm_sig_key *k)
{
    const cm_sig_info *i = cm_sig_key_info(k);
    uint8_t *sig;

    CM_TRY(check_form(op, i));
    CM_TRY(cm_buf_reserve(&op->out, i->sig));
    sig = op->out.p;
    if (op->form == CM_FORM_MU)
        CM_TRY(cm_sign_mu(k, sig, op->data.p));
    else if (op->form == CM_FORM_DIGEST)
        CM_TRY(cm_sign_digest(k, sig, op->data));
    else if (op->context.n || is_dual(i))
        CM_TRY(cm_sign(k, sig, op->context, op->data));
    else
        CM_TRY(cm_sign_raw(k, sig, op->data));
    op->out.n = i->sig;
    return CM_OKAY;
}

static cm_err verify_sig(const cm_keyop *op, const cm_sig_key *k)
{
    const cm_sig_info *i = cm_sig_key_info(k);

    CM_TRY(check_form(op, i));
    if (op->form == CM_FORM_MU)
        return cm_verify_mu(k, op->data.p, op->more);
    if (op->form == CM_FORM_DIGEST)
        return cm_verify_digest(k, op->data, op->more);
    if (op->context.n || is_dual(i))
        return cm_verify(k, op->context, op->data, op->more);
    return cm_verify_raw(k, op->data, op->more);
}

/* ---- secp256k1 (KM-33) ---- */

typedef struct {
    cm_hash prehash;
    bool recoverable;
} secp_form;

static cm_err secp_form_of(secp_form *f, cm_view context)
{
    static const struct {
        const char *context;
        secp_form form;
    } forms[] = {{"", {CM_SHA256, false}},
                 {"recoverable", {CM_SHA256, true}},
                 {"keccak256", {CM_KECCAK256, false}},
                 {"keccak256-recoverable", {CM_KECCAK256, true}}};

    for (size_t i = 0; i < CM_COUNT(forms); i++)
        if (cm_view_eq(context, cm_view_str(forms[i].context))) {
            *f = forms[i].form;
            return CM_OKAY;
        }
    return CM_FAIL(KEY_FORM);
}

static cm_err secp_digest(const cm_keyring *r, uint8_t digest[32], secp_form *f, const cm_keyop *op)
{
    bool digested = op->form == CM_FORM_DIGEST;

    CM_TRY(secp_form_of(f, op->context));
    if (!digested &&
        ((op->form != CM_FORM_MESSAGE && op->form != CM_FORM_RAW) || is_statement(op->data)))
        return CM_FAIL(KEY_FORM);
    if (!digested)
        return cm_hash_once(r->o.crypt, f->prehash, digest, op->data);
    if (op->data.n != 32)
        return CM_FAIL(KEY_FORM);
    memcpy(digest, op->data.p, 32);
    return CM_OKAY;
}

static cm_err secp_sign(const cm_keyring *r, cm_keyop *op, const cm_sig_key *k)
{
    uint8_t digest[32], sig[65];
    secp_form f;

    CM_TRY(secp_digest(r, digest, &f, op));
    if (f.recoverable)
        CM_TRY(cm_sign_recoverable(k, sig, &sig[64], digest));
    else
        CM_TRY(cm_sign_raw(k, sig, CM_VIEW(digest)));
    return cm_buf_append(&op->out, cm_view_of(sig, f.recoverable ? 65 : 64));
}

static cm_err secp_verify(const cm_keyring *r, const cm_keyop *op, const cm_sig_key *k)
{
    uint8_t digest[32], pk[65];
    secp_form f;

    CM_TRY(secp_digest(r, digest, &f, op));
    if (!f.recoverable)
        return cm_verify_raw(k, CM_VIEW(digest), op->more);
    if (op->more.n != 65 || op->more.p[64] > 3)
        return CM_FAIL(CRYPT_SIGNATURE);
    CM_TRY(cm_recover(r->o.crypt, pk, op->more.p, op->more.p[64], digest));
    return cm_view_eq(CM_VIEW(pk), cm_sig_public(k)) ? CM_OKAY : CM_FAIL(CRYPT_SIGNATURE);
}

/* ---- RSA (KM-34) ---- */

static cm_err rsa_form(const cm_keyop *op, cm_rsa_padding *p)
{
    if (op->form == CM_FORM_MU || op->form == CM_FORM_SEALED_ONLY ||
        (op->form == CM_FORM_DIGEST && op->data.n != 32))
        return CM_FAIL(KEY_FORM);
    if (op->context.n == 0 || cm_view_eq(op->context, CM_LIT("pss")))
        *p = CM_RSA_PSS;
    else if (cm_view_eq(op->context, CM_LIT("pkcs1")))
        *p = CM_RSA_PKCS1;
    else
        return CM_FAIL(KEY_FORM);
    return CM_OKAY;
}

static cm_err rsa_sign(cm_keyop *op, const cm_rsa *k)
{
    cm_rsa_padding p;

    CM_TRY(rsa_form(op, &p));
    CM_TRY(cm_buf_reserve(&op->out, CM_RSA_SIG_MAX));
    CM_TRY(cm_rsa_sign(k, op->out.p, p, op->form == CM_FORM_DIGEST, op->data));
    op->out.n = cm_rsa_bits(k) / 8;
    return CM_OKAY;
}

static cm_err rsa_verify(const cm_keyop *op, const cm_rsa *k)
{
    cm_rsa_padding p;

    CM_TRY(rsa_form(op, &p));
    return cm_rsa_verify(k, p, op->form == CM_FORM_DIGEST, op->data, op->more);
}

cm_err cm_exec_sign_input(const cm_keyring *r, cm_sign_input *in, const cm_keyop *op,
                          const cm_held *k)
{
    bool message = op->form == CM_FORM_MESSAGE || op->form == CM_FORM_RAW;
    cm_sign_input made = {.message = op->data};
    cm_rsa_padding p;
    secp_form f;

    if (!k->rsa && !k->sig)
        return CM_FAIL(KEY_USE);
    if (k->rsa) {
        CM_TRY(rsa_form(op, &p));
        made.pkcs1 = p == CM_RSA_PKCS1;
    } else if (k->info->type == CM_KEY_SECP256K1) {
        CM_TRY(secp_digest(r, made.digest, &f, op));
        made.digested = true;
        made.recoverable = f.recoverable;
        message = true;
    } else {
        CM_TRY(check_form(op, cm_sig_key_info(k->sig)));
        message = message && op->context.n == 0;
        if (op->form == CM_FORM_DIGEST && k->info->type == CM_KEY_P256) {
            memcpy(made.digest, op->data.p, sizeof made.digest);
            message = made.digested = true;
        }
    }
    if (!message)
        return CM_FAIL(KEY_FORM);
    *in = made;
    return CM_OKAY;
}

cm_err cm_exec_sign(const cm_keyring *r, cm_keyop *op, const cm_held *k)
{
    if (k->native)
        return cm_native_sign(r, op, k);
    if (k->rsa)
        return rsa_sign(op, k->rsa);
    if (!k->sig)
        return CM_FAIL(KEY_USE);
    return k->info->type == CM_KEY_SECP256K1 ? secp_sign(r, op, k->sig) : sign_sig(op, k->sig);
}

/* KM-35: with the key that was brought, or not at all; every length but the right one fails below.
 */
cm_err cm_exec_verify(const cm_keyring *r, cm_keyop *op, const cm_held *k)
{
    if (k->rsa)
        return rsa_verify(op, k->rsa);
    if (k->frost)
        return cm_exec_verify_threshold(r, op, k);
    if (!k->sig)
        return CM_FAIL(KEY_USE);
    return k->info->type == CM_KEY_SECP256K1 ? secp_verify(r, op, k->sig) : verify_sig(op, k->sig);
}

/* ---- MACs (KM-26) ---- */

static cm_err mac(const cm_keyring *r, uint8_t tag[32], const cm_keyop *op, const cm_held *k)
{
    if (!(k->info->can & CAN_MAC))
        return CM_FAIL(KEY_USE);
    if (op->form != CM_FORM_MESSAGE || op->context.n)
        return CM_FAIL(KEY_FORM);
    return cm_hmac(r->o.crypt, CM_SHA256, tag, CM_VIEW(k->secret->b), op->data);
}

cm_err cm_exec_mac(const cm_keyring *r, cm_keyop *op, const cm_held *k)
{
    uint8_t tag[32];

    CM_TRY(mac(r, tag, op, k));
    return cm_buf_append(&op->out, CM_VIEW(tag));
}

/* A tag that is not returned is a secret: who knew it could pass it off as ours. */
cm_err cm_exec_verify_mac(const cm_keyring *r, cm_keyop *op, const cm_held *k)
{
    CM_AUTO(cm_key32_wipe) cm_key32 tag;

    CM_TRY(mac(r, tag.b, op, k));
    return cm_ct_equal(CM_VIEW(tag.b), op->more) ? CM_OKAY : CM_FAIL(CRYPT_SIGNATURE);
}
