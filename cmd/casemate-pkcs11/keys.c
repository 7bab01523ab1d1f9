/* The keys of a slot, as the server lists them. */
#include "base/os.h"
#include "codec/text.h"
#include "module.h"

enum { ARENA = 16 << 20, FRESH_MS = 1000, PAGE = 500 };

#define P256      "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"
#define P384      "\x06\x05\x2b\x81\x04\x00\x22"
#define SECP256K1 "\x06\x05\x2b\x81\x04\x00\x0a"
#define ED25519   "\x06\x03\x2b\x65\x70"

static const cm_p11_kind kinds[] = {
    {CM_KEY_ML_KEM_512, CKK_ML_KEM, CKP_ML_KEM_512, 800, NULL, 0, 768},
    {CM_KEY_ML_KEM_768, CKK_ML_KEM, CKP_ML_KEM_768, 1184, NULL, 0, 1088},
    {CM_KEY_ML_KEM_1024, CKK_ML_KEM, CKP_ML_KEM_1024, 1568, NULL, 0, 1568},
    {CM_KEY_ML_DSA_44, CKK_ML_DSA, CKP_ML_DSA_44, 1312, NULL, 0, 2420},
    {CM_KEY_ML_DSA_65, CKK_ML_DSA, CKP_ML_DSA_65, 1952, NULL, 0, 3309},
    {CM_KEY_ML_DSA_87, CKK_ML_DSA, CKP_ML_DSA_87, 2592, NULL, 0, 4627},
    {CM_KEY_SLH_DSA_128S, CKK_SLH_DSA, CKP_SLH_DSA_SHA2_128S, 32, NULL, 0, 7856},
    {CM_KEY_SLH_DSA_128F, CKK_SLH_DSA, CKP_SLH_DSA_SHA2_128F, 32, NULL, 0, 17088},
    {CM_KEY_ED25519, CKK_EC_EDWARDS, 0, 255, ED25519, sizeof ED25519 - 1, 64},
    {CM_KEY_P256, CKK_EC, 0, 256, P256, sizeof P256 - 1, 64},
    {CM_KEY_P384, CKK_EC, 0, 384, P384, sizeof P384 - 1, 96},
    {CM_KEY_SECP256K1, CKK_EC, 0, 256, SECP256K1, sizeof SECP256K1 - 1, 64},
    {CM_KEY_RSA_2048, CKK_RSA, 0, 2048, NULL, 0, 256},
    {CM_KEY_RSA_4096, CKK_RSA, 0, 4096, NULL, 0, 512},
    {CM_KEY_AES_256, CKK_AES, 0, 256, NULL, 0, 0},
    {CM_KEY_HMAC_SHA256, CKK_SHA256_HMAC, 0, 256, NULL, 0, 32},
};

const cm_p11_kind *cm_p11_kind_at(size_t i)
{
    return i < CM_COUNT(kinds) ? &kinds[i] : NULL;
}

const cm_p11_kind *cm_p11_kind_of(cm_key_type t)
{
    for (size_t i = 0; i < CM_COUNT(kinds); i++)
        if (kinds[i].type == t)
            return &kinds[i];
    return NULL;
}

/* ---- one key ---- */

static cm_p11_key *known(const cm_p11_slot *s, cm_view keyspace, cm_view name, uint64_t version)
{
    for (size_t i = 0; i < s->keys_n; i++) {
        cm_p11_key *k = s->keys[i];

        if (k->version == version && cm_view_eq(cm_view_str(k->name), name) &&
            cm_view_eq(cm_view_str(k->keyspace), keyspace))
            return k;
    }
    return NULL;
}

static cm_err add(cm_p11_slot *s, cm_p11_key **out)
{
    if (s->keys_n == s->keys_cap) {
        size_t cap = s->keys_cap ? 2 * s->keys_cap : 64;
        cm_p11_key **more;

        if (cap > CM_P11_KEYS)
            return CM_FAIL(SVC_LIMIT);
        CM_TRY(cm_alloc_array(&more, cap, sizeof(cm_p11_key *)));
        if (s->keys_n)
            memcpy(more, s->keys, s->keys_n * sizeof(cm_p11_key *));
        cm_free(s->keys);
        s->keys = more;
        s->keys_cap = cap;
    }
    CM_TRY(cm_alloc(out, sizeof **out));
    s->keys[s->keys_n++] = *out;
    return CM_OKAY;
}

/* The id that a host gave when it had the key made, kept as a tag. */
static bool tagged(cm_p11_key *k, const cm_msg *m)
{
    static const char prefix[] = "pkcs11-id:";
    const cm_msg_value *tags = &m->v[M_Key_tags];

    for (size_t i = 0; tags->set && i < tags->n; i++) {
        CM_AUTO(cm_buf_free) cm_buf id = {.max = CM_P11_ID};
        cm_view t = tags->views[i];

        if (t.n <= sizeof prefix - 1 || memcmp(t.p, prefix, sizeof prefix - 1) != 0 ||
            cm_failed(
                cm_hex_decode(&id, cm_view_sub(t, sizeof prefix - 1, t.n - (sizeof prefix - 1)))))
            continue;
        memcpy(k->id, id.p, id.n);
        k->id_n = id.n;
        return true;
    }
    return false;
}

/* Otherwise its public key's hash; of a symmetric key, the hash of its name. */
static cm_err identify(cm_p11_slot *s, cm_p11_key *k, const cm_msg *m)
{
    const cm_msg_value *all = &m->v[M_Key_versions];
    uint8_t name[2 * CM_P11_NAME + 1];
    size_t a = strlen(k->keyspace), b = strlen(k->name);

    if (tagged(k, m))
        return CM_OKAY;
    k->id_n = 20;
    for (size_t i = 0; all->set && i < all->n; i++) {
        cm_view hash = cm_msg_view(all->msgs[i], M_KeyVersion_public_key_sha256);

        if (cm_msg_number(all->msgs[i], M_KeyVersion_version, 0) != k->version || hash.n != 32)
            continue;
        memcpy(k->id, hash.p, k->id_n);
        return CM_OKAY;
    }
    memcpy(name, k->keyspace, a);
    name[a] = 0;
    memcpy(name + a + 1, k->name, b);
    return cm_hash_once(s->crypt, CM_SHA256, k->id, cm_view_of(name, a + 1 + b));
}

static bool fits(cm_view v)
{
    return v.n && v.n <= CM_P11_NAME && !memchr(v.p, 0, v.n);
}

static cm_err learn(cm_p11_slot *s, const cm_msg *m, cm_p11_key **out)
{
    cm_view keyspace = cm_msg_view(m, M_Key_keyspace), name = cm_msg_view(m, M_Key_key);
    const cm_key_type_info *info = cm_key_type_by_name(cm_msg_view(m, M_Key_type));
    uint64_t version = cm_msg_number(m, M_Key_version, 0);
    cm_p11_key *k;

    *out = NULL;
    if (info && s->types && !(s->types & 1u << info->type))
        return CM_OKAY;
    if (!info || !cm_p11_kind_of(info->type) || !fits(name) || !fits(keyspace) || version == 0)
        return CM_OKAY;
    k = known(s, keyspace, name, version);
    if (!k || k->info != info) {
        CM_TRY(add(s, &k));
        k->info = info;
        k->version = version;
        memcpy(k->keyspace, keyspace.p, keyspace.n);
        memcpy(k->name, name.p, name.n);
    }
    CM_TRY(identify(s, k, m));
    k->listed = true;
    *out = k;
    return CM_OKAY;
}

CK_RV cm_p11_learn(cm_p11_slot *s, const cm_msg *m, cm_p11_key **out)
{
    return cm_p11_rv(learn(s, m, out));
}

/* ---- the list ---- */

/* One page. *token moves to the next; empty behind the last. */
static CK_RV page(cm_p11_slot *s, cm_arena *a, cm_buf *token, bool first)
{
    cm_msg *q, *got;
    cm_p11_key *k;
    const cm_msg_value *keys;
    CK_RV rv = CKR_OK;

    P11_OK(cm_msg_new(&q, a, &cm_message_ListKeysRequest));
    cm_p11_set_number(q, M_ListKeysRequest_page_size, PAGE);
    if (s->keyspace && s->keyspace[0])
        cm_p11_set(q, M_ListKeysRequest_keyspace, cm_view_str(s->keyspace));
    if (token->n)
        cm_p11_set(q, M_ListKeysRequest_page_token, cm_buf_view(token));
    P11_TRY(cm_p11_ask(s, "/keys", NULL, q, &cm_message_ListKeysAnswer, a, &got));
    keys = &got->v[M_ListKeysAnswer_keys];
    cm_p11_lock();
    for (size_t i = 0; first && i < s->keys_n; i++)
        s->keys[i]->listed = false;
    for (size_t i = 0; keys->set && i < keys->n && rv == CKR_OK; i++)
        rv = cm_p11_learn(s, keys->msgs[i], &k);
    cm_p11_unlock();
    P11_TRY(rv);
    token->n = 0;
    P11_OK(cm_buf_append(token, cm_msg_view(got, M_ListKeysAnswer_next_page_token)));
    return CKR_OK;
}

CK_RV cm_p11_list(cm_p11_slot *s, bool now)
{
    CM_AUTO(cm_buf_free) cm_buf token = {.max = 2048};
    uint64_t clock = cm_os_monotonic_ns(), before;
    bool first = true;

    cm_p11_lock();
    before = s->listed_ns;
    cm_p11_unlock();
    if (!now && before && clock - before < FRESH_MS * UINT64_C(1000000))
        return CKR_OK;
    do {
        CM_AUTO(cm_arena_free_ptr) cm_arena *a = NULL;

        P11_OK(cm_arena_new(&a, ARENA));
        P11_TRY(page(s, a, &token, first));
        first = false;
    } while (token.n);
    cm_p11_lock();
    s->listed_ns = clock;
    cm_p11_unlock();
    return CKR_OK;
}

/* ---- public keys ---- */

CK_RV cm_p11_public(cm_p11_slot *s, cm_p11_key *k)
{
    CM_AUTO(cm_arena_free_ptr) cm_arena *a = NULL;
    cm_msg *q, *got;
    cm_view v;
    CK_RV rv = CKR_OK;
    bool there;

    cm_p11_lock();
    there = k->public_key.n != 0;
    cm_p11_unlock();
    if (there)
        return CKR_OK;
    P11_OK(cm_arena_new(&a, ARENA));
    P11_OK(cm_msg_new(&q, a, &cm_message_KeyVersionRequest));
    cm_p11_set(q, M_KeyVersionRequest_keyspace, cm_view_str(k->keyspace));
    cm_p11_set_number(q, M_KeyVersionRequest_version, k->version);
    P11_TRY(cm_p11_ask(s, "/publicKey", k, q, &cm_message_PublicKeyAnswer, a, &got));
    v = cm_msg_view(got, M_PublicKeyAnswer_public_key);
    if (v.n == 0)
        return CKR_DEVICE_ERROR;
    cm_p11_lock();
    k->public_key.max = CM_P11_VALUE;
    if (k->public_key.n == 0)
        rv = cm_p11_rv(cm_buf_append(&k->public_key, v));
    cm_p11_unlock();
    return rv;
}
