#ifndef CM_CMD_RECEIPTS_H
#define CM_CMD_RECEIPTS_H
/* What the verbs of `poai` and `settle` share: keys, digests, times, a line a check. */
#include "market/checks.h"
#include "ring.h"

/* The keys that an option names, one of a kind. */
typedef struct {
    cm_cli_ring ring;
    cm_market_keys keys;
} cm_cli_market_keys;
/** CLI_USAGE for none or two of a kind, KEY_ALGORITHM, KEY_NOT_PRIVATE. */
CM_MUST cm_err cm_cli_market_keys_init(cm_cli *cli, cm_cli_market_keys *k, const char *option,
                                       bool with_private);
void cm_cli_market_keys_done(cm_cli_market_keys *k);

/** Hex digits that an option gives, exactly n bytes; *have is whether it was given. CLI_USAGE. */
CM_MUST cm_err cm_cli_market_hex(cm_cli *cli, uint8_t *out, size_t n, const char *option,
                                 bool *have);
/** The same from text that no option holds; what names it. */
CM_MUST cm_err cm_cli_hex_value(cm_cli *cli, uint8_t *out, size_t n, cm_view text,
                                const char *what);
/** 32 bytes by --NAME, or Keccak-256 of the text behind --NAME-name. */
CM_MUST cm_err cm_cli_named_option(cm_cli *cli, uint8_t out[32], const char *option,
                                   const char *named, bool *have);
/** 32 bytes by --NAME-digest, or the hash (--hash) of the file behind --NAME; - is stdin. */
CM_MUST cm_err cm_cli_content_option(cm_cli *cli, uint8_t out[32], const char *file,
                                     const char *digest, bool *have);
/** CLI_USAGE when more than one of the names (NULL at the end) is a dash. */
CM_MUST cm_err cm_cli_one_stdin(cm_cli *cli, const char *const *names);

uint64_t cm_cli_now_ms(void);
/** Issued, expiry, nonce and realm, by the options. */
CM_MUST cm_err cm_cli_market_head(cm_cli *cli, cm_market_head *h, uint64_t longest_ms);
/** What is demanded, by the options; realm holds what p points at. */
CM_MUST cm_err cm_cli_market_policy(cm_cli *cli, cm_market_policy *p, uint8_t realm[32]);

/* A line a check, counted. */
typedef struct {
    cm_cli *cli;
    unsigned n[3];
} cm_cli_checks;
/** A cm_market_line; arg is the cm_cli_checks. */
void cm_cli_check_line(void *arg, cm_market_verdict v, const char *what, cm_err why);
/** Compares what an option gave with what stands in the record. */
void cm_cli_check_same(cm_cli_checks *c, const char *what, bool asked, cm_view want, cm_view have);
/** The list of what is not proved. */
void cm_cli_unproven(cm_cli *cli, const char *const *list, size_t n);
/** The counts, and verdict, or CLI_CHECK_FAILED when that is good and a check failed. */
CM_MUST cm_err cm_cli_checks_end(cm_cli_checks *c, cm_err verdict);

/** The record of at most max bytes at path; - is stdin. */
CM_MUST cm_err cm_cli_read_record(cm_cli *cli, cm_buf *out, const char *path);
/** What all statements begin with, into the event and to people. */
void cm_cli_put_head(cm_cli *cli, cm_cli_event *e, const cm_market_head *h);
void cm_cli_put_hex(cm_cli *cli, cm_cli_event *e, const char *name, cm_view v);
void cm_cli_put_number(cm_cli *cli, cm_cli_event *e, const char *name, uint64_t v);
/** The receipt as an event, or as lines. */
void cm_cli_show_poai(cm_cli *cli, const char *event, const cm_poai *r);
void cm_cli_show_settlement(cm_cli *cli, const char *event, const cm_settlement *s);

/** casemate poai verify --stored. */
CM_MUST cm_err cm_cli_poai_stored(cm_cli *cli, const cm_market_keys *k, const cm_market_policy *p,
                                  const char *path);

#endif
