#ifndef CM_HSM_P11_INT_H
#define CM_HSM_P11_INT_H
/*
 * A token in this process.
 *   module.c   the library: loaded, hashed, initialised
 *   p11.c      token, sessions, login, repetition after a loss
 *   search.c   objects found by their id, whatever a token makes of ids
 *   objects.c  templates; keys made, found, checked, destroyed
 *   cache.c    keys that were found, and copies of those that are in use
 *   use.c      signing, wrapping, random
 *   capsule.c  ML-KEM
 *   classical.c  seeds under RSA, for who asks for that
 */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "codec/pkcs11.h"
#include "hsm/hsm_int.h"
#include "hsm/p11.h"

enum { CACHE = 32, SLOTS_MAX = 64, FOUND_MAX = 4, LEFT = 4, CM_P11_NAME_MAX = 96 };

/* What a kind of token needs to be told differently. */
struct quirks {
    const char *name, *maker, *model; /* as they begin in CK_TOKEN_INFO */
    bool token_iv;                    /* it chooses the IV of AES-GCM and writes it back */
    bool pss_digest;                  /* RSA-PSS of a digest works, of a message not */
    bool rereads; /* what it says of a new key is true once the module was started anew */
    bool copies;  /* a copy of a key in a session's memory is used sooner than the key */
    bool real;    /* really run in our tests */
};

struct module {
    void *lib;
    CK_FUNCTION_LIST *f;
    CK_VERSION version;
    bool initialized, serial; /* serial: the module can't lock, so one session does everything */
    char *init;               /* what it is started with, or NULL */
    char path[CM_HSM_PATH_MAX];
    uint8_t hash[32];
};
CM_MUST cm_err cm_p11_module_load(struct module *m, const cm_crypt *c, const char *path,
                                  const char *sha256, const char *init);
void cm_p11_module_unload(struct module *m);
/* What it has loaded until now stays loaded to the end of the process. */
void cm_p11_module_pin(const struct module *m);
/* Ended and started in this process: what it held in memory is gone. Nobody else is in it. */
CM_MUST cm_err cm_p11_module_again(struct module *m);
/* Nothing of what a module says is taken for more than it is: HSM_DEVICE for what is not known. */
cm_err cm_p11_err(CK_RV rv);

struct session {
    CK_SESSION_HANDLE h;
    bool open, busy;
    uint64_t turn; /* whose it is; of a session that copies were in: whose it was last */
};

struct cached {
    uint64_t generation; /* 0: empty */
    uint64_t looked_ns;
    CK_OBJECT_HANDLE handle, copy; /* copy: where there is one */
    bool copied;
    unsigned uses; /* without one */
    cm_hsm_key key;
};

/* A public key, ready to verify with: making one costs as much as half a verification. */
struct check {
    uint8_t hash[32];
    cm_sig_key *k;
};

struct cm_p11 {
    const cm_crypt *c;
    struct module m;
    CK_SLOT_ID slot;
    CK_TOKEN_INFO token; /* as first seen: H-7 */
    char label[33];
    const struct quirks *q;
    bool pin_retry;
    bool classical; /* the wrapping key is of RSA: H-80 */
    uint8_t *pin;   /* locked; CM_P11_PIN_MAX bytes */
    size_t pin_n;
    unsigned sessions;
    pid_t pid; /* a fork has this and no module */
    atomic_bool quarantined;
    atomic_bool by_id; /* a search for a CKA_ID has found something */

    pthread_mutex_t lock; /* all below */
    pthread_cond_t freed;
    cm_err refused; /* the PIN: never tried again */
    struct session session[CM_P11_SESSIONS];
    unsigned room;       /* sessions that the token has for us, as far as is known */
    uint64_t generation; /* grows when handles may have changed */
    uint64_t opened;
    struct cached cache[CACHE];
    unsigned cache_next;
    struct session keeper;     /* what copies end with */
    struct session left[LEFT]; /* that copies were in, for who uses them still */
    uint64_t turns;
    unsigned copies;
    bool plain;                /* none any more */
    struct check check[CACHE]; /* of the keys seen first; none leaves before the end */
    unsigned checks;
};

/* ---- search.c ---- */

/* Appends the label of a key whose id it stands for: H-71. */
CM_MUST cm_err cm_p11_name(cm_buf *out, cm_view id);
/* H-70: the objects of class, type and id; *n: how many, FOUND_MAX at most. HSM_MECHANISM: more
 * objects than are looked through. */
CM_MUST cm_err cm_p11_search(cm_p11 *p, CK_SESSION_HANDLE s, CK_ULONG class, CK_ULONG type,
                             cm_view id, CK_OBJECT_HANDLE list[FOUND_MAX], CK_ULONG *n);
/* False too when the token does not say. */
bool cm_p11_object_is(cm_p11 *p, CK_SESSION_HANDLE s, CK_OBJECT_HANDLE h, CK_ULONG class,
                      cm_view label);

/* ---- p11.c ---- */

/* The module started anew, and the session opened again: the only one there is. */
CM_MUST cm_err cm_p11_reread(cm_p11 *p, struct session *s);
/* Both under the lock: the session that copies live in, open; no handle and no copy is used again,
 * but by who is using it. */
CM_MUST cm_err cm_p11_keeper(cm_p11 *p);
void cm_p11_drop(cm_p11 *p);

/* ---- objects.c ---- */

/* H-2: held to the device now, and at all times before. */
CM_MUST cm_err cm_p11_held(cm_p11 *p, CK_SESSION_HANDLE s, CK_OBJECT_HANDLE h);
/* H-5: by id and public key's hash. fresh: past the cache. */
CM_MUST cm_err cm_p11_find(cm_p11 *p, CK_SESSION_HANDLE s, const cm_hsm_request *r, bool fresh,
                           cm_hsm_key *key, CK_OBJECT_HANDLE *handle);
CM_MUST cm_err cm_p11_generate(cm_p11 *p, struct session *s, const cm_hsm_request *r,
                               cm_hsm_key *key);
CM_MUST cm_err cm_p11_destroy(cm_p11 *p, CK_SESSION_HANDLE s, const cm_hsm_request *r);
/* The public half's object, looked for. */
CM_MUST cm_err cm_p11_public_handle(cm_p11 *p, CK_SESSION_HANDLE s, const cm_hsm_request *r,
                                    CK_OBJECT_HANDLE *handle);

/* ---- cache.c ---- */

/* What a look at the token starts with: it is remembered if nothing was forgotten meanwhile. */
uint64_t cm_p11_generation(cm_p11 *p);
bool cm_p11_recall(cm_p11 *p, const cm_hsm_request *r, cm_hsm_key *key, CK_OBJECT_HANDLE *handle);
void cm_p11_remember(cm_p11 *p, uint64_t generation, const cm_hsm_key *key,
                     CK_OBJECT_HANDLE handle);
/* The key was looked for and not found as it was. */
void cm_p11_missed(cm_p11 *p, const cm_hsm_request *r);
void cm_p11_forget(cm_p11 *p);

/* ---- use.c ---- */
CM_MUST cm_err cm_p11_sign(cm_p11 *p, CK_SESSION_HANDLE s, const cm_hsm_request *r,
                           cm_hsm_answer *a);
CM_MUST cm_err cm_p11_wrap(cm_p11 *p, CK_SESSION_HANDLE s, const cm_hsm_request *r,
                           cm_hsm_answer *a);
CM_MUST cm_err cm_p11_unwrap(cm_p11 *p, CK_SESSION_HANDLE s, const cm_hsm_request *r,
                             cm_hsm_answer *a);
/* Both operations of ML-KEM. */
CM_MUST cm_err cm_p11_capsule(cm_p11 *p, CK_SESSION_HANDLE s, const cm_hsm_request *r,
                              cm_hsm_answer *a);
CM_MUST cm_err cm_p11_random(cm_p11 *p, CK_SESSION_HANDLE s, const cm_hsm_request *r,
                             cm_hsm_answer *a);
/* What tokens say of data that does not open; some of it is also said of broken devices. */
bool cm_p11_says_no(CK_RV rv);

/* ---- classical.c ---- */

/* Whether r is about the wrapping key, and that is of RSA. */
bool cm_p11_is_classical(const cm_p11 *p, const cm_hsm_request *r);
/* What is made as a wrapping key. */
uint32_t cm_p11_classical_alg(cm_p11 *p);
CM_MUST cm_err cm_p11_classical_wrap(cm_p11 *p, const cm_hsm_request *r, const cm_hsm_key *key,
                                     cm_hsm_answer *a);
/* *refused: it is not this key's, or not for this purpose. */
CM_MUST cm_err cm_p11_classical_open(cm_p11 *p, CK_SESSION_HANDLE s, const cm_hsm_request *r,
                                     CK_OBJECT_HANDLE key, cm_hsm_answer *a, bool *refused);

#endif
