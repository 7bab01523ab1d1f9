#ifndef CM_AUDIT_BLIND_H
#define CM_AUDIT_BLIND_H
/*
 * Personal data in a log that forgets nothing: entries hold HMAC(salt, text), the salt is a row of
 * the tenant. Who drops the row leaves hashes that nobody can try guesses against.
 */
#include "audit/audit.h"
#include "store/path.h"

enum { CM_AUDIT_SALT = 32, CM_AUDIT_BLIND = 32 };

/** The row of a tenant's salt: 32 random bytes, made with the tenant. */
void cm_audit_salt_path(cm_path *p, cm_view tenant);
/** The row that holds the text behind a blinded value, for those who may see it. */
void cm_audit_who_path(cm_path *p, cm_view tenant, cm_view blind);

/** out = HMAC-SHA256(salt, "casemate/blind/v1" 00 kind 00 text). kind says what text is, such as
 * "principal" or "address": equal texts of two kinds have nothing in common. BAD_ARGUMENT for a
 * salt that is not 32 bytes, or a kind with a NUL in it or longer than 32 bytes. Any thread. */
CM_MUST cm_err cm_audit_blind(const cm_crypt *c, uint8_t out[CM_AUDIT_BLIND], cm_view salt,
                              const char *kind, cm_view text);

#endif
