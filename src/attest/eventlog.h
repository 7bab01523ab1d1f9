#ifndef CM_ATTEST_EVENTLOG_H
#define CM_ATTEST_EVENTLOG_H
/* Logs of measured boot (TCG PC Client, crypto-agile form), event by event. Nothing of a log is
 * true before the registers it leads to are found in evidence. Pure; any thread. */
#include "attest/attest.h"

enum { CM_EVENTLOG_MAX = 4 << 20, CM_EVENTLOG_NO_ACTION = 3, CM_EVENTLOG_REGISTERS = 24 };

typedef struct {
    uint32_t index, type; /* EV_NO_ACTION extends nothing */
    cm_view digest;       /* of the hash asked for */
    cm_view data;
} cm_event;

/** Call fn for each event in turn, until one fails. hash: CM_SHA256 or CM_SHA384, which the log
 * must have. MEASURE_LOG a log that can't be read. Views borrow from log. */
CM_MUST cm_err cm_eventlog_each(cm_view log, cm_hash hash,
                                cm_err (*fn)(void *arg, const cm_event *e), void *arg);

/** The registers that a log leads to. TDs: index i is RTMR i - 1, four of them; TPMs: 24 registers
 * from 0 on. touched: bits of those that an event extended. MEASURE_LOG also for an event of
 * another register. */
typedef struct {
    uint8_t v[CM_EVENTLOG_REGISTERS][48];
    uint32_t touched;
} cm_event_registers;
CM_MUST cm_err cm_eventlog_replay(cm_event_registers *out, const cm_crypt *c, cm_view log,
                                  cm_hash hash, bool td);

#endif
