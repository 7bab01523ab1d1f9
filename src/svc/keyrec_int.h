#ifndef CM_SVC_KEYREC_INT_H
#define CM_SVC_KEYREC_INT_H
/* Key records: their versions, states, limits. */
#include "svc/svc_int.h"

enum { CM_DAY_MS = 86400000, CM_KEY_VERSIONS = 64 };

/* A version's state now: one that is pre-active becomes active by itself when its time has come,
 * and destruction that is pending stops all of them. */
cm_key_state cm_keyrec_state(const cm_msg *record, const cm_msg *version, uint64_t now);
/* The version of that number; 0: the newest that is not pre-active. NULL: none. */
const cm_msg *cm_keyrec_version(const cm_msg *record, uint64_t number, uint64_t now);
/* The key that the call is about: SVC_NO_KEY, SVC_KEYSPACE_KIND where model keys and others do not
 * mix, SVC_KEY_KIND when its type can't do that. */
cm_err cm_keyrec_of(cm_call *c, const cm_msg **record, const cm_key_type_info **info, unsigned can,
                    bool model);
/* Points the call's key operation at a version of a key. */
cm_err cm_keyrec_bind(cm_call *c, const cm_msg *record, const cm_msg *version);
cm_err cm_keyrec_bind_op(cm_call *c, cm_keyop *op, cm_view path, const cm_msg *record,
                         const cm_msg *version);
/* The version of that number (0: the current one) where it may be used so: SVC_NO_VERSION,
 * SVC_MIN_VERSION, KEY_STATE. */
cm_err cm_keyrec_pick(const cm_call *c, const cm_msg **out, const cm_msg *record, uint64_t version,
                      unsigned use);
/* Everything that comes before using a key: version, state, min_decrypt_version, then the key
 * operation is wanted. use: CM_USE_*. */
cm_err cm_keyrec_use(cm_call *c, cm_keyop_code code, unsigned can, unsigned use, uint64_t version,
                     bool model);
/* One of the day's decryptions. */
cm_err cm_keyrec_budget(cm_call *c, const cm_msg *record);
/* The record as the interface shows it. */
cm_err cm_keyrec_show(cm_call *c, cm_msg *out, cm_view keyspace, cm_view name,
                      const cm_msg *record);
/* A copy of a record in the call's arena, to change; its versions are copies, too. */
cm_err cm_keyrec_copy(cm_call *c, cm_msg **out, const cm_msg *record, size_t room);
/* Writes the record and the scheduler's row for what is next due of it. */
cm_err cm_keyrec_put(cm_call *c, cm_view keyspace, cm_view name, cm_msg *record, uint64_t version);

/** Who could have the version's key, as things are now: the server's root says, else the record. */
#define CM_NATIVE "hsm-native"
/* The tenant's device, for people. */
CM_MUST cm_err cm_keyrec_device(cm_call *c, cm_view *device);
cm_err cm_keyrec_custody(cm_call *c, cm_view *custody, cm_view *device, const cm_msg *version);
/* The same into the entry of what is under way: V-140. */
CM_MUST cm_err cm_keyrec_log_custody(cm_call *c, const cm_msg *version);

/* A copy of a tenant's KEK record, to change. */
cm_err cm_keyrec_copy_keks(cm_call *c, cm_msg **out, const cm_msg *record);

#endif
