#ifndef CM_KMSD_H
#define CM_KMSD_H
/*
 * casemate-kmsd: the server. It parses the network and holds no key that lasts; casemate-keyd, a
 * process of its own, does. A small helper (spawner.c) starts keyd, so that this process can give
 * up starting programs.
 *
 * Thread 0 is the main one: signals, the admin listener, keyd's state. Each further reactor has its
 * own listeners (SO_REUSEPORT), its own connection to keyd and its own shard of metrics. Calls come
 * back to their reactor through its queue.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "audit/commit.h"
#include "keys/keyctl.h"
#include "run/config.h"
#include "run/keeper.h"
#include "run/log.h"
#include "run/loop.h"
#include "run/metrics.h"
#include "run/server.h"
#include "run/trace.h"
#include "store/rowseal.h"
#include "svc/bootstrap.h"
#include "svc/ops.h"
#include "svc/svc.h"
#include "wire/grpc.h"

enum { KMSD_REACTORS = 61, KMSD_RETRY_MS = 1000, KMSD_LOG_KEYS = 3 };

typedef struct kmsd kmsd;

/* Calls of one operation under way; kept for the next one. */
struct exchange;

typedef struct reactor {
    kmsd *d;
    unsigned index;
    pthread_t thread;
    cm_loop *loop;
    cm_server *server;
    cm_shard *shard;
    cm_err result;

    /* its connection to keyd (keys.c) */
    cm_keeper_client *keys;
    cm_keeper inner, keeper;
    cm_loop_io keys_io;
    uint64_t keys_connection;
    uint32_t keys_events;
    cm_timer keys_tick;
    cm_loop_task keys_flush;
    bool keys_flushing;
    atomic_int keys_fd; /* the next one, put there by the main thread; -1 */

    cm_grpc_std *std; /* health and reflection */
    struct exchange *spare;
    size_t spares, calls; /* calls: under way */
    cm_loop_task order;   /* from the main thread: what `orders` says */
    atomic_uint orders;
    bool drained;
} reactor;

enum { ORDER_LIMITS = 1, ORDER_DRAIN = 2, ORDER_STOP = 4 };

typedef enum { KEYD_DOWN, KEYD_SEALED, KEYD_OPEN } keyd_state;

struct kmsd {
    const char *config_path;
    cm_config *config;
    const cm_config_values *v;
    cm_log *log;
    cm_crypt *crypt;
    cm_metrics *metrics;
    cm_metric *table;
    const char **op_names;
    cm_trace *trace;
    cm_grpc_table grpc;
    cm_grpc_method *grpc_methods;
    cm_attest_cache *chains;
    cm_svc_verifier verifier;
    struct {
        cm_timer timer;
        cm_svc_collateral *used; /* that of verifier; NULL: none */
        uint8_t of[32];          /* the folder as used was read from it */
        uint8_t seen[32];        /* at the last look */
        uint8_t refused[32];     /* as the last set that was not taken */
        uint64_t remind_ms;
        bool is_refused;
    } collateral; /* main thread; its metrics: any */
    atomic_uint_fast64_t collateral_loaded, collateral_expired;
    atomic_bool collateral_stale;
    cm_store *store;
    cm_rowseal *rows;
    struct cm_anchor *anchor;
    bool accept_rollback; /* the operator has decided to go on with this store */
    cm_gate *gate;
    cm_tls *tls[CM_CONFIG_LISTENERS];

    cm_vkey log_keys[KMSD_LOG_KEYS]; /* while the committer is there */
    size_t log_keys_n;
    cm_committer *committer;
    cm_keeper_client *signer; /* of the committer's thread */
    atomic_int signer_fd;
    struct chores *chores;
    atomic_bool leads; /* of all nodes of the store, this one does the chores */
    atomic_int chores_fd;
    _Atomic(cm_svc *) svc; /* NULL until unsealed for the first time */

    reactor reactor[KMSD_REACTORS];
    unsigned reactors; /* the main one included */

    /* keyd, main thread only (keyd.c) */
    int spawner;
    pid_t spawner_pid;
    _Atomic int keyd; /* keyd_state, read by all */
    uint64_t keyd_pause_ms;
    cm_timer keyd_timer, service_timer, store_timer, devices_timer;
    cm_err fatal;             /* what the server ends with */
    uint64_t unseal_again_ms; /* by devices that were away: not before */
    cm_buf devices;           /* what keyd said of them last: JSON */
    uint64_t keyd_starts;
    uint8_t seen[CM_CONFIG_PROVIDERS + 1][32]; /* devices that the log has an entry of */
    cm_err seen_last;
    const char *device_names[CM_CONFIG_PROVIDERS];
    struct {
        cm_buf boot;       /* not stored yet */
        uint64_t version;  /* of the row that it was made for */
        uint64_t again_ms; /* nothing before */
        cm_err last;
    } migration;
    cm_keyctl control;
    bool control_busy;
    cm_buf control_body;
    uint64_t shares_have, shares_need;
    atomic_uint_fast64_t root_generation; /* that keyd has in force; 0: sealed */
    uint64_t unseal_tries;                /* since the start, that were answered */
    cm_err unseal_result;                 /* of the last one */
    bool sealed_by_hand; /* stays sealed until a person unseals it, also when keyd restarts */
    cm_buf boot;

    atomic_uint undrained;
    atomic_bool draining;
    unsigned signals; /* to stop, so far */
    unsigned sandbox;
    const char *notify_socket;
};

/* ---- metrics: behind those of the server ---- */
enum {
    KM_REQUESTS = CM_SM_COUNT,
    KM_SECONDS,
    KM_UNROUTED,
    KM_KEYD_STARTS,
    KM_RELOADS,
    KM_COLLATERAL,
    KM_COUNT
};
CM_MUST cm_err cm_kmsd_metrics_new(kmsd *d);

/* ---- reactor.c ---- */
CM_MUST cm_err cm_kmsd_reactor_init(kmsd *d, unsigned index);
CM_MUST cm_err cm_kmsd_reactor_listen(reactor *r);
CM_MUST cm_err cm_kmsd_reactor_start(reactor *r);
void cm_kmsd_reactor_order(reactor *r, unsigned orders);
void cm_kmsd_reactor_done(reactor *r);
/* A call has ended: a drained reactor without calls stops. */
void cm_kmsd_reactor_quiet(reactor *r);
cm_server_limits cm_kmsd_limits(const kmsd *d);

/* ---- chores.c ---- */
CM_MUST cm_err cm_kmsd_chores_start(kmsd *d, cm_svc *svc);
/* Before the committer ends: a round under way is finished. */
void cm_kmsd_chores_stop(kmsd *d);
/* The socket to a new keyd that waits in a slot (atomic_int), for a keeper. KEEPER_DOWN. */
CM_MUST cm_err cm_kmsd_next_socket(void *slot, int *fd);

/* ---- attest.c ---- */
/* Before the sandbox: what files refuse with, ATTEST_BUNDLE. */
CM_MUST cm_err cm_kmsd_collateral_load(kmsd *d);
/* Look at the folder from now on. */
void cm_kmsd_collateral_watch(kmsd *d);
/* Read it anew, whether it changed or not; a bad set leaves the one in use. */
void cm_kmsd_collateral_reload(kmsd *d);

/* ---- anchor.c ---- */
/* STORE_ROLLBACK, STORE_ANCHOR: what stands outside the store does not fit it. */
CM_MUST cm_err cm_kmsd_anchor_open(kmsd *d, cm_audit_anchor *out);
void cm_kmsd_anchor_close(kmsd *d);

/* ---- keys.c: keyd's connection of a reactor ---- */
CM_MUST cm_err cm_kmsd_keys_init(reactor *r);
void cm_kmsd_keys_done(reactor *r);
/* Look at the connection again: after something may have changed it. */
void cm_kmsd_keys_sync(reactor *r);

/* ---- spawner.c ---- */
/* Forks the process that starts keyd; before threads and sandbox. */
CM_MUST cm_err cm_kmsd_spawner_start(kmsd *d);
/* A new keyd, with a socket for each reactor and one for signing; the one before is ended. */
CM_MUST cm_err cm_kmsd_spawner_keyd(kmsd *d, int *fds, unsigned n, pid_t *pid);
void cm_kmsd_spawner_stop(kmsd *d);

/* ---- keyd.c: its state, on the main thread ---- */
/* Start it for the first time. */
void cm_kmsd_keyd_begin(kmsd *d);
/* The main thread's connection came or went. */
void cm_kmsd_keyd_changed(kmsd *d);
/* Open it with what somebody brought. KEYD busy: BAD_ARGUMENT. done() as in cm_keyctl. */
CM_MUST cm_err cm_kmsd_keyd_unseal(kmsd *d, cm_unseal_kind kind, cm_view secret);
/** Forgets the root until somebody unseals again. KMSD_KEYD_BUSY. */
CM_MUST cm_err cm_kmsd_keyd_seal(kmsd *d);
/* For root.c: sends control_body, and what an answer to UNSEAL does. */
void cm_kmsd_keyd_ask(kmsd *d, cm_keymsg_kind kind, void (*done)(cm_keyctl *c));
void cm_kmsd_keyd_unsealed(cm_keyctl *c);
void cm_kmsd_note_devices(kmsd *d, const cm_keyctl_status *s);
kmsd *cm_kmsd_of_control(cm_keyctl *c);
/* ---- modules.c: devices that the log has no entry of yet get one ---- */
void cm_kmsd_modules_log(kmsd *d);
/* ---- root.c ---- A new generation of the root, or the end of those before the one in force. with:
 * what opens the boot record, all shares at once; boot is filled in. What comes of it shows in
 * unseal_tries and unseal_result. KMSD_KEYD_BUSY, KMSD_SEALED, KMSD_ROOT_SHARED, KMSD_ROOT_IN_USE.
 */
CM_MUST cm_err cm_kmsd_root_change(kmsd *d, const cm_keyctl_unseal *with, bool retire);
const char *cm_kmsd_keyd_name(const kmsd *d);
void cm_kmsd_keyd_done(kmsd *d);

/* ---- devices.c ---- Towards what the row about them says; a little each time. */
void cm_kmsd_devices_bring(kmsd *d);

/* ---- service.c ---- */
/* create: make a database, and do not look for a root in it. */
CM_MUST cm_err cm_kmsd_store_open(kmsd *d, bool create);
/* The keeper that waits: of the committer's thread, and of --init. */
CM_MUST cm_err cm_kmsd_signer_new(kmsd *d);
cm_key_runner cm_kmsd_key_runner(kmsd *d);
/* Rows, committer and the service over them. */
CM_MUST cm_err cm_kmsd_service_make(kmsd *d, cm_svc **svc);
/* keyd is unsealed: open what is sealed, once. */
CM_MUST cm_err cm_kmsd_service_open(kmsd *d);
void cm_kmsd_service_close(kmsd *d);
uint64_t cm_kmsd_now_ms(void *arg);

/* ---- exchange.c: HTTP to operations and back ---- */
void cm_kmsd_request(void *self, cm_conn *c, cm_http_request *r);
void cm_kmsd_cancelled(void *self, cm_conn *c, cm_http_request *r);
void cm_kmsd_exchanges_free(reactor *r);
/* Answer with an error as JSON. detail may be NULL. */
void cm_kmsd_answer_error(reactor *re, cm_conn *c, cm_http_request *r, cm_err e, const char *detail,
                          uint32_t retry_ms);
void cm_kmsd_answer_json(cm_conn *c, cm_http_request *r, int status, cm_view body);

/* ---- admin.c ---- */
/* Whether the path is one of the admin listener's own; then it is answered. */
bool cm_kmsd_admin_request(reactor *re, cm_conn *c, cm_http_request *r);
/* What `kind` of listener a connection came through. */
enum { LISTENER_API, LISTENER_ADMIN, LISTENER_METRICS };

/* ---- grpc_std.c ---- */
CM_MUST cm_err cm_kmsd_grpc_table(kmsd *d);
bool cm_kmsd_grpc_begins(void *self, cm_conn *c, cm_http_request *r);
void cm_kmsd_grpc_body(void *self, cm_conn *c, cm_http_request *r, cm_view bytes, bool last);

/* ---- tls.c ---- */
CM_MUST cm_err cm_kmsd_tls_load(kmsd *d, const cm_config_values *v, bool reload);

/* ---- reload.c ---- */
CM_MUST cm_err cm_kmsd_config_load(cm_config **out, const char *path);
void cm_kmsd_reload(kmsd *d);
/* An entry in the log about what was read anew: its SHA-256. Nothing while sealed. */
void cm_kmsd_reload_audit(kmsd *d, cm_view op, cm_view resource, cm_view what);

#endif
