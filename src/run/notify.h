#ifndef CM_RUN_NOTIFY_H
#define CM_RUN_NOTIFY_H
/* What systemd is told (sd_notify(3)): one datagram to $NOTIFY_SOCKET. */
#include "base/base.h"

/** socket: the variable's value, NULL or empty: nobody is told. state: "READY=1\nSTATUS=...". A
 * manager that does not listen is no failure. Any thread. */
void cm_notify(const char *socket, const char *state);

#endif
