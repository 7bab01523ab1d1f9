#ifndef CM_ENCLAVE_MANIFEST_H
#define CM_ENCLAVE_MANIFEST_H
/*
 * What runs, in one text with one digest: spec/enclave.md, section 1. The program and every file it
 * loads, its arguments and environment, the model's digest, the limit of memory and what it is
 * given. Pure; any thread.
 */
#include "pki/keyfile.h"

/** What a file is there for; the numbers are the manifest's. */
typedef enum {
    CM_ENCLAVE_PROGRAM = 0,
    CM_ENCLAVE_LOADER = 1,
    CM_ENCLAVE_LIBRARY = 2,
    CM_ENCLAVE_CONFIG = 3,
    CM_ENCLAVE_DATA = 4,
    CM_ENCLAVE_POLICY = 5,
    CM_ENCLAVE_ROLES = 6,
} cm_enclave_role;

typedef enum {
    CM_ENCLAVE_NO_MODEL = 0,
    CM_ENCLAVE_MEMORY = 1, /* a sealed memory file: the whole model fits */
    CM_ENCLAVE_STREAM = 2, /* ranges on request */
} cm_enclave_delivery;

enum {
    CM_ENCLAVE_FILES = 256,
    CM_ENCLAVE_ARGS = 256,
    CM_ENCLAVE_ENV = 128,
    CM_ENCLAVE_TEXT = 4096, /* bytes of a name, an argument, a value */
    CM_ENCLAVE_MANIFEST_MAX = 1 << 20,
    CM_ENCLAVE_MEMORY_MIN = 4 << 20,
    CM_ENCLAVE_DIGEST = 32,
};
#define CM_ENCLAVE_MEMORY_MAX   (1ull << 44)
#define CM_ENCLAVE_MEMORY_USUAL (128ull << 20)

typedef struct {
    cm_enclave_role role;
    cm_view name;
    uint64_t size;
    uint8_t sha256[32];
} cm_enclave_file;

typedef struct {
    cm_view name, value;
} cm_enclave_env;

/** Views are borrowed. */
typedef struct {
    cm_enclave_file files[CM_ENCLAVE_FILES];
    size_t files_n;
    cm_view args[CM_ENCLAVE_ARGS]; /* the first is the program's name */
    size_t args_n;
    cm_enclave_env env[CM_ENCLAVE_ENV];
    size_t env_n;
    uint64_t memory;
    cm_enclave_delivery delivery; /* NO_MODEL: model and model_size are zero */
    uint8_t model[32];            /* the container's digest: its Merkle root */
    uint64_t model_size;
    bool listens; /* a socket that listens was given to it */
} cm_enclave_manifest;

/** Append the one encoding of m, whose files and env are put in order first. BAD_ARGUMENT:
 * something read() would refuse. */
CM_MUST cm_err cm_enclave_manifest_write(cm_buf *out, cm_enclave_manifest *m);
/** Read text, which *out borrows from; free *out with cm_free(). ENCLAVE_MANIFEST: not that one
 * encoding (EN-1), or the errors of codec/cbor.h. */
CM_MUST cm_err cm_enclave_manifest_read(cm_enclave_manifest **out, cm_view text);
/** Its digest: SHA-256 over text (EN-2). */
CM_MUST cm_err cm_enclave_manifest_digest(uint8_t out[CM_ENCLAVE_DIGEST], const cm_crypt *c,
                                          cm_view text);
/** "program", "loader", ...: static. */
const char *cm_enclave_role_name(cm_enclave_role role);
/** "none", "memory", "stream". */
const char *cm_enclave_delivery_name(cm_enclave_delivery d);

/** Whether a payload may have a variable of that name: not those by which loaders and C libraries
 * take code, paths or switches (EN-5). */
bool cm_enclave_env_allowed(cm_view name);

/** A detached signature over text, armoured (EN-3). ENCLAVE_SIGNER: key is no private ML-DSA key,
 * alone or with Ed25519. */
CM_MUST cm_err cm_enclave_manifest_sign(cm_buf *out, const cm_crypt *c, const cm_pkey *key,
                                        cm_view text);
/** ENCLAVE_SIGNER: of another key than this; CRYPT_SIGNATURE: not over this text. */
CM_MUST cm_err cm_enclave_manifest_check(const cm_crypt *c, const cm_pkey *key, cm_view text,
                                         cm_view signature);

#endif
