#ifndef CM_SVC_MESSAGES_H
#define CM_SVC_MESSAGES_H
/*
 * Every message of the interface and every record of the service's rows, from one list each.
 * M_<Message>_<field> is a field's index: what cm_msg_view() and its like take.
 *
 * In all requests of the interface: 1 tenant, 2 key (or what else is named), 3 keyspace, 16
 * purpose, 17 approval, 18 evidence, 23 second key, 24 its version, 26 challenge, 27 device
 * evidence, 28 attested key. The engine finds them by these numbers.
 */
#include "svc/list_admin.h"
#include "svc/list_keys.h"
#include "svc/list_records.h"
#include "wire/msg.h"

enum {
    CM_FIELD_TENANT = 1,
    CM_FIELD_KEY = 2,
    CM_FIELD_KEYSPACE = 3,
    CM_FIELD_PURPOSE = 16,
    CM_FIELD_APPROVAL = 17,
    CM_FIELD_EVIDENCE = 18,
    CM_FIELD_SECOND_KEY = 23,
    CM_FIELD_SECOND_VERSION = 24,
    CM_FIELD_CHALLENGE = 26,
    CM_FIELD_DEVICES = 27,
    CM_FIELD_ATTESTED_KEY = 28,
};

#define CM_MESSAGE_INDEX(m, number, name, type, flags, max, count, values, sub, doc) M_##m##_##name,
#define CM_MESSAGE_DECLARE(m, doc)                         \
    enum { CM_FIELDS_##m(CM_MESSAGE_INDEX, m) M_##m##_n }; \
    extern const cm_message cm_message_##m;

CM_MESSAGES_ADMIN(CM_MESSAGE_DECLARE)
CM_MESSAGES_KEYS(CM_MESSAGE_DECLARE)
CM_MESSAGES_RECORDS(CM_MESSAGE_DECLARE)

extern const cm_enum_value cm_enum_batch[], cm_enum_form[], cm_enum_state[], cm_enum_effect[],
    cm_enum_credential[], cm_enum_market[];

#endif
