#ifndef CM_TESTLIB_KIT_H
#define CM_TESTLIB_KIT_H
/* Keys, folders and containers for tests of sealed models. Failing here ends the process. */
#include "proc.h"
#include "sealed/sealed.h"

typedef struct {
    cm_crypt *crypt;
    cm_kem_key *xwing, *other, *mlkem768, *mlkem1024, *x25519;
    cm_sig_key *dual, *mldsa65, *mldsa87, *ed25519, *stranger;
    char dir[T_PATH]; /* an empty folder of its own */
} t_kit;

/** Keys from fixed seeds and a fresh folder; freed, and the folder removed, by t_kit_done(). */
t_kit *t_kit_new(void);
void t_kit_done(t_kit *k);

/** n bytes that depend on seed. */
cm_buf t_bytes(size_t n, uint64_t seed);
/** A whole file of at most 64 MiB. */
cm_buf t_whole_file(const char *path);
bool t_exists(const char *path);

/** Options that seal to k->xwing, signed by k->dual, in segments of 64 KiB and leaves of 4 KiB. The
 * recipient is kept in r. */
cm_seal_options t_seal_options(const t_kit *k, cm_recipient *r);
/** Options that open with k->xwing and trust k->dual; the opener is kept in o. */
cm_open_options t_open_options(const t_kit *k, cm_opener *o, const cm_sig_key *trusted[1]);

/** Open the container at path with the standard options and read all of it. */
cm_err t_open(const t_kit *k, const char *path, cm_buf *plain);
/** The same with options of one's own. */
cm_err t_open_with(const t_kit *k, const char *path, const cm_open_options *o, cm_buf *plain);

/** Seal t_bytes(n, n) under NAME.sealed with what change makes of the options; the path of it. */
const char *t_sealed_as(const t_kit *k, const char *name, size_t n, cm_seal_result *r,
                        void (*change)(cm_seal_options *));
/** That the container at path opens to t_bytes(n, n). */
void t_expect_plain(const t_kit *k, const char *path, size_t n);

#endif
