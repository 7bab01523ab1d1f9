/* Signatures, encryption and digests: Init, the whole at once, or Update and Final. */
#include "entry.h"

enum {
    ARENA = 16 << 20,
    BOX_OVER = 82,        /* what the server's form adds to a plaintext: 9 + CM_BOX_OVERHEAD */
    MESSAGE_WHOLE = 4096, /* a longer one goes to ML-DSA as its mu */
    DIGEST_INFO_MAX = 128,
    DIGEST_MAX = 64,
};

/* ---- Init ---------------------------------------------------------------------------------- */

static bool hashes(const cm_p11_mech *m)
{
    return m->how == CM_P11_ECDSA_HASH || m->how == CM_P11_RSA_HASH || m->how == CM_P11_PSS_HASH ||
           m->how == CM_P11_HASH;
}

static size_t data_max(const cm_p11_mech *m)
{
    switch (m->how) {
    case CM_P11_ECDSA:
    case CM_P11_PSS:
        return DIGEST_MAX;
    case CM_P11_RSA_INFO:
        return DIGEST_INFO_MAX;
    case CM_P11_MLDSA:
        return CM_P11_MESSAGE;
    default:
        return CM_P11_SMALL;
    }
}

static bool fits_use(const cm_p11_object *o, CK_FLAGS use)
{
    if (o->secret)
        return false; /* they are for their owner to read */
    if (o->class == CKO_SECRET_KEY)
        return true;
    return o->class == (use == CKF_VERIFY || use == CKF_ENCRYPT ? CKO_PUBLIC_KEY : CKO_PRIVATE_KEY);
}

static CK_RV start_with_key(cm_p11_op *op, const cm_p11_session *s, CK_OBJECT_HANDLE key)
{
    cm_p11_object o;

    if (cm_p11_object_of(&o, s, key) != CKR_OK)
        return CKR_KEY_HANDLE_INVALID;
    if (!fits_use(&o, op->use))
        return CKR_KEY_FUNCTION_NOT_PERMITTED;
    if (o.kind->kind != op->mech->kind)
        return CKR_KEY_TYPE_INCONSISTENT;
    op->key = o.key;
    op->kind = o.kind;
    return CKR_OK;
}

static CK_RV start(cm_p11_op *op, const cm_p11_session *s, const CK_MECHANISM *m,
                   CK_OBJECT_HANDLE key, CK_FLAGS use)
{
    op->use = use;
    P11_TRY(cm_p11_mech_parse(&op->mech, &op->extra, m, use));
    op->data.max = data_max(op->mech);
    if (use != CKF_DIGEST)
        P11_TRY(start_with_key(op, s, key));
    if (hashes(op->mech))
        P11_OK(cm_hasher_new(&op->hasher, s->slot->crypt, op->mech->hash));
    return CKR_OK;
}

static CK_RV init(CK_SESSION_HANDLE session, const CK_MECHANISM *m, CK_OBJECT_HANDLE key,
                  CK_FLAGS use)
{
    CM_AUTO(cm_p11_give) cm_p11_session *s = NULL;
    cm_p11_op *op, fresh = {0};
    CK_RV rv;

    P11_TRY(use == CKF_DIGEST ? cm_p11_take(&s, session) : cm_p11_take_open(&s, session));
    op = cm_p11_op_of(s, use);
    if (!m) { /* 3.0: ends what is under way */
        cm_p11_op_clear(op);
        return CKR_OK;
    }
    if (op->mech)
        return CKR_OPERATION_ACTIVE;
    rv = start(&fresh, s, m, key, use);
    if (rv == CKR_OK)
        *op = fresh;
    else
        cm_p11_op_clear(&fresh);
    return rv;
}

/* ---- data ---------------------------------------------------------------------------------- */

static CK_RV gather(cm_p11_op *op, const CK_BYTE *data, CK_ULONG n)
{
    cm_view v;

    if (op->hasher) {
        P11_TRY(cm_p11_in(&v, data, n, SIZE_MAX));
        return cm_p11_rv(cm_hasher_update(op->hasher, v));
    }
    P11_TRY(cm_p11_in(&v, data, n, op->data.max - op->data.n));
    return cm_p11_rv(cm_buf_append(&op->data, v));
}

/* What is to be signed, as the server takes it. Views live in the operation and in room. */
typedef struct {
    uint64_t form;
    cm_view data, context;
    uint8_t room[DIGEST_MAX];
} statement;

enum { FORM_MESSAGE = 0, FORM_DIGEST = 1, FORM_MU = 2 };

/* ECDSA takes the leftmost bits of a longer digest, and a shorter one as the number that it is. */
static CK_RV digest_for_curve(statement *st, const cm_p11_op *op, cm_view digest)
{
    size_t want = op->kind->bits / 8;
    uint8_t fit[DIGEST_MAX] = {0};

    if (digest.n == 0 || digest.n > DIGEST_MAX)
        return CKR_DATA_LEN_RANGE;
    if (digest.n >= want)
        memcpy(fit, digest.p, want);
    else
        memcpy(fit + want - digest.n, digest.p, digest.n);
    memcpy(st->room, fit, want);
    st->form = FORM_DIGEST;
    st->data = cm_view_of(st->room, want);
    return CKR_OK;
}

/* CKM_RSA_PKCS signs a DigestInfo; the server knows that of SHA-256 and makes it itself. */
static CK_RV digest_info(statement *st, cm_view info)
{
    static const uint8_t head[] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
                                   0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};

    if (info.n != sizeof head + 32)
        return CKR_DATA_LEN_RANGE;
    if (!cm_view_eq(cm_view_sub(info, 0, sizeof head), CM_VIEW(head)))
        return CKR_DATA_INVALID;
    st->form = FORM_DIGEST;
    st->context = CM_LIT("pkcs1");
    st->data = cm_view_sub(info, sizeof head, 32);
    return CKR_OK;
}

static cm_err mu(statement *st, const cm_p11_slot *s, const cm_p11_op *op)
{
    CM_AUTO(cm_sig_key_free_ptr) cm_sig_key *k = NULL;

    CM_TRY(cm_sig_from_public(&k, s->crypt, (cm_sig_id)op->key->info->algorithm,
                              cm_buf_view(&op->key->public_key)));
    CM_TRY(cm_mldsa_mu(k, st->room, cm_buf_view(&op->extra), cm_buf_view(&op->data)));
    st->form = FORM_MU;
    st->data = cm_view_of(st->room, 64);
    st->context = (cm_view){0};
    return CM_OKAY;
}

static CK_RV state(statement *st, cm_p11_slot *s, cm_p11_op *op)
{
    uint8_t hash[CM_HASH_MAX];
    cm_view digest = cm_view_of(hash, cm_hash_size(op->mech->hash));

    *st = (statement){.data = cm_buf_view(&op->data), .context = cm_buf_view(&op->extra)};
    if (op->hasher)
        P11_OK(cm_hasher_final(op->hasher, hash));
    switch (op->mech->how) {
    case CM_P11_ECDSA:
        return digest_for_curve(st, op, st->data);
    case CM_P11_ECDSA_HASH:
        return digest_for_curve(st, op, digest);
    case CM_P11_RSA_INFO:
        return digest_info(st, st->data);
    case CM_P11_PSS:
        st->form = FORM_DIGEST;
        st->context = CM_LIT("pss");
        return st->data.n == 32 ? CKR_OK : CKR_DATA_LEN_RANGE;
    case CM_P11_RSA_HASH:
    case CM_P11_PSS_HASH:
        memcpy(st->room, hash, 32);
        st->form = FORM_DIGEST;
        st->data = cm_view_of(st->room, 32);
        st->context = op->mech->how == CM_P11_PSS_HASH ? CM_LIT("pss") : CM_LIT("pkcs1");
        return CKR_OK;
    case CM_P11_MLDSA:
        if (op->data.n <= MESSAGE_WHOLE)
            return op->data.n ? CKR_OK : CKR_DATA_LEN_RANGE;
        P11_TRY(cm_p11_public(s, op->key));
        return cm_p11_rv(mu(st, s, op));
    default:
        return op->data.n ? CKR_OK : CKR_DATA_LEN_RANGE;
    }
}

/* ---- questions ----------------------------------------------------------------------------- */

/* Signatures and MACs have the same fields in the same places, as far as these go. */
_Static_assert((int)M_SignRequest_version == (int)M_MacRequest_version, "version");
_Static_assert((int)M_SignRequest_data == (int)M_MacRequest_data, "data");
_Static_assert((int)M_SignRequest_keyspace == (int)M_MacRequest_keyspace, "keyspace");
_Static_assert((int)M_SignAnswer_signature == (int)M_MacAnswer_mac, "signature");

static CK_RV fill(cm_msg **out, cm_arena *a, const cm_p11_op *op, const statement *st,
                  const cm_message *type)
{
    bool mac = op->mech->how == CM_P11_HMAC;
    cm_msg *q;

    P11_OK(cm_msg_new(&q, a, type));
    cm_p11_set(q, M_SignRequest_keyspace, cm_view_str(op->key->keyspace));
    cm_p11_set_number(q, M_SignRequest_version, op->key->version);
    cm_p11_set(q, M_SignRequest_data, st->data);
    if (!mac) {
        cm_p11_set_number(q, M_SignRequest_form, st->form);
        if (st->context.n)
            cm_p11_set(q, M_SignRequest_context, st->context);
    }
    *out = q;
    return CKR_OK;
}

static CK_RV sign(cm_p11_slot *s, cm_p11_op *op, CK_BYTE *out, CK_ULONG *out_n)
{
    CM_AUTO(cm_arena_free_ptr) cm_arena *a = NULL;
    bool mac = op->mech->how == CM_P11_HMAC;
    cm_msg *q, *got;
    statement st;
    cm_view v;

    P11_OK(cm_arena_new(&a, ARENA));
    P11_TRY(state(&st, s, op));
    P11_TRY(fill(&q, a, op, &st, mac ? &cm_message_MacRequest : &cm_message_SignRequest));
    P11_TRY(cm_p11_ask(s, mac ? ":mac" : ":sign", op->key, q,
                       mac ? &cm_message_MacAnswer : &cm_message_SignAnswer, a, &got));
    v = cm_msg_view(got, M_SignAnswer_signature);
    if (v.n == 0 || v.n > *out_n)
        return CKR_DEVICE_ERROR;
    return cm_p11_out(v, out, out_n);
}

static CK_RV verify(cm_p11_slot *s, cm_p11_op *op, cm_view sig)
{
    CM_AUTO(cm_arena_free_ptr) cm_arena *a = NULL;
    bool mac = op->mech->how == CM_P11_HMAC;
    cm_msg *q, *got;
    statement st;

    if (sig.n != op->kind->sig)
        return CKR_SIGNATURE_LEN_RANGE;
    P11_OK(cm_arena_new(&a, ARENA));
    P11_TRY(state(&st, s, op));
    P11_TRY(fill(&q, a, op, &st, mac ? &cm_message_VerifyMacRequest : &cm_message_VerifyRequest));
    cm_p11_set(q, mac ? (size_t)M_VerifyMacRequest_mac : (size_t)M_VerifyRequest_signature, sig);
    P11_TRY(cm_p11_ask(s, mac ? ":verifyMac" : ":verify", op->key, q, &cm_message_VerifyAnswer, a,
                       &got));
    return cm_msg_number(got, M_VerifyAnswer_valid, 0) == 1 ? CKR_OK : CKR_SIGNATURE_INVALID;
}

/* Encryption and decryption: the same request under other names. */
typedef struct {
    const char *verb;
    const cm_message *ask, *answer;
    size_t keyspace, in, aad, out;
} cipher;

static const cipher encryption = {.verb = ":encrypt",
                                  .ask = &cm_message_EncryptRequest,
                                  .answer = &cm_message_EncryptAnswer,
                                  .keyspace = M_EncryptRequest_keyspace,
                                  .in = M_EncryptRequest_plaintext,
                                  .aad = M_EncryptRequest_aad,
                                  .out = M_EncryptAnswer_ciphertext};
static const cipher decryption = {.verb = ":decrypt",
                                  .ask = &cm_message_DecryptRequest,
                                  .answer = &cm_message_DecryptAnswer,
                                  .keyspace = M_DecryptRequest_keyspace,
                                  .in = M_DecryptRequest_ciphertext,
                                  .aad = M_DecryptRequest_aad,
                                  .out = M_DecryptAnswer_plaintext};

static CK_RV run_cipher(cm_p11_slot *s, const cm_p11_op *op, const cipher *c, CK_BYTE *out,
                        CK_ULONG *out_n)
{
    CM_AUTO(cm_arena_free_ptr) cm_arena *a = NULL;
    cm_msg *q, *got;
    cm_view v;

    P11_OK(cm_arena_new(&a, ARENA));
    P11_OK(cm_msg_new(&q, a, c->ask));
    cm_p11_set(q, c->keyspace, cm_view_str(op->key->keyspace));
    cm_p11_set(q, c->in, cm_buf_view(&op->data));
    if (op->extra.n)
        cm_p11_set(q, c->aad, cm_buf_view(&op->extra));
    P11_TRY(cm_p11_ask(s, c->verb, op->key, q, c->answer, a, &got));
    v = cm_msg_view(got, c->out);
    if (v.n > *out_n || (c == &encryption && v.n <= op->data.n))
        return CKR_DEVICE_ERROR;
    return cm_p11_out(v, out, out_n);
}

/* ---- results, by the rule of two calls ----------------------------------------------------- */

/* How much comes out; known before the server is asked. extra_n: data still to be gathered. */
static CK_RV length_of(CK_ULONG *n, const cm_p11_op *op, CK_ULONG extra_n)
{
    CK_ULONG in = op->data.n + extra_n;

    if (extra_n > CM_P11_MESSAGE)
        return CKR_DATA_LEN_RANGE;
    switch (op->use) {
    case CKF_ENCRYPT:
        *n = in + BOX_OVER;
        return in <= CM_P11_SMALL ? CKR_OK : CKR_DATA_LEN_RANGE;
    case CKF_DECRYPT:
        *n = in - BOX_OVER;
        return in >= BOX_OVER && in <= CM_P11_SMALL + BOX_OVER ? CKR_OK
                                                               : CKR_ENCRYPTED_DATA_LEN_RANGE;
    case CKF_DIGEST:
        *n = cm_hash_size(op->mech->hash);
        return CKR_OK;
    default:
        *n = op->kind->sig;
        return CKR_OK;
    }
}

static CK_RV digest(cm_p11_op *op, CK_BYTE *out, CK_ULONG *out_n)
{
    uint8_t hash[CM_HASH_MAX];

    P11_OK(cm_hasher_final(op->hasher, hash));
    return cm_p11_out(cm_view_of(hash, cm_hash_size(op->mech->hash)), out, out_n);
}

static CK_RV produce(cm_p11_slot *s, cm_p11_op *op, CK_BYTE *out, CK_ULONG *out_n)
{
    switch (op->use) {
    case CKF_ENCRYPT:
        return run_cipher(s, op, &encryption, out, out_n);
    case CKF_DECRYPT:
        return run_cipher(s, op, &decryption, out, out_n);
    case CKF_DIGEST:
        return digest(op, out, out_n);
    default:
        return sign(s, op, out, out_n);
    }
}

/* *go: there is room for what comes. An operation goes on after a question for the length alone. */
static CK_RV room(bool *go, cm_p11_op *op, CK_ULONG extra_n, const CK_BYTE *out, CK_ULONG *out_n)
{
    CK_ULONG n = 0, given = *out_n;

    P11_TRY(length_of(&n, op, extra_n));
    *go = out && given >= n;
    if (*go)
        return CKR_OK;
    *out_n = n;
    return out ? CKR_BUFFER_TOO_SMALL : CKR_OK;
}

/* parts: Final after Update; else the whole at once. */
static CK_RV finish(CK_SESSION_HANDLE session, CK_FLAGS use, bool parts, const CK_BYTE *data,
                    CK_ULONG data_n, CK_BYTE *out, CK_ULONG *out_n)
{
    CM_AUTO(cm_p11_give) cm_p11_session *s = NULL;
    bool go = false;
    cm_p11_op *op;
    CK_RV rv;

    P11_TRY(cm_p11_take(&s, session));
    op = cm_p11_op_of(s, use);
    if (!op->mech || (op->parts && !parts))
        return CKR_OPERATION_NOT_INITIALIZED;
    if (!out_n)
        rv = CKR_ARGUMENTS_BAD;
    else
        rv = room(&go, op, data_n, out, out_n);
    if (rv == CKR_BUFFER_TOO_SMALL || (rv == CKR_OK && !go))
        return rv;
    if (rv == CKR_OK)
        rv = gather(op, data, data_n);
    if (rv == CKR_OK)
        rv = produce(s->slot, op, out, out_n);
    cm_p11_op_clear(op);
    return rv;
}

static CK_RV update(CK_SESSION_HANDLE session, CK_FLAGS use, const CK_BYTE *data, CK_ULONG n)
{
    CM_AUTO(cm_p11_give) cm_p11_session *s = NULL;
    cm_p11_op *op;
    CK_RV rv;

    P11_TRY(cm_p11_take(&s, session));
    op = cm_p11_op_of(s, use);
    if (!op->mech)
        return CKR_OPERATION_NOT_INITIALIZED;
    op->parts = true;
    rv = gather(op, data, n);
    if (rv != CKR_OK)
        cm_p11_op_clear(op);
    return rv;
}

static CK_RV check(CK_SESSION_HANDLE session, bool parts, const CK_BYTE *data, CK_ULONG data_n,
                   const CK_BYTE *sig, CK_ULONG sig_n)
{
    CM_AUTO(cm_p11_give) cm_p11_session *s = NULL;
    cm_view v = {0};
    cm_p11_op *op;
    CK_RV rv;

    P11_TRY(cm_p11_take(&s, session));
    op = cm_p11_op_of(s, CKF_VERIFY);
    if (!op->mech || (op->parts && !parts))
        return CKR_OPERATION_NOT_INITIALIZED;
    rv = gather(op, data, data_n);
    if (rv == CKR_OK)
        rv = cm_p11_in(&v, sig, sig_n, CM_SIG_MAX + 1);
    if (rv == CKR_OK)
        rv = verify(s->slot, op, v);
    else if (rv == CKR_DATA_LEN_RANGE && sig_n > CM_SIG_MAX)
        rv = CKR_SIGNATURE_LEN_RANGE;
    cm_p11_op_clear(op);
    return rv;
}

/* ---- as the host calls them ---------------------------------------------------------------- */

CK_RV C_SignInit(CK_SESSION_HANDLE session, CK_MECHANISM *m, CK_OBJECT_HANDLE key)
{
    return init(session, m, key, CKF_SIGN);
}

CK_RV C_Sign(CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG data_n, CK_BYTE *out,
             CK_ULONG *out_n)
{
    return finish(session, CKF_SIGN, false, data, data_n, out, out_n);
}

CK_RV C_SignUpdate(CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG data_n)
{
    return update(session, CKF_SIGN, data, data_n);
}

CK_RV C_SignFinal(CK_SESSION_HANDLE session, CK_BYTE *out, CK_ULONG *out_n)
{
    return finish(session, CKF_SIGN, true, NULL, 0, out, out_n);
}

CK_RV C_VerifyInit(CK_SESSION_HANDLE session, CK_MECHANISM *m, CK_OBJECT_HANDLE key)
{
    return init(session, m, key, CKF_VERIFY);
}

CK_RV C_Verify(CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG data_n, CK_BYTE *sig,
               CK_ULONG sig_n)
{
    return check(session, false, data, data_n, sig, sig_n);
}

CK_RV C_VerifyUpdate(CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG data_n)
{
    return update(session, CKF_VERIFY, data, data_n);
}

CK_RV C_VerifyFinal(CK_SESSION_HANDLE session, CK_BYTE *sig, CK_ULONG sig_n)
{
    return check(session, true, NULL, 0, sig, sig_n);
}

CK_RV C_EncryptInit(CK_SESSION_HANDLE session, CK_MECHANISM *m, CK_OBJECT_HANDLE key)
{
    return init(session, m, key, CKF_ENCRYPT);
}

CK_RV C_Encrypt(CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG data_n, CK_BYTE *out,
                CK_ULONG *out_n)
{
    return finish(session, CKF_ENCRYPT, false, data, data_n, out, out_n);
}

CK_RV C_DecryptInit(CK_SESSION_HANDLE session, CK_MECHANISM *m, CK_OBJECT_HANDLE key)
{
    return init(session, m, key, CKF_DECRYPT);
}

CK_RV C_Decrypt(CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG data_n, CK_BYTE *out,
                CK_ULONG *out_n)
{
    return finish(session, CKF_DECRYPT, false, data, data_n, out, out_n);
}

/* Nothing comes out before it is authentic, so nothing before Final. */
CK_RV C_EncryptUpdate(CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG data_n, CK_BYTE *out,
                      CK_ULONG *out_n)
{
    (void)out;
    if (!out_n)
        return CKR_ARGUMENTS_BAD;
    *out_n = 0;
    return out ? update(session, CKF_ENCRYPT, data, data_n) : CKR_OK;
}

CK_RV C_EncryptFinal(CK_SESSION_HANDLE session, CK_BYTE *out, CK_ULONG *out_n)
{
    return finish(session, CKF_ENCRYPT, true, NULL, 0, out, out_n);
}

CK_RV C_DecryptUpdate(CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG data_n, CK_BYTE *out,
                      CK_ULONG *out_n)
{
    (void)out;
    if (!out_n)
        return CKR_ARGUMENTS_BAD;
    *out_n = 0;
    return out ? update(session, CKF_DECRYPT, data, data_n) : CKR_OK;
}

CK_RV C_DecryptFinal(CK_SESSION_HANDLE session, CK_BYTE *out, CK_ULONG *out_n)
{
    return finish(session, CKF_DECRYPT, true, NULL, 0, out, out_n);
}

CK_RV C_DigestInit(CK_SESSION_HANDLE session, CK_MECHANISM *m)
{
    return init(session, m, 0, CKF_DIGEST);
}

CK_RV C_Digest(CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG data_n, CK_BYTE *out,
               CK_ULONG *out_n)
{
    return finish(session, CKF_DIGEST, false, data, data_n, out, out_n);
}

CK_RV C_DigestUpdate(CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG data_n)
{
    return update(session, CKF_DIGEST, data, data_n);
}

CK_RV C_DigestFinal(CK_SESSION_HANDLE session, CK_BYTE *out, CK_ULONG *out_n)
{
    return finish(session, CKF_DIGEST, true, NULL, 0, out, out_n);
}

/* ---- 3.2: the signature comes first -------------------------------------------------------- */

CK_RV C_VerifySignatureInit(CK_SESSION_HANDLE session, CK_MECHANISM *m, CK_OBJECT_HANDLE key,
                            CK_BYTE *sig, CK_ULONG sig_n)
{
    CM_AUTO(cm_p11_give) cm_p11_session *s = NULL;
    cm_view v;
    cm_p11_op *op;

    if (m && cm_p11_in(&v, sig, sig_n, CM_SIG_MAX) != CKR_OK)
        return CKR_SIGNATURE_LEN_RANGE;
    P11_TRY(init(session, m, key, CKF_VERIFY));
    if (!m)
        return CKR_OK;
    P11_TRY(cm_p11_take(&s, session));
    op = cm_p11_op_of(s, CKF_VERIFY);
    op->signature.max = CM_SIG_MAX;
    return cm_p11_rv(cm_buf_append(&op->signature, v));
}

static CK_RV check_stored(CK_SESSION_HANDLE session, bool parts, const CK_BYTE *data, CK_ULONG n)
{
    CM_AUTO(cm_p11_give) cm_p11_session *s = NULL;
    cm_p11_op *op;
    CK_RV rv;

    P11_TRY(cm_p11_take(&s, session));
    op = cm_p11_op_of(s, CKF_VERIFY);
    if (!op->mech || op->signature.n == 0 || (op->parts && !parts))
        return CKR_OPERATION_NOT_INITIALIZED;
    rv = gather(op, data, n);
    if (rv == CKR_OK)
        rv = verify(s->slot, op, cm_buf_view(&op->signature));
    cm_p11_op_clear(op);
    return rv;
}

CK_RV C_VerifySignature(CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG data_n)
{
    return check_stored(session, false, data, data_n);
}

CK_RV C_VerifySignatureUpdate(CK_SESSION_HANDLE session, CK_BYTE *data, CK_ULONG data_n)
{
    return update(session, CKF_VERIFY, data, data_n);
}

CK_RV C_VerifySignatureFinal(CK_SESSION_HANDLE session)
{
    return check_stored(session, true, NULL, 0);
}
