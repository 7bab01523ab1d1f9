#ifndef CM_RUN_CONFIG_H
#define CM_RUN_CONFIG_H
/*
 * The servers' configuration. One table (config_table.c) names every key with its type, bounds,
 * default and meaning; the reader, `casemate config check|explain`, the JSON schema and
 * docs/config.md are made from it.
 *
 * The file is YAML without its traps: anchors, aliases, tags, directives, several documents,
 * duplicate and unknown keys are refused, each with its place. Strings are what they are, never
 * numbers or dates by their looks. Paths are relative to the file's folder.
 */
#include "base/base.h"

enum {
    CM_CONFIG_LISTENERS = 8,
    CM_CONFIG_CERTIFICATES = 4,
    CM_CONFIG_PROVIDERS = 16,
    CM_CONFIG_FILE_MAX = 256 << 10,
    CM_CONFIG_FAULTS = 16,
    CM_CONFIG_KEY_MAX = 96,
};

typedef struct {
    const char *certificate, *key;
} cm_config_certificate;

enum { CM_CONFIG_TLS_HYBRID, CM_CONFIG_TLS_STRICT, CM_CONFIG_TLS_LEGACY, CM_CONFIG_TLS_OFF };
enum { CM_CONFIG_CLIENT_NONE, CM_CONFIG_CLIENT_OPTIONAL, CM_CONFIG_CLIENT_REQUIRED };
enum {
    CM_CONFIG_UNSEAL_FILE,
    CM_CONFIG_UNSEAL_CREDENTIAL,
    CM_CONFIG_UNSEAL_SHARES,
    CM_CONFIG_UNSEAL_HSM,
};

typedef struct {
    const char *address;
    uint64_t tls;
    cm_config_certificate certificates[CM_CONFIG_CERTIFICATES];
    size_t certificates_n;
    const char *client_ca;
    uint64_t client_certificates;
} cm_config_listener;

enum { CM_CONFIG_HSM_ROOT, CM_CONFIG_HSM_TENANTS };
enum { CM_CONFIG_WRAPPING_AES, CM_CONFIG_WRAPPING_CLASSICAL };
enum { CM_CONFIG_HSM_WEIGHTED, CM_CONFIG_HSM_TURNS, CM_CONFIG_HSM_LATENCY };

typedef struct {
    const char *name, *module, *cloud, *tpm, *module_sha256, *token, *pin_file, *pin_credential,
        *init, *files, *region;
    uint64_t weight, use, wrapping, sessions;
    bool network;
} cm_config_provider;

/* Durations are in milliseconds, sizes in bytes, choices by their place; texts NULL when absent. */
typedef struct {
    const char *data, *node, *origin;
    struct {
        const char *sqlite, *postgres;
        uint64_t cache, readers;
    } store;
    cm_config_listener listeners[CM_CONFIG_LISTENERS];
    size_t listeners_n;
    struct {
        const char *socket;
        const char *metrics;
    } admin;
    struct {
        uint64_t method;
        const char *file, *credential;
    } unseal;
    struct {
        const char *module, *cloud, *tpm, *module_sha256, *token, *pin_file, *pin_credential, *init,
            *files, *program;
        bool network;
        cm_config_provider providers[CM_CONFIG_PROVIDERS];
        size_t providers_n;
        uint64_t wrapping, mode, check, threshold, ramp, hold;
        const char *region;
    } hsm;
    struct {
        const char *program;
        uint64_t threads, queue, restart_max;
    } keyd;
    struct {
        uint64_t connections, handshakes, address_connections, address_rate, address_burst,
            address_calls, addresses;
        uint64_t handshake_time, request_time, body_rate, idle_time, write_time, drain_time;
        uint64_t head, body, streams, resets, commits;
    } limits;
    uint64_t reactors;
    struct {
        uint64_t level, format;
    } log;
    struct {
        const char *endpoint;
        uint64_t one_in, queue;
    } trace;
    struct {
        uint64_t kek, model, api, api_grace;
    } rotation;
    struct {
        const char *collateral;
        uint64_t address_rate, check;
    } attest;
    bool sandbox;
} cm_config_values;

typedef struct cm_config cm_config;

/** What is wrong, and where; line and column from 1, 0: in no place. */
typedef struct {
    cm_err err;
    unsigned line, column;
    char key[CM_CONFIG_KEY_MAX];
    char what[200];
    char hint[96]; /* "did you mean ...?" or what would do; may be empty */
    bool warning;
} cm_config_fault;

typedef struct {
    cm_config_fault v[CM_CONFIG_FAULTS];
    size_t n;
} cm_config_faults;

/** Read a whole file's text. path: as it is to be named, and what relative paths start from.
 * out       Untouched on failure.   faults  Filled in any case; warnings alone are no failure.
 * CONFIG_SYNTAX, CONFIG_KEY, CONFIG_VALUE, CONFIG_LIMIT: the first fault's. */
CM_MUST cm_err cm_config_read(cm_config **out, cm_view text, const char *path,
                              cm_config_faults *faults);
void cm_config_free(cm_config *c);
void cm_config_free_ptr(cm_config **c);
const cm_config_values *cm_config_of(const cm_config *c);

/** "kmsd.yaml:12:5: limits.connektions: ... did you mean `connections`?" with the line and a caret
 * below. text: what was read. */
CM_MUST cm_err cm_config_fault_write(cm_buf *out, const cm_config_fault *f, const char *path,
                                     cm_view text);
/** Every key with its value and where that came from, a line each. */
CM_MUST cm_err cm_config_explain(cm_buf *out, const cm_config *c);
/** Keys whose values differ, a line "key: old -> new" each, marked where a restart is needed. */
CM_MUST cm_err cm_config_diff(cm_buf *out, const cm_config *from, const cm_config *to,
                              bool *restart);

/* ---- made from the table ---- */
CM_MUST cm_err cm_config_schema(cm_buf *out);
CM_MUST cm_err cm_config_markdown(cm_buf *out);

#endif
