#ifndef CM_SEALED_SEALED_H
#define CM_SEALED_SEALED_H
/*
 * The sealed-model container: spec/sealed.md. Everything streams: memory stays constant whatever
 * the size, work spreads over threads, and a name holds either what it held before or the whole
 * result.
 */
#include <stdatomic.h>

#include "crypt/sig.h"
#include "envelope/envelope.h"
#include "sealed/dir.h"
#include "sealed/index.h"

/** How long work is watched and stopped. Both optional; fn is called from any worker, serialised.
 */
typedef struct {
    void (*fn)(void *arg, uint64_t done, uint64_t total); /* total 0: unknown */
    void *arg;
    const atomic_bool *cancel;
} cm_watch;

typedef struct {
    const char *key, *value;
} cm_pair;

/* ---- sealing ------------------------------------------------------------------------------ */

/** Zero it and fill what you have; everything is borrowed. */
typedef struct {
    const cm_recipient *to;
    size_t to_n;
    const cm_sig_key *const *signers;
    size_t signers_n;
    bool no_signature; /* S-13: must be said by name when signers is empty */
    bool allow_classical;
    unsigned tier;
    uint32_t segment, leaf; /* 0: 1 MiB and 64 KiB */
    const char *name;       /* required */
    const char *version;    /* required */
    const char *licence, *publisher, *policy;
    const cm_pair *provenance;
    size_t provenance_n;
    bool private_digest; /* salt the digest */
    bool sealed_root;    /* let anyone verify the bytes without a key */
    unsigned room;       /* recipients to leave room for; 0: 8, at least twice those given */
    uint64_t created;
    unsigned threads;          /* 0: one per processor */
    bool replace;              /* an existing output */
    bool no_resume;            /* start afresh even where an interrupted run could go on */
    const uint8_t *resume_key; /* 32 bytes that only this user has: guards the content key in the
                                  journal of an interrupted run; NULL: leave no journal */
    char **culprit; /* set to the name of a file in a folder that can't be sealed, to be freed
                       with cm_free(); may be NULL */
    cm_watch watch;
} cm_seal_options;

typedef struct {
    uint8_t digest[32];
    uint8_t container[16];
    uint64_t size, sealed_size, leaves;
    uint64_t resumed; /* plaintext bytes that an earlier run had done */
    cm_format format;
    uint64_t tensors;
} cm_seal_result;

/** Seal a file, a directory or a stream. in NULL: descriptor in_fd, read to its end. out NULL:
 * descriptor out_fd, written in order. Otherwise atomic under the name out. */
CM_MUST cm_err cm_seal(cm_seal_result *r, const cm_crypt *c, const cm_seal_options *o,
                       const char *in, int in_fd, const char *out, int out_fd);

/** The digest of a plaintext file or directory, as sealing would name it without a salt. */
CM_MUST cm_err cm_seal_digest(cm_seal_result *r, const char *in, int in_fd, uint32_t leaf,
                              unsigned threads, cm_watch w);

/* ---- opening ------------------------------------------------------------------------------ */

typedef struct {
    const cm_opener *openers;
    size_t openers_n;
    const cm_sig_key *const *trusted;
    size_t trusted_n;
    const char *signature_file; /* a detached signature to count as well, or NULL */
    bool any_publisher, no_signature, allow_classical;
    unsigned threads;
    cm_watch watch;
} cm_open_options;

typedef struct {
    cm_sig_id alg;
    const cm_sig_info *info; /* NULL: unknown algorithm */
    uint8_t fingerprint[32]; /* as pki's; zeros for a key that can't be read */
    cm_view pk;
    bool valid, trusted, detached;
} cm_sealed_signature;

enum { CM_SIGNATURES_PER_MODEL = 8, CM_SEALED_PAIRS = 64 };

/** Everything that can be known without a key. Views and strings live as long as the container. */
typedef struct {
    uint8_t container[16], hd[32];
    unsigned tier;
    bool directory, salted;
    uint32_t segment, leaf;
    cm_view policy;
    /* manifest */
    uint8_t digest[32], index_digest[32], sealed_root[32];
    bool has_sealed_root;
    uint64_t leaves, size, created, segments;
    cm_view name, version, format, licence, publisher;
    struct {
        cm_view key, value;
    } provenance[CM_SEALED_PAIRS];
    size_t provenance_n;
    /* signatures and recipients */
    cm_sealed_signature signatures[CM_SIGNATURES_PER_MODEL];
    size_t signatures_n;
    const cm_stanza *stanzas;
    size_t stanzas_n;
    uint64_t file_size, body_size;
    uint32_t slot_size;
    bool slot_torn; /* the spare slot holds an interrupted rewrap */
} cm_sealed_info;

typedef struct cm_sealed cm_sealed;

/** Read and check header, manifest and signatures of the container in fd (kept, not closed; a
 * regular file). Trust and keys are not asked for yet: for inspect and verify. */
CM_MUST cm_err cm_sealed_load(cm_sealed **out, const cm_crypt *c, int fd, const cm_open_options *o);
/** S-13 and S-14 under the options given to load: SEALED_UNSIGNED, SEALED_UNTRUSTED,
 * SEALED_SIGNATURE. */
CM_MUST cm_err cm_sealed_trust(const cm_sealed *s);
/** Recover the content key with the openers given to load, check FLOE's header tag and the top of
 * the tree. Calls cm_sealed_trust() first. */
CM_MUST cm_err cm_sealed_unlock(cm_sealed *s);
void cm_sealed_free(cm_sealed *s);
void cm_sealed_free_ptr(cm_sealed **s);
const cm_sealed_info *cm_sealed_get(const cm_sealed *s);

/** After unlock: n bytes of verified plaintext at off. Any thread. */
CM_MUST cm_err cm_sealed_read(cm_sealed *s, void *p, size_t n, uint64_t off);
/** How many segments were decrypted so far: to show that random access is what it says. */
uint64_t cm_sealed_segments_read(const cm_sealed *s);
/** The tensor index, loaded and checked on first use; borrowed. */
CM_MUST cm_err cm_sealed_index(cm_sealed *s, const cm_index **x);
/** The files of a directory model (SEALED_NOT_DIRECTORY otherwise), loaded on first use; borrowed.
 */
CM_MUST cm_err cm_sealed_dir(cm_sealed *s, const cm_dir **d);

/** Whole plaintext, verified, into a descriptor: parallel where it is seekable (from offset 0), in
 * order where it is a pipe. */
CM_MUST cm_err cm_sealed_write_to(cm_sealed *s, int fd);
/** The same into a file or (directory models) a folder that appears at once; an interrupted run's
 * .part is verified and continued. *resumed (may be NULL): plaintext bytes kept from it. */
CM_MUST cm_err cm_sealed_extract(cm_sealed *s, const char *out, bool replace, uint64_t *resumed);
/** The same into a sealed, unchangeable memory file. */
CM_MUST cm_err cm_sealed_memfd(cm_sealed *s, int *fd);

/** Container from a pipe to a pipe, releasing each segment once its own tag was checked; signature
 * and digest are checked at the end, so an error can come after plaintext went out. */
CM_MUST cm_err cm_unseal_stream(const cm_crypt *c, const cm_open_options *o, int in_fd, int out_fd);

/* ---- looking after containers ------------------------------------------------------------- */

typedef enum { CM_CHECK_PASS, CM_CHECK_SKIP, CM_CHECK_FAIL } cm_check;
/** One line of a verification: what was checked, the verdict and the reason. */
typedef void (*cm_report_fn)(void *arg, cm_check verdict, const char *what, const char *why);
/** Everything that can be checked with what the options hold. An error only when the container
 * could not be read at all; *failed counts FAIL lines. */
CM_MUST cm_err cm_sealed_verify(const cm_crypt *c, int fd, const cm_open_options *o,
                                cm_report_fn report, void *arg, unsigned *failed);

typedef struct {
    const cm_recipient *add;
    size_t add_n;
    bool (*keep)(void *arg, const cm_stanza *st); /* NULL: keep none */
    void *keep_arg;
    bool copied; /* out: the slots were too small and the container was copied */
} cm_rewrap;
/** Change who can open path, in place (S-4), or by copying it when the slots are too small. Needs
 * an opener; no trust in the publisher. */
CM_MUST cm_err cm_sealed_rewrap(const cm_crypt *c, const char *path, const cm_open_options *o,
                                cm_rewrap *w);
/** A detached signature of the container's manifest into the file out. */
CM_MUST cm_err cm_sealed_sign(const cm_crypt *c, int fd, const cm_sig_key *const *signers, size_t n,
                              const char *out, bool replace);
/** Re-encrypt under a new content key, the current format and the options of so (name, version and
 * the rest default to the old ones when NULL); plaintext never touches a disk. */
CM_MUST cm_err cm_sealed_upgrade(cm_seal_result *r, cm_sealed *s, const cm_seal_options *so,
                                 const char *out);

/** The container of a model of the public interface (casemate/model.h), unlocked; borrowed. */
struct cm_model;
cm_sealed *cm_sealed_of_model(struct cm_model *m);

#endif
