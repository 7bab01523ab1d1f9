/* What can be configured. */
#include "run/config_int.h"

static const char *const tls[] = {"hybrid", "strict", "legacy", "off", NULL};
static const char *const client[] = {"none", "optional", "required", NULL};
static const char *const unseal[] = {"passphrase-file", "credential", "shares", "hsm", NULL};
static const char *const modes[] = {"weighted", "round-robin", "latency", NULL};
static const char *const uses[] = {"root", "tenants", NULL};
static const char *const wrappings[] = {"aes", "rsa-not-post-quantum", NULL};
static const char *const levels[] = {"debug", "info", "warning", "error", NULL};
static const char *const formats[] = {"text", "json", NULL};

#define S                   1000ULL
#define D                   (86400 * S)
#define AT(member)          .offset = offsetof(cm_config_values, member)
#define IN(type, member)    .offset = offsetof(type, member)
#define NUMBER(lo, hi, std) .type = KEY_NUMBER, .min = lo, .max = hi, .standard = std
#define SIZE(lo, hi, std)   .type = KEY_SIZE, .min = lo, .max = hi, .standard = std
#define TIME(lo, hi, std)   .type = KEY_DURATION, .min = lo, .max = hi, .standard = std
#define CHOICE(list, std)   .type = KEY_CHOICE, .choices = list, .standard = std
#define TEXT(lo, hi, std)   .type = KEY_TEXT, .min = lo, .max = hi, .standard = std
#define FILE_AT(std)        .type = KEY_PATH, .min = 1, .max = 4000, .standard = std
#define ADDRESS(std)        .type = KEY_ADDRESS, .min = 3, .max = 120, .standard = std

const struct list cm_config_lists[] = {
    {"listeners[]", offsetof(cm_config_values, listeners), offsetof(cm_config_values, listeners_n),
     sizeof(cm_config_listener), CM_CONFIG_LISTENERS,
     "Addresses that serve the API. At least one."},
    {"listeners[].certificates[]", offsetof(cm_config_listener, certificates),
     offsetof(cm_config_listener, certificates_n), sizeof(cm_config_certificate),
     CM_CONFIG_CERTIFICATES,
     "Certificates of different algorithms: a client gets the first that it can verify."},
    {"hsm.providers[]", offsetof(cm_config_values, hsm.providers),
     offsetof(cm_config_values, hsm.providers_n), sizeof(cm_config_provider), CM_CONFIG_PROVIDERS,
     "Several tokens that serve as one, instead of `hsm.module` and what belongs to it; and tokens "
     "of tenants."},
};
const size_t cm_config_lists_n = CM_COUNT(cm_config_lists);

const struct key cm_config_keys[] = {
    {"data", FILE_AT(NULL), AT(data), .flags = KEY_REQUIRED,
     .doc = "Folder of everything that the server keeps."},
    {"node", TEXT(1, 64, "kmsd"), AT(node), .doc = "Name of this node in logs and traces."},
    {"origin", TEXT(1, 128, "casemate.local/kms"), AT(origin),
     .doc = "Name of the transparency log in its checkpoints. Never change it once it is in use."},
    {"reactors", NUMBER(0, 256, "0"), AT(reactors),
     .doc = "Threads that serve connections; 0: one per processor."},
    {"sandbox", .type = KEY_BOOL, .standard = "true", AT(sandbox),
     .doc = "Give up every system call and path that serving does not need, once started."},

    {"store.sqlite", FILE_AT(NULL), AT(store.sqlite),
     .doc = "Database file, for one node. Without `postgres` it is `kms.db` in the data folder."},
    {"store.postgres", TEXT(1, 1024, NULL), AT(store.postgres),
     .doc = "libpq connection string, for many nodes. Passwords belong into a passfile."},
    {"store.cache", SIZE(1 << 20, 1ULL << 36, "16MiB"), AT(store.cache),
     .doc = "Memory for database pages (SQLite)."},
    {"store.readers", NUMBER(1, 64, "2"), AT(store.readers),
     .doc = "Connections for reading (PostgreSQL)."},

    {"listeners[].address", ADDRESS(NULL), IN(cm_config_listener, address), .flags = KEY_REQUIRED,
     .doc = "Where to listen: `0.0.0.0:8443`, `[::]:8443` or `unix:/path`."},
    {"listeners[].tls", CHOICE(tls, "hybrid"), IN(cm_config_listener, tls),
     .doc =
         "`hybrid`: X25519MLKEM768, SecP256r1MLKEM768, SecP384r1MLKEM1024. `strict`: ML-KEM "
         "alone. `legacy`: clients without post-quantum key exchange are let in, and every log "
         "line and answer about it says so. `off`: cleartext, on loopback and Unix sockets only."},
    {"listeners[].certificates[].certificate", FILE_AT(NULL),
     IN(cm_config_certificate, certificate), .flags = KEY_REQUIRED | KEY_RELOAD,
     .doc = "PEM file: the server's certificate, then its intermediates."},
    {"listeners[].certificates[].key", FILE_AT(NULL), IN(cm_config_certificate, key),
     .flags = KEY_REQUIRED | KEY_RELOAD,
     .doc = "PEM file: its private key, unencrypted, mode 0600."},
    {"listeners[].client_ca", FILE_AT(NULL), IN(cm_config_listener, client_ca), .flags = KEY_RELOAD,
     .doc = "PEM file: authorities whose client certificates are accepted."},
    {"listeners[].client_certificates", CHOICE(client, "optional"),
     IN(cm_config_listener, client_certificates), .flags = KEY_RELOAD,
     .doc = "Whether clients are asked for a certificate. Without `client_ca` they are not."},

    {"admin.socket", FILE_AT(NULL), AT(admin.socket),
     .doc = "Unix socket for administration, health and metrics, mode 0600. Without it: "
            "`admin.sock` in the data folder."},
    {"admin.metrics", ADDRESS(NULL), AT(admin.metrics),
     .doc = "Loopback address that serves /metrics, /healthz and /readyz too, in cleartext."},

    {"unseal.method", CHOICE(unseal, "passphrase-file"), AT(unseal.method),
     .doc = "How the root key is opened: a passphrase in a file, a systemd credential, shares "
            "that people bring to the admin socket, or a key in the token of `hsm`."},
    {"unseal.file", FILE_AT(NULL), AT(unseal.file),
     .doc = "The passphrase's file, mode 0600. Without it: `passphrase` in the data folder."},
    {"unseal.credential", TEXT(1, 128, "casemate-passphrase"), AT(unseal.credential),
     .doc = "Name of the credential (systemd's LoadCredential= or SetCredentialEncrypted=)."},

    {"hsm.module", FILE_AT(NULL), AT(hsm.module),
     .doc = "The vendor's PKCS#11 module, which casemate-p11d loads, in a sandbox."},
    {"hsm.module_sha256", TEXT(64, 64, NULL), AT(hsm.module_sha256),
     .doc = "SHA-256 of the module's file, in hexadecimal: another one is not loaded."},
    {"hsm.cloud", FILE_AT(NULL), AT(hsm.cloud),
     .doc = "Instead of a module: the file that describes a cloud's key service (docs/hsm.md)."},
    {"hsm.tpm", TEXT(1, 96, NULL), AT(hsm.tpm),
     .doc =
         "Instead of a module: the machine's TPM, while these registers stay what they were when "
         "the root was put under it: `pcr=7,11` (docs/tpm.md)."},
    {"hsm.token", TEXT(1, 32, NULL), AT(hsm.token),
     .doc = "Label of the token. Without it: the only one that is initialised."},
    {"hsm.pin_file", FILE_AT(NULL), AT(hsm.pin_file),
     .doc = "The user's PIN: the first line of this file, mode 0600. It is tried once."},
    {"hsm.pin_credential", TEXT(1, 128, NULL), AT(hsm.pin_credential),
     .doc = "Or the name of a systemd credential that holds it."},
    {"hsm.wrapping", CHOICE(wrappings, "aes"), AT(hsm.wrapping),
     .doc = "Of a module: what kind of key the root is kept under. `rsa-not-post-quantum` is for "
            "tokens without AES, and all custody then says `hsm-wrapped-classical`."},
    {"hsm.init", TEXT(1, 1024, NULL), AT(hsm.init),
     .doc = "What the module takes as its configuration (NSS)."},
    {"hsm.files", FILE_AT(NULL), AT(hsm.files),
     .doc = "Folder that the module keeps its files in. SoftHSM2's and openCryptoki's on Debian "
            "are known."},
    {"hsm.network", .type = KEY_BOOL, .standard = "false", AT(hsm.network),
     .doc = "The module opens connections after its start."},
    {"hsm.program", FILE_AT(NULL), AT(hsm.program),
     .doc = "casemate-p11d. Without it: beside casemate-kmsd, then where it was installed."},
    {"hsm.mode", CHOICE(modes, "weighted"), AT(hsm.mode),
     .doc = "How requests are spread over several: by chance or in turn, both by weight, or to the "
            "fastest."},
    {"hsm.region", TEXT(1, 32, NULL), AT(hsm.region),
     .doc = "Where this server is: providers of the same region come first."},
    {"hsm.check", TIME(100, 3600 * S, "30s"), AT(hsm.check),
     .doc = "Between health checks of each: a seed is wrapped and opened."},
    {"hsm.threshold", NUMBER(1, 100, "3"), AT(hsm.threshold),
     .doc = "Failures in a row after which one is asked by health checks alone."},
    {"hsm.ramp", TIME(1, 24 * 3600 * S, "60s"), AT(hsm.ramp),
     .doc = "Until one that came back has all of its share again."},
    {"hsm.hold", TIME(1 * S, 24 * 3600 * S, "5m"), AT(hsm.hold),
     .doc = "How long what a tenant's token opened is kept, before the token is asked again."},
    {"hsm.providers[].name", TEXT(1, 32, NULL), IN(cm_config_provider, name), .flags = KEY_REQUIRED,
     .doc = "In logs and metrics."},
    {"hsm.providers[].module", FILE_AT(NULL), IN(cm_config_provider, module),
     .doc = "As `hsm.module`, and so below. Each has a module, a cloud or a TPM."},
    {"hsm.providers[].module_sha256", TEXT(64, 64, NULL), IN(cm_config_provider, module_sha256),
     .doc = "SHA-256 of the module's file, in hexadecimal: another one is not loaded."},
    {"hsm.providers[].cloud", FILE_AT(NULL), IN(cm_config_provider, cloud),
     .doc = "The file that describes a cloud's key service."},
    {"hsm.providers[].tpm", TEXT(1, 96, NULL), IN(cm_config_provider, tpm),
     .doc = "The machine's TPM: `pcr=7,11`."},
    {"hsm.providers[].token", TEXT(1, 32, NULL), IN(cm_config_provider, token),
     .doc = "Label of the token. Without it: the only one that is initialised."},
    {"hsm.providers[].pin_file", FILE_AT(NULL), IN(cm_config_provider, pin_file),
     .doc = "The user's PIN: the first line of this file, mode 0600."},
    {"hsm.providers[].pin_credential", TEXT(1, 128, NULL), IN(cm_config_provider, pin_credential),
     .doc = "Or the name of a systemd credential that holds it."},
    {"hsm.providers[].wrapping", CHOICE(wrappings, "aes"), IN(cm_config_provider, wrapping),
     .doc = "As `hsm.wrapping`, of this one alone."},
    {"hsm.providers[].init", TEXT(1, 1024, NULL), IN(cm_config_provider, init),
     .doc = "What the module takes as its configuration (NSS)."},
    {"hsm.providers[].files", FILE_AT(NULL), IN(cm_config_provider, files),
     .doc = "Folder that the module keeps its files in."},
    {"hsm.providers[].network", .type = KEY_BOOL, .standard = "false",
     IN(cm_config_provider, network), .doc = "The module opens connections after its start."},
    {"hsm.providers[].sessions", NUMBER(1, 8, "4"), IN(cm_config_provider, sessions),
     .doc = "Sessions with the token at most, and so requests that are under way in it at once. "
            "Modules that cannot lock, clouds and TPMs have one."},
    {"hsm.providers[].region", TEXT(1, 32, NULL), IN(cm_config_provider, region),
     .doc = "Where it is."},
    {"hsm.providers[].weight", NUMBER(0, 1000, "100"), IN(cm_config_provider, weight),
     .doc = "Its share; 0: a spare, asked only when no other answers."},
    {"hsm.providers[].use", CHOICE(uses, "root"), IN(cm_config_provider, use),
     .doc = "`root`: it opens the root. `tenants`: tenants that name it have their keys under keys "
            "of their own in it, and the root does not need it."},

    {"attest.collateral", FILE_AT(NULL), AT(attest.collateral),
     .doc = "Folder of revocation lists, vendors' statements, imported reference manifests and "
            "signed reference values for judging evidence: files are known by what they hold. "
            "Evidence never brings its own. What changed is read again while the server runs."},
    {"attest.check", TIME(100, 24 * 3600 * S, "60s"), AT(attest.check), .flags = KEY_RELOAD,
     .doc = "Between looks at whether something in that folder changed; it is read once two looks "
            "in a row found the same."},

    {"attest.address_rate", NUMBER(1, 1000000, "20"), AT(attest.address_rate),
     .doc = "Calls a second of one address to the key broker protocol, which asks for no "
            "credential."},

    {"keyd.program", FILE_AT(NULL), AT(keyd.program),
     .doc = "casemate-keyd. Without it: beside casemate-kmsd, then where it was installed."},
    {"keyd.threads", NUMBER(0, 256, "0"), AT(keyd.threads),
     .doc = "Threads that use keys; 0: one per processor."},
    {"keyd.queue", NUMBER(16, 65536, "1024"), AT(keyd.queue),
     .doc = "Key operations that may wait; beyond, clients are told to come back."},
    {"keyd.restart_max", TIME(100, 60 * S, "5s"), AT(keyd.restart_max),
     .doc = "Longest pause between attempts to start it again."},

    {"limits.connections", NUMBER(16, 1000000, "20000"), AT(limits.connections),
     .flags = KEY_RELOAD, .doc = "Connections at once; beyond, they wait to be accepted."},
    {"limits.handshakes", NUMBER(1, 100000, "512"), AT(limits.handshakes), .flags = KEY_RELOAD,
     .doc = "TLS handshakes under way at once."},
    {"limits.address_connections", NUMBER(0, 1000000, "2000"), AT(limits.address_connections),
     .doc = "Connections of one address (IPv6: /64) at once; 0: any number."},
    {"limits.address_rate", NUMBER(0, 1000000, "200"), AT(limits.address_rate),
     .doc = "New connections a second of one address; 0: any number."},
    {"limits.address_burst", NUMBER(1, 1000000, "2000"), AT(limits.address_burst),
     .doc = "New connections of one address that may come at once."},
    {"limits.address_calls", NUMBER(1, 10000000, "20000"), AT(limits.address_calls),
     .doc = "Calls a second of one address before it is known who asks."},
    {"limits.addresses", NUMBER(256, 10000000, "65536"), AT(limits.addresses),
     .doc = "Addresses that are remembered; beyond, new ones are refused."},
    {"limits.handshake_time", TIME(100, 600 * S, "10s"), AT(limits.handshake_time),
     .flags = KEY_RELOAD, .doc = "For a TLS handshake."},
    {"limits.request_time", TIME(100, 600 * S, "10s"), AT(limits.request_time), .flags = KEY_RELOAD,
     .doc = "For a request to come whole, beside its bytes at `body_rate`."},
    {"limits.body_rate", SIZE(1, 1 << 30, "1KiB"), AT(limits.body_rate), .flags = KEY_RELOAD,
     .doc = "Bytes a second that a sender must keep up."},
    {"limits.idle_time", TIME(S, 24 * 3600 * S, "60s"), AT(limits.idle_time), .flags = KEY_RELOAD,
     .doc = "Until a connection without requests is closed."},
    {"limits.write_time", TIME(S, 3600 * S, "30s"), AT(limits.write_time), .flags = KEY_RELOAD,
     .doc = "Until a peer that takes no byte of its answers is cut off."},
    {"limits.drain_time", TIME(0, 3600 * S, "20s"), AT(limits.drain_time), .flags = KEY_RELOAD,
     .doc = "For requests under way when the server is asked to stop."},
    {"limits.head", SIZE(1 << 10, 1 << 20, "32KiB"), AT(limits.head), .doc = "A request's head."},
    {"limits.body", SIZE(1 << 10, 1 << 30, "32MiB"), AT(limits.body), .doc = "A request's body."},
    {"limits.streams", NUMBER(1, 10000, "256"), AT(limits.streams),
     .doc = "HTTP/2 streams of a connection at once."},
    {"limits.resets", NUMBER(1, 1000000, "200"), AT(limits.resets),
     .doc = "RST_STREAM, SETTINGS and PING frames of a connection a second, of each."},
    {"limits.commits", NUMBER(16, 1000000, "4096"), AT(limits.commits),
     .doc = "Decisions that may wait to become durable; beyond, clients are told to come back."},

    {"log.level", CHOICE(levels, "info"), AT(log.level), .flags = KEY_RELOAD,
     .doc = "Least important lines that are written."},
    {"log.format", CHOICE(formats, "text"), AT(log.format), .flags = KEY_RELOAD,
     .doc = "One line of text, or one JSON object, an event. They go to standard error."},

    {"trace.endpoint", TEXT(1, 1024, NULL), AT(trace.endpoint),
     .doc = "OTLP/HTTP collector, `http://127.0.0.1:4318/v1/traces`. Without it nothing is sent."},
    {"trace.one_in", NUMBER(1, 1000000, "1"), AT(trace.one_in), .flags = KEY_RELOAD,
     .doc = "Of requests without a trace of their own, one in this many begins one."},
    {"trace.queue", NUMBER(16, 65536, "2048"), AT(trace.queue),
     .doc = "Spans that may wait; beyond, they are dropped and counted."},

    {"rotation.kek", TIME(0, 36500 * D, "365d"), AT(rotation.kek),
     .doc = "Age at which a tenant's key-encryption key gets a new version, and the tenant's keys "
            "are wrapped with that; 0: only when asked."},
    {"rotation.model", TIME(D, 36500 * D, "90d"), AT(rotation.model),
     .doc = "Age at which a model's key gets a new version, in whole days, where its keyspace does "
            "not say otherwise. Other keys say so when they are made."},
    {"rotation.api", TIME(0, 36500 * D, "30d"), AT(rotation.api),
     .doc = "Age at which an API key is to be replaced; 0: never."},
    {"rotation.api_grace", TIME(0, 365 * D, "7d"), AT(rotation.api_grace),
     .doc = "How long it goes on working beyond that, beside the one that replaces it."},
};
const size_t cm_config_keys_n = CM_COUNT(cm_config_keys);

const struct alias cm_config_aliases[] = {
    {"kms.base", NULL, NULL, "lux-kms", "The server itself takes that place."},
    {"kms.lux.provider", NULL, NULL, "software",
     "Keys are held by casemate-keyd; a device for the root is `unseal.method: hsm`."},
    {"kms.hanzo.model_encryption.algorithm", NULL, NULL, "AES-256-GCM", "It always is."},
    {"kms.hanzo.model_encryption.key_rotation_days", "rotation.model", "d", NULL, "In days."},
    {"kms.hanzo.model_encryption.key_prefix", NULL, NULL, "model/",
     "Names are typed; the prefix is fixed."},
    {"kms.hanzo.key_isolation.per_model", NULL, NULL, "true", "It always is."},
    {"kms.hanzo.key_isolation.per_customer", NULL, NULL, "true", "It always is."},
    {"kms.hanzo.key_isolation.namespace_separator", NULL, NULL, ":",
     "Accepted at the edge, with escaping; names are never joined inside."},
};
const size_t cm_config_aliases_n = CM_COUNT(cm_config_aliases);
