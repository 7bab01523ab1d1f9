#ifndef CM_KEYS_RECORD_H
#define CM_KEYS_RECORD_H
/*
 * What is kept of keys and tenants, as bytes: spec/kms-keys.md, 7. Deterministic CBOR records: one
 * value has one encoding, and decoders take nothing else. No secret is in them that is not sealed.
 *
 * Encoders append, and refuse (BAD_ARGUMENT) what a decoder would. Decoders give views into what
 * they read: KEY_RECORD, and nothing is written. Any thread; time depends on what they hold, all of
 * which is public or sealed.
 */
#include "keys/types.h"

enum {
    CM_NAME_PART_MAX = 256,
    CM_TAGS_MAX = 32,
    CM_TAG_NAME_MAX = 64,
    CM_TAG_VALUE_MAX = 256,
    CM_KEKS_MAX = 64,
    CM_KEY_RECORD_MAX = 16 << 10,
    CM_VERSION_RECORD_MAX = 24 << 10,
    CM_TENANT_RECORD_MAX = 256 << 10,
};

/** What a key is called: parts, never a joined string (KM-60). model empty: no keyspace; customer
 * only with a model. UTF-8. */
typedef struct {
    cm_view tenant;          /* empty: the system's */
    cm_view model, customer; /* the keyspace */
    cm_view name;
} cm_key_id;

typedef enum { /* wire numbers: where the secret is worked with */
               CM_CUSTODY_SOFTWARE = 1,
               CM_CUSTODY_HSM_WRAPPED = 2,
               CM_CUSTODY_HSM_NATIVE = 3,
} cm_custody;
/** "software", "hsm-wrapped", "hsm-native"; static, "unknown" for others. */
const char *cm_custody_name(cm_custody c);

typedef struct {
    cm_view name, value; /* UTF-8; names differ */
} cm_key_tag;

typedef struct {
    cm_key_id id;
    cm_key_type type;
    cm_custody custody;
    bool exportable;
    uint64_t current, min_decrypt; /* versions: 1 <= min_decrypt <= current */
    uint64_t created_ms;
    uint64_t period_ms, next_ms; /* of rotation; 0: never */
    uint64_t destroy_ms;         /* 0: not pending */
    unsigned tier;               /* privacy tier 0 to 4 */
    size_t tags_n;
    cm_key_tag tags[CM_TAGS_MAX]; /* in canonical order once decoded */
} cm_key_record;

CM_MUST cm_err cm_key_record_put(cm_buf *out, const cm_key_record *k);
CM_MUST cm_err cm_key_record_get(cm_key_record *k, cm_view v);

/** One version. */
typedef struct {
    uint64_t number; /* from 1 */
    cm_key_state state;
    uint64_t created_ms;
    uint64_t activate_ms, deactivate_ms, compromised_ms, destroy_ms; /* 0: never */
    cm_view sealed; /* the secret under the tenant's KEK; empty exactly when DESTROYED (KM-62) */
    cm_view public_key; /* raw form; empty for symmetric keys */
    uint64_t kek_version;
} cm_version_record;

/** The public key's SHA-256 goes along and is checked (KM-63). */
CM_MUST cm_err cm_version_record_put(cm_buf *out, const cm_crypt *c, const cm_version_record *r);
CM_MUST cm_err cm_version_record_get(cm_version_record *r, const cm_crypt *c, cm_view v);

typedef struct {
    uint64_t version, created_ms;
    cm_view sealed;
} cm_kek_record;

typedef struct {
    cm_view tenant; /* empty: the system's */
    uint64_t created_ms;
    uint64_t row_version; /* the KEK that the tenant's rows are sealed under: one of keks */
    size_t n;             /* 1 or more; ascending, the last one is in force */
    cm_kek_record keks[CM_KEKS_MAX];
} cm_tenant_record;

CM_MUST cm_err cm_tenant_record_put(cm_buf *out, const cm_tenant_record *t);
CM_MUST cm_err cm_tenant_record_get(cm_tenant_record *t, cm_view v);

#endif
