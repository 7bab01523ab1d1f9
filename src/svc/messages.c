/* The tables behind svc/messages.h. */
#include "svc/messages.h"

#define CM_MESSAGE_FIELD(m, number, name, type, flags, max, count, values, sub, doc) \
    {number, #name, CM_F_##type, flags, max, count, values, sub, doc},
#define CM_MESSAGE_TABLE(m, doc)                                               \
    static const cm_field fields_##m[] = {CM_FIELDS_##m(CM_MESSAGE_FIELD, m)}; \
    const cm_message cm_message_##m = {#m, fields_##m, CM_COUNT(fields_##m), doc};

const cm_enum_value cm_enum_batch[] = {
    {"no_operation", 0}, {"sign", 1}, {"verify", 2},    {"encrypt", 3}, {"decrypt", 4},
    {"decapsulate", 5},  {"mac", 6},  {"sign_poai", 7}, {NULL, 0},
};
const cm_enum_value cm_enum_market[] = {
    {"any_algorithm", 0}, {"secp256k1", 1}, {"ml_dsa_65", 2}, {"both", 3}, {NULL, 0},
};
const cm_enum_value cm_enum_form[] = {
    {"message", 0}, {"digest", 1}, {"mu", 2}, {"raw", 3}, {NULL, 0},
};
const cm_enum_value cm_enum_state[] = {
    {"unknown_state", 0},       {"pre_active", 1},  {"active", 2},
    {"suspended", 3},           {"deactivated", 4}, {"compromised", 5},
    {"pending_destruction", 6}, {"destroyed", 7},   {NULL, 0},
};
const cm_enum_value cm_enum_effect[] = {{"allow", 0}, {"deny", 1}, {NULL, 0}};
const cm_enum_value cm_enum_credential[] = {
    {"no_credential", 0}, {"ml_dsa", 1}, {"certificate", 2}, {"api_key", 3}, {"oidc", 4}, {NULL, 0},
};

CM_MESSAGES_ADMIN(CM_MESSAGE_TABLE)
CM_MESSAGES_KEYS(CM_MESSAGE_TABLE)
CM_MESSAGES_RECORDS(CM_MESSAGE_TABLE)
