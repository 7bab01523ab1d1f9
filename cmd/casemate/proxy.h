#ifndef CM_CMD_PROXY_H
#define CM_CMD_PROXY_H
/* What the files of `casemate proxy` share: one loop, and connections that relay bytes. */
#include <netdb.h>

#include "net.h"
#include "run/link.h"
#include "run/loop.h"

enum { CM_PROXY_ALPNS = 2 };

struct cm_proxy_conn;

typedef struct {
    cm_cli *cli;
    cm_loop *loop;
    cm_tls *tls[CM_PROXY_ALPNS]; /* that speak HTTP/1.1, HTTP/2 */
    cm_link_url to;
    struct addrinfo *addresses, *good; /* good: the one that answered last */
    cm_loop_io listener, wake;
    bool accepting, stopping;
    struct cm_proxy_conn *conns;
    size_t n, max;
    uint64_t idle_ms, served, failed;
    uint64_t said_ms; /* of the last failure that was told */
    cm_timer grace;
} cm_proxy;

/** A connection that was accepted: takes fd over in any case. */
void cm_proxy_begin(cm_proxy *p, int fd);
/** End all of them. */
void cm_proxy_end_all(cm_proxy *p);
/** One has ended: there is room again, or, when stopping, it was the last. */
void cm_proxy_ended(cm_proxy *p);

#endif
