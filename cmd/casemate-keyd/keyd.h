#ifndef CM_CASEMATE_KEYD_H
#define CM_CASEMATE_KEYD_H
/*
 * The holder of the root, as a process (spec/keyd.md).
 *   main.c      arguments, descriptors, sandbox, signals
 *   serve.c     connections and the threads that serve them
 *   slow.c      the threads for what takes long, so that it holds up nothing
 *   permit.c    which message may come when, on which connection
 *   control.c   STATUS, INIT, UNSEAL, SEAL, ALTER
 *   devices.c   several devices behind the root, and tenants'
 *   broker.c    who starts their processes again
 *   vault.c     the root and the keyring over it, behind one lock
 */
#include <pthread.h>
#include <stdatomic.h>

#include "hsm/remote.h"
#include "hsm/set.h"
#include "hsm/unseal.h"
#include "keys/keyctl.h"
#include "keys/ring.h"
#include "run/log.h"

enum { RIGHT_OPS = 1, RIGHT_CONTROL = 2, RIGHT_ALL = 3 };

/* ---- vault ---- */

struct vault;
/* tenants: their devices, borrowed; NULL: none. */
cm_err cm_kd_vault_new(struct vault **out, const cm_crypt *c, const cm_key_devices *tenants);
void cm_kd_vault_free(struct vault *v);
cm_keyd_state cm_kd_vault_state(struct vault *v);
/* Takes the root in any case. Over one that is held already it must be the same root, perhaps with
 * other generations: KEYS_UNSEALED. */
cm_err cm_kd_vault_unseal(struct vault *v, cm_root *root);
void cm_kd_vault_seal(struct vault *v);
/* KEYS_SEALED while sealed; else what the keyring says, into op->result. */
void cm_kd_vault_run(struct vault *v, cm_keyop *op);
void cm_kd_vault_run_many(struct vault *v, cm_keyop *const *op, size_t n);
struct vault_facts {
    uint8_t root[16];
    char origin[CM_ORIGIN_MAX];
    uint8_t log_keys[8192];
};
/* Forgets what tenants' devices opened long enough ago (KM-19). */
void cm_kd_vault_expire(struct vault *v);
/* What STATUS says of the root, in f, which s points into. Leaves s alone while sealed. */
void cm_kd_vault_facts(struct vault *v, cm_keyctl_status *s, struct vault_facts *f);

/* ---- devices ---- */

enum { TENANT_DEVICES = 16 };

struct device_plan {
    cm_fleet_options fleet;
    char region[CM_FLEET_MAX][CM_FLEET_NAME_MAX + 1], name[CM_FLEET_MAX][CM_FLEET_NAME_MAX + 1];
    uint64_t weight[CM_FLEET_MAX];
    size_t n;
    char tenant[TENANT_DEVICES][CM_FLEET_NAME_MAX + 1];
    size_t tenants;
    uint64_t hold_ms; /* of tenants' KEKs; 0: five minutes */
};
/* "WEIGHT,REGION,NAME"; "MODE,CHECK,THRESHOLD,RAMP,REGION" with numbers but for the region. */
bool cm_kd_plan_provider(struct device_plan *p, const char *text);
bool cm_kd_plan_fleet(struct device_plan *p, const char *text);
/* "NAME": one that tenants' KEKs may be kept under. */
bool cm_kd_plan_tenant(struct device_plan *p, const char *text);

/* A new process for the device of that place: its sockets, up to CM_HSM_LANES, from fd[0] on; the
 * others stay. HSM_SPAWN. */
cm_err cm_kd_broker_ask(int broker, uint8_t place, int *fd);

struct devices;
struct keyd;
struct slow;
/* broker: a socket, taken, to who starts their processes. */
cm_err cm_kd_devices_new(struct devices **out, const cm_crypt *c, const struct device_plan *p,
                         int broker);
void cm_kd_devices_free(struct devices *d);
/* Of the root; NULL: none of them is. */
cm_hsm_set *cm_kd_devices_set(struct devices *d);
/* Of tenants; NULL: none of them is. */
const cm_key_devices *cm_kd_devices_tenants(const struct devices *d);
/* Health checks, and threads for each tenants' device, one for each request that it may serve at
 * once, so that one which hangs holds up nobody else's keys. */
cm_err cm_kd_devices_start(struct devices *d, struct keyd *k);
/* Ends those threads: before the vault goes. */
void cm_kd_devices_stop(struct devices *d);
/* Work that has to wait for a tenants' device, by cm_keyop.device. */
struct slow *cm_kd_devices_queue(struct devices *d, unsigned device);
/* JSON: an array, an object each. */
cm_err cm_kd_devices_show(cm_buf *out, struct devices *d);
/* The same of one that was asked when the root was opened, and is not asked afterwards. */
cm_err cm_kd_device_show(cm_buf *out, const cm_hsm_status *s);

/* ---- control ---- */

struct keyd {
    const cm_crypt *crypt;
    cm_log *log;
    struct vault *vault;
    struct serve *serve;
    struct slow *slow;
    unsigned sandbox, workers;
    uint8_t *credential; /* locked; CM_UNSEAL_SECRET_MAX bytes */
    size_t credential_n;
    cm_hsm_remote *device; /* casemate-p11d; NULL: none, or several */
    struct devices *devices;
    cm_hsm hsm;
    cm_hsm_unseal unseal; /* under `control`, as is all that talks to the device */
    _Atomic uint64_t served;
    pthread_mutex_t control; /* one control message at a time; guards shares */
    cm_share *shares;        /* locked; CM_SHARE_MAX of them */
    size_t shares_n;
};

/* The answer's body, or an error. */
cm_err cm_kd_control(struct keyd *k, unsigned kind, cm_view body, cm_buf *answer);

/* ---- permit ---- */

/* KEYD_NOT_PERMITTED, KEYS_SEALED, KEYS_UNSEALED, KEYMSG_MALFORMED for a kind that is none. */
cm_err cm_kd_permit(unsigned kind, unsigned rights, cm_keyd_state state);
/* Whether it takes long enough to hold up others. */
bool cm_kd_is_slow(unsigned kind, const cm_keyop *op);

/* ---- connections ---- */

struct conn {
    int fd;
    unsigned rights;
    _Atomic unsigned refs;
    pthread_mutex_t send;
};
void cm_kd_conn_unref(struct serve *s, struct conn *c);
/* Sends one packet and wipes it. Drops the connection of a peer that takes nothing for long. */
void cm_kd_conn_send(struct keyd *k, struct conn *c, cm_buf *packet);

cm_err cm_kd_serve_new(struct serve **out, struct keyd *k, unsigned threads, int uid);
cm_err cm_kd_serve_listen(struct serve *s, int fd, unsigned rights);
cm_err cm_kd_serve_adopt(struct serve *s, int fd, unsigned rights);
/* Starts the threads. */
cm_err cm_kd_serve_start(struct serve *s);
/* Readable once there is neither a listener nor a connection left. */
int cm_kd_serve_idle_fd(const struct serve *s);
/* Ends the threads: what they were doing is done. */
void cm_kd_serve_stop(struct serve *s);
void cm_kd_serve_free(struct serve *s);

/* ---- slow work ---- */

/* device: the tenants' device that its work waits for; NULL: none. */
cm_err cm_kd_slow_new(struct slow **out, struct keyd *k, unsigned threads,
                      const cm_hsm_remote *device);
/* Takes a reference to c and a copy of body. KEEPER_FULL. */
cm_err cm_kd_slow_add(struct slow *s, struct conn *c, const cm_keymsg *m);
void cm_kd_slow_free(struct slow *s);

#endif
