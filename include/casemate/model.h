#ifndef CASEMATE_MODEL_H
#define CASEMATE_MODEL_H
/*
 * Sealed models, for programs that load them. A model opened here is verified piece by piece as it
 * is read: no byte is handed out before its publisher's signature, its place in the Merkle tree and
 * its authentication tag were checked.
 *
 * Threads: a cm_model may be read from many threads at once. Errors: every cm_err has a name, a
 * sentence and a remedy (err.h). Outputs change only on success.
 */
#include <casemate/bytes.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CM_ABI_VERSION 0

/** The ABI this library was built with: compare with CM_ABI_VERSION. */
CM_API unsigned cm_abi_version(void);
/** "0.1.0" */
CM_API const char *cm_version(void);

typedef struct cm_model cm_model;

enum {
    CM_MODEL_ANY_PUBLISHER = 1u, /* accept a signature by a key that is not in publishers */
    CM_MODEL_UNSIGNED = 2u,      /* accept a container that nobody signed */
    CM_MODEL_CLASSICAL = 4u,     /* accept recipients that a quantum computer breaks */
};

/** How to open a model. Zero it, set abi to CM_ABI_VERSION, fill what you have; all borrowed. */
typedef struct {
    unsigned abi;
    unsigned flags;
    const char *const *identities; /* PEM files of private keys that may open it */
    size_t identity_count;
    const char *const *publishers; /* PEM files of public keys whose signature is trusted */
    size_t publisher_count;
    const char *passphrase; /* for passphrase recipients and protected identities; or NULL */
    unsigned threads;       /* for whole-model work; 0: one per processor */
} cm_model_options;

typedef struct {
    const char *name, *dtype;
    uint32_t dims;
    uint64_t shape[8];
    uint64_t offset, size; /* bytes in the model's plaintext */
} cm_model_tensor;

/** Open a container. The cost does not grow with the model. */
CM_API CM_MUST cm_err cm_model_open(cm_model **out, const char *path, const cm_model_options *o);
CM_API void cm_model_close(cm_model *m);

CM_API uint64_t cm_model_size(const cm_model *m);
/** The model version's one name: the Merkle root that its publisher signed. */
CM_API void cm_model_digest(const cm_model *m, uint8_t digest[32]);
/** Strings that live as long as the model: "name", "version", "format", "licence", "publisher".
 * NULL if absent. */
CM_API const char *cm_model_text(const cm_model *m, const char *what);
CM_API unsigned cm_model_tier(const cm_model *m);

/** n bytes at off. Decrypts and verifies the segments it touches and nothing else. BAD_ARGUMENT
 * past the end. */
CM_API CM_MUST cm_err cm_model_read(cm_model *m, void *p, size_t n, uint64_t off);
CM_API CM_MUST cm_err cm_model_tensor_count(cm_model *m, size_t *n);
CM_API CM_MUST cm_err cm_model_tensor_at(cm_model *m, size_t i, cm_model_tensor *t);
/** NOTFOUND (SEALED_NO_TENSOR) when there is none of that name. */
CM_API CM_MUST cm_err cm_model_tensor_by_name(cm_model *m, const char *name, cm_model_tensor *t);

/** Decrypt and verify the whole model into a sealed memory file (memfd): nothing on disk,
 * unchangeable, inherited by a child that opens /proc/self/fd/N. The caller closes it. */
CM_API CM_MUST cm_err cm_model_memfd(cm_model *m, int *fd);
/** A read-only mapping of the whole verified plaintext, kept until cm_model_close(). */
CM_API CM_MUST cm_err cm_model_map(cm_model *m, const void **p, size_t *n);

#ifdef __cplusplus
}
#endif
#endif
