#ifndef CM_CMD_ACCESS_H
#define CM_CMD_ACCESS_H
/* With which keys a sealed model is opened, and whom to trust, by the options. */
#include "attested.h"
#include "kms.h"
#include "ring.h"
#include "sealed/sealed.h"
#include "tpm.h"

/* A protected identity of the home is unlocked only for a model that is addressed to it. */
typedef struct {
    cm_cli *cli;
    char *path;
    cm_pkey *pub, *key;
} cm_cli_lazy_key;

/* The terminal is asked only for a model that is sealed to a passphrase. */
typedef struct {
    cm_cli *cli;
    cm_buf text;
} cm_cli_lazy_passphrase;

typedef struct {
    cm_open_options o; /* points at what follows */
    cm_cli_ring identities, publishers;
    cm_opener *openers;
    const cm_sig_key **trusted;
    cm_cli_lazy_key lazy_key;
    cm_cli_lazy_passphrase lazy_passphrase;
    cm_cli_kms kms;
    cm_tpm_key tpm;
    cm_cli_attested attested;
    cm_envelope_passphrase passphrase;
    cm_buf passphrase_text;
    const char *no_key; /* why there is no key at hand; NULL: there is one */
} cm_cli_access;

enum {
    CM_CLI_KEYS = 1u,   /* fill openers */
    CM_CLI_TRUST = 2u,  /* fill trusted */
    CM_CLI_MODEST = 4u, /* never ask on the terminal unless an option says so */
};

/** a does not move afterwards. */
CM_MUST cm_err cm_cli_access_init(cm_cli *cli, cm_cli_access *a, unsigned want);
void cm_cli_access_done(cm_cli_access *a);

/** A sealed model and the descriptor it is read from. */
typedef struct {
    int fd;
    cm_sealed *s;
} cm_cli_model;
/** Open and load; unlock too, when asked. cli is about path then. */
CM_MUST cm_err cm_cli_model_load(cm_cli *cli, cm_cli_model *m, const char *path,
                                 const cm_cli_access *a, bool unlock);
void cm_cli_model_close(cm_cli_model *m);

/* ---- recipients and signers of what is made ---- */

typedef struct {
    cm_cli_ring keys;
    cm_recipient *v;
    size_t n;
    cm_envelope_passphrase passphrase;
    cm_buf passphrase_text;
    cm_cli_kms kms;
    cm_tpm_key tpm[CM_CLI_TPMS];
    size_t tpms;
    cm_cli_attested attested; /* one policy */
} cm_cli_recipients;

/** Keys that the option names (or this machine's TPM: tpm:pcr=7,11), the server's key that kms
 * names (NULL: none can be), and a passphrase from the options PREFIXpassphrase,
 * PREFIXpassphrase-file and PREFIXpassphrase-fd. */
CM_MUST cm_err cm_cli_recipients_init(cm_cli *cli, cm_cli_recipients *r, const char *option,
                                      const char *kms, const char *prefix);
void cm_cli_recipients_done(cm_cli_recipients *r);

typedef struct {
    cm_cli_ring keys;
    const cm_sig_key **v;
} cm_cli_signers;
/** Keys that the option names, else the home's publisher.pem. */
CM_MUST cm_err cm_cli_signers_init(cm_cli *cli, cm_cli_signers *s, const char *option);
void cm_cli_signers_done(cm_cli_signers *s);

/** Whether out can be written, before any work is done for it: errors about the output name it.
 * FILE_EXISTS without --force; NO_FILE, NO_PERMISSION for its folder. */
CM_MUST cm_err cm_cli_check_output(cm_cli *cli, const char *out);

/** Whether an interrupted run left something to go on from. */
bool cm_cli_has_part(const char *out);

/** The path that stands for stdin or stdout. */
bool cm_cli_is_dash(const char *path);
/** Threads by --threads; 0: one per processor. */
CM_MUST cm_err cm_cli_threads(cm_cli *cli, unsigned *threads);
cm_watch cm_cli_watch(cm_cli *cli);
/** Members done, bytes, seconds and rate of an event, and the same in words for cm_cli_say(). */
void cm_cli_put_rate(cm_cli *cli, cm_cli_event *e, uint64_t bytes);
const char *cm_cli_rate_text(const cm_cli *cli, char text[96], uint64_t bytes);

#endif
