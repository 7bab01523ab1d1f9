#ifndef CM_SVC_SVC_INT_H
#define CM_SVC_SVC_INT_H
/* What the parts of the service share. */
#include <pthread.h>
#include <stdatomic.h>

#include "svc/handlers_int.h"
#include "svc/messages.h"
#include "svc/names.h"
#include "svc/ops.h"
#include "svc/policy.h"
#include "svc/quota.h"
#include "svc/refusals.h"
#include "wire/session.h"

/* ---- rows ---- */

/* A row as it was read: immutable, shared by calls. */
typedef struct cm_svc_row {
    atomic_uint refs;
    uint64_t hash;
    uint64_t generation; /* of its tenant when it was read */
    uint64_t version;
    cm_arena *arena;
    cm_view key;
    cm_msg *msg;
    _Atomic(void *) extra; /* made of msg on first use */
    void (*extra_free)(void *extra);
    struct cm_svc_row *next;
} cm_svc_row;

enum { CM_SVC_ID = 16, CM_SVC_IDS = 64 };
enum { CM_SVC_SHARDS = 16, CM_SVC_SLOTS = 256, CM_SVC_SHARD_ROWS = 512, CM_SVC_SESSIONS = 65536 };

typedef struct {
    pthread_mutex_t lock;
    cm_svc_row *slot[CM_SVC_SLOTS];
    size_t n;
} cm_svc_shard;

typedef struct cm_svc_session {
    uint8_t id[CM_SESSION_ID];
    uint64_t opened_ms, expires_ms;
    cm_key32 key;
    uint8_t exporter[32];
    char tenant[CM_TENANT_MAX + 1], principal[CM_NAME_MAX + 1];
    cm_session_window window;
    struct cm_svc_session *next;
} cm_svc_session;

struct cm_svc {
    cm_svc_options o;
    cm_quota *quota;
    cm_refusals *refusals;
    cm_svc_shard shard[CM_SVC_SHARDS];
    pthread_mutex_t sessions_lock; /* over the sessions and their windows */
    cm_svc_session *session[CM_SVC_SLOTS];
    size_t sessions_n;
    pthread_mutex_t ids_lock; /* over ids: of calls to come */
    uint8_t ids[CM_SVC_IDS][CM_SVC_ID];
    size_t ids_n;
    atomic_uint_fast64_t calls, refused, retries, cached;
};

/* ---- a call ---- */

typedef enum {
    CM_BY_NONE,
    CM_BY_SIGNATURE,
    CM_BY_SESSION,
    CM_BY_CERTIFICATE,
    CM_BY_TOKEN,
    CM_BY_API_KEY,
    CM_BY_LOCAL,
    CM_BY_EVIDENCE
} cm_svc_how;

typedef struct {
    cm_svc_how how;
    cm_view tenant; /* whose principal; "" the system's */
    cm_view name;
    cm_view blind;
    cm_view opener; /* the key id of a full signature */
    uint64_t rate;
    uint64_t until_ms; /* when what they showed is over; 0: it has no end */
} cm_svc_who;

enum {
    CM_CALL_EXPECTS = 48,
    CM_CALL_WRITES = 80,
    CM_CALL_BUMPS = 10,
    CM_CALL_BUMPS_MAX = 640, /* a Batch of 128 nonces, two rows each */
    CM_CALL_HELD = 64,
    CM_CALL_TAKES = 6,
    CM_CALL_TRIES = 5,
};

typedef enum {
    CM_AT_START,
    CM_AT_ROWS,
    CM_AT_DECISION,
    CM_AT_PREPARE,
    CM_AT_FINISH,
    CM_AT_COMMIT,
    CM_AT_REFUSAL,
    CM_AT_END,
} cm_svc_stage;

struct cm_call_state {
    cm_call *call;
    cm_svc_stage stage;
    unsigned tries, round;
    atomic_int turn; /* who goes on: whoever submitted, or whoever is called back */
    uint64_t now;
    uint8_t id[CM_SVC_ID];
    cm_svc_who who;
    cm_svc_who before; /* of a stream that goes on: who it is for */
    bool resumed;
    cm_view tenant; /* that it is about, as rows have it */
    bool no_tenant; /* there is none of that name */
    bool on_key;
    cm_view keyspace, key;
    const cm_msg *key_record; /* of the key it is about; NULL: there is none */
    uint64_t key_version;
    cm_view custody;  /* V-140: of what was made */
    cm_view resource; /* of the log entry */
    cm_view request;  /* of the log entry */
    cm_view evidence;

    cm_unit unit;
    cm_audit_entry entry;
    cm_unit_expect expects[CM_CALL_EXPECTS];
    cm_store_write writes[CM_CALL_WRITES];
    cm_unit_bump few_bumps[CM_CALL_BUMPS];
    cm_unit_bump *bumps; /* those, or more in the arena */
    size_t bumps_max;
    size_t nonce_bumps; /* the first of bumps: they count for a refusal, too */
    size_t decided;     /* the first of expects: what a refusal stands on */
    cm_quota_take_of takes[CM_CALL_TAKES];
    size_t takes_n;
    size_t take_bump[CM_CALL_TAKES]; /* index of its bump where it has a chunk */
    cm_svc_row *held[CM_CALL_HELD];
    size_t held_n;
    /* bumps[once_from..once_to) are of what may happen once: when one is spent, the call is refused
     * with this. */
    cm_err once;
    size_t once_from, once_to;
    size_t challenge_from, challenge_to; /* the same of the challenge of its evidence */
    struct cm_svc_evidence *shown;       /* evidence.c's; NULL: it shows none */
    const cm_msg *rcar;                  /* its session of the key broker protocol */
    cm_kem_key *ephemeral;               /* that a key on its way out is sealed to in between */
    cm_err refusal;
    cm_audit_decision decision;
    cm_refusal stands_for; /* V-91: of a refused attestation, what its entry does */
    bool stood;            /* it is in the log */

    /* What it counts as in policy, budgets and log: itself, or a batch's operation so often. */
    const cm_op *acts;
    unsigned units;
    cm_view logged; /* the operation's name in the log */

    bool want_op; /* the key operation in op is to be executed, then finish follows */
    cm_keyop op;
    /* Of a batch, in place of op: those from `from` up to `to` are executed together. */
    cm_keyop *ops;
    size_t ops_n, from, to;
    atomic_size_t under_way;
    cm_view loading;       /* tenant whose row key is on its way */
    const cm_svc_row *row; /* the handlers' own: the row they change */
    uint64_t number;       /* the handlers' own */
    size_t at, left;
    cm_view text;
};

/* ---- rows.c: each read adds what it stands on to the call's unit ---- */

/* A path of typed parts, in the call's arena. */
cm_err cm_svc_path(cm_call *c, cm_view *out, const cm_view *parts, size_t n);
#define CM_PATH(c, out, ...)                                \
    cm_svc_path((c), (out), (const cm_view[]){__VA_ARGS__}, \
                sizeof((const cm_view[]){__VA_ARGS__}) / sizeof(cm_view))
cm_err cm_svc_key_path(cm_call *c, cm_view *out, cm_view tenant, cm_view keyspace, cm_view name);

/* The row under key, expected to stay as it is until the commit; STORE_NO_ROW when there is none,
 * and then that is expected. */
cm_err cm_svc_read(cm_call *c, const cm_svc_row **out, cm_view key, const cm_message *type);
/* A row that changes only with its tenant's generation, which cm_svc_generation() expects. */
cm_err cm_svc_read_stable(cm_call *c, const cm_svc_row **out, cm_view tenant, cm_view key,
                          const cm_message *type);
/* Expects the tenant's generation. */
cm_err cm_svc_generation(cm_call *c, cm_view tenant, uint64_t *generation);
/* Writes the tenant's next generation: what others hold in memory of it is void. */
cm_err cm_svc_bump_generation(cm_call *c, cm_view tenant);
/* The row of the call's that was handed out as row, to hang something on. */
cm_svc_row *cm_svc_held(cm_call *c, const cm_svc_row *row);
cm_err cm_svc_expect(cm_call *c, cm_view key, uint64_t version);
cm_err cm_svc_write(cm_call *c, cm_view key, uint64_t version, const cm_msg *m);
cm_err cm_svc_write_bytes(cm_call *c, cm_view key, uint64_t version, cm_view value);
cm_err cm_svc_remove(cm_call *c, cm_view key);
cm_err cm_svc_bump(cm_call *c, cm_view key, uint64_t by, uint64_t max, uint64_t until);
void cm_svc_forget(cm_svc *s, cm_view key);
void cm_svc_release(struct cm_call_state *st);
/* Copies into a what a message borrows from elsewhere. */
cm_err cm_svc_detach(cm_arena *a, cm_msg *m);
void cm_svc_rows_init(cm_svc *s);
void cm_svc_rows_done(cm_svc *s);
/* Decodes a record of a row into a. SVC_RECORD. */
cm_err cm_svc_record(cm_msg **out, cm_arena *a, const cm_message *type, cm_view value);

/* ---- helpers for messages ---- */
cm_err cm_svc_new_msg(cm_call *c, cm_msg **out, const cm_message *type);
void cm_set_view(cm_msg *m, size_t field, cm_view v);
void cm_set_number(cm_msg *m, size_t field, uint64_t n);
void cm_set_msg(cm_msg *m, size_t field, cm_msg *v);
void cm_set_msgs(cm_msg *m, size_t field, cm_msg **v, size_t n);
void cm_set_same(cm_msg *m, size_t field, const cm_msg *from, size_t from_field);
/* The value of a field by its number; NULL when the message has none or it is not set. */
const cm_msg_value *cm_field_by_number(const cm_msg *m, unsigned number);
/* Says which field of the request is wrong. */
cm_err cm_svc_wrong(cm_call *c, cm_err e, const char *field);
/* Copies bytes that would be gone before the answer is. */
cm_err cm_svc_keep(cm_call *c, cm_view *v);

/* ---- h_tenant.c ---- */
/* A tenant's record; NULL: it has none (the system). */
cm_err cm_svc_tenant(cm_call *c, cm_view name, const cm_msg **record);
/* "NAME LABEL MAKER SERIAL" of its own device, in the call's arena. */
cm_err cm_svc_tenant_device(cm_call *c, cm_view *out, const cm_msg *record);
/* Asks for a new KEK where the record says: fills in the operation that cm_svc_want() began. */
void cm_svc_tenant_place(cm_call *c, const cm_msg *record);
/* What the device said of itself into the record; nothing without a device. */
cm_err cm_svc_tenant_facts(cm_call *c, cm_msg *record);
/* The tenant's path for its log entry, and behind it its device: custody, name, label, maker,
 * serial number. */
cm_err cm_svc_tenant_resource(cm_call *c, cm_view name, const cm_msg *record);

/* ---- authn.c ---- */
cm_err cm_svc_authenticate(cm_call *c);
/* The parsed public key of a credential row. */
cm_err cm_svc_credential_key(cm_call *c, const cm_svc_row *row, const cm_sig_key **out);
cm_err cm_svc_mldsa_key(cm_sig_key **out, const cm_crypt *c, cm_view pk);
enum { CM_CREDENTIAL_MLDSA = 1, CM_CREDENTIAL_CERT, CM_CREDENTIAL_APIKEY, CM_CREDENTIAL_OIDC };
/* The row that leads from a credential to its principal. */
cm_err cm_svc_credential_path(cm_call *c, cm_view *out, cm_view tenant, unsigned kind, cm_view id);
cm_err cm_svc_oidc_id(cm_call *c, uint8_t id[32], cm_view issuer, cm_view subject);
void cm_svc_sessions_done(cm_svc *s);

/* ---- evidence.c ---- */
/* Reads the evidence of a request, if it brings some, and uses its challenge up. SVC_NO_VERIFIER,
 * SVC_CHALLENGE. */
cm_err cm_svc_evidence(cm_call *c);
/* Its decision under a policy of the tenant; a policy that is not there accepts nothing. out says
 * why. record: the policy's, NULL when there is none; may be NULL. */
cm_err cm_svc_shows(cm_call *c, cm_appraisal *out, cm_view policy, const cm_msg **record);
/* What it is worth to grants: fills measurement (with room for 64 bytes), tier and policies of ask.
 * SVC_EVIDENCE when nothing accepts it. */
cm_err cm_svc_evidence_facts(cm_call *c, cm_ask *ask, const cm_grant *grants, size_t n,
                             uint8_t measurement[64]);

/* The same under no policy but that of V-84; measured has room for 64 bytes. */
cm_err cm_svc_shows_genuine(cm_call *c, cm_appraisal *out, uint8_t measured[64], size_t *n);
/* What a session of the key broker protocol has shown. */
cm_err cm_svc_evidence_of(cm_call *c, const cm_msg *rcar);
/* And what it says it was started with (RL-81); borrowed. */
void cm_svc_evidence_init_data(cm_call *c, cm_view text);

/* ---- h_rcar.c ---- */
enum { CM_RCAR_SESSION_MS = 300000, CM_SVC_RCAR_BATCH = 32 };
#define CM_SVC_RCAR           "rcar-session"
#define CM_SVC_RCAR_PRINCIPAL "rcar"
/* Before anything is read: which tenant evidence is for, and as what a resource counts. */
cm_err cm_svc_rcar_start(cm_call *c);
/* The session of a resource request. SVC_UNAUTHENTIC, SVC_SESSION. */
cm_err cm_svc_rcar_session(cm_call *c);
/* Fills in what the entry of a refused attestation says (V-91). */
cm_err cm_svc_rcar_refused(cm_call *c);
/* Removes sessions that are over, in the call's unit. */
cm_err cm_svc_forget_rcar(cm_call *c, cm_view tenant, const cm_view *keys, size_t n);

/* ---- h_release.c ---- */
/* Under the policy that the key names, for whoever shows evidence: SVC_NOT_RELEASABLE,
 * SVC_RELEASE_REFUSED with its sentence. */
cm_err cm_svc_release_decided(cm_call *c, cm_appraisal *out, const cm_msg **policy, cm_view key,
                              cm_view wrapped);

/* Whether keys of that type may have this policy (empty: none). SVC_KEY_KIND, SVC_NO_POLICY. */
cm_err cm_svc_release_policy(cm_call *c, cm_view name, const cm_key_type_info *t);
/* The type of a recipient's key; SVC_REQUEST, which names the field. */
cm_err cm_svc_kem_of(cm_call *c, cm_view pk, cm_key_type *type, const char *field);

/* ---- h_model.c ---- */
/* V-35: what a content key of the call's model and version is bound to. SVC_REQUEST. */
cm_err cm_svc_model_context(cm_call *c, cm_view *out, cm_view digest);

/* ---- challenge.c ---- */
enum { CM_CHALLENGE_MS = 300000, CM_CHALLENGE_NONCE = 32, CM_CHALLENGE_MAX = 192 };
/* A fresh one of the tenant: nonce, and what to bring back. whose: the TPM that the credential is
 * for, NULL: none; its secret is filled in. */
cm_err cm_svc_challenge_make(cm_call *c, cm_view tenant, uint8_t nonce[CM_CHALLENGE_NONCE],
                             cm_buf *challenge, cm_tpm_activation *whose);
/* What was brought back: SVC_CHALLENGE. whose->name_n is 0 when it is for no TPM. */
cm_err cm_svc_challenge_take(cm_call *c, cm_view tenant, cm_view challenge,
                             uint8_t nonce[CM_CHALLENGE_NONCE], cm_tpm_activation *whose,
                             uint64_t *until_ms);
/* ---- registry.c ---- */
/* Uses a nonce up, in the unit of the call and in that of its refusal. */
cm_err cm_svc_challenge_once(cm_call *c, cm_view tenant, cm_view nonce, uint64_t until_ms);

/* ---- decide.c ---- */
cm_err cm_svc_decide(cm_call *c);
/** Whether who asks may do action on another key of the keyspace; record NULL: there is none. */
cm_err cm_svc_decide_also(cm_call *c, cm_view action, cm_perm perm, cm_view key,
                          const cm_msg *record);
cm_err cm_svc_charge(cm_call *c);
/* Fills g from a grant in a message with the fields of CM_GRANT_FIELDS at `first`. */
void cm_svc_grant_of(cm_grant *g, cm_view name, const cm_msg *m, size_t effect_field);
/* All grants of a tenant. */
cm_err cm_svc_grants(cm_call *c, cm_view tenant, const cm_grant **grants, size_t *n);
enum { CM_SVC_GRANTS_MAX = 1024 };

/* ---- h_batch.c ---- */
/* What a batch counts as; anything else is left as it is. */
cm_err cm_svc_batch_counts(cm_call *c);

/* ---- h_principal.c ---- */
/* Writes a new principal with the credentials shown in kept. */
cm_err cm_svc_new_principal(cm_call *c, cm_view name, cm_msg **kept, size_t kept_n, uint64_t rate,
                            cm_msg **record);

/* ---- keyrec.c ---- */
/* The tenant's sealed KEK of that version (0: the newest; *version says which). */
cm_err cm_svc_kek(cm_call *c, uint64_t *version, cm_view *sealed);
/* ---- h_tenant.c ---- */
/* Writes a new tenant: record, generation and KEK. */
cm_err cm_svc_put_tenant(cm_call *c, cm_view name, cm_view sealed_kek, cm_msg *record);

/* ---- svc.c ---- */
/* An empty unit of the call's. */
void cm_svc_unit_init(struct cm_call_state *st);
/* Runs one key operation with this call; finish comes next (again). */
void cm_svc_want(cm_call *c, cm_keyop_code code);

#endif
