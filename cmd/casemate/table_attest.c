/* The table: attestation. */
#include "options.h"

/* clang-format off */
static const cm_cli_option verify_options[] = {
    FILES('c', "collateral", "PATH",
          "a certificate, revocation list, vendor's statement or event log, or a folder of them; "
          "may be repeated", NULL),
    FLAG(0, "alone", "do not look for such files beside the evidence"),
    ARG(0, "at", "TIME", "judge as of this time (UTC)", "now"),
    ARG(0, "nonce", "HEX", "the evidence must be bound to this nonce", NULL),
    ARG(0, "report-data", "HEX", "the same: the report data, without the zeros that fill them",
        NULL),
    MANY('m', "measurement", "HEX", "accept this measurement; may be repeated", NULL),
    ARG(0, "config", "HEX", "the measured configuration: host data, MRCONFIGID, user data", NULL),
    MANY(0, "chip", "HEX", "accept this chip; may be repeated", NULL),
    ARG(0, "max-age", "SECONDS", "refuse evidence that says it is older", NULL),
    ARG(0, "snp-floor", "LIST", "the least firmware of SEV-SNP: bl=4,snp=24,ucode=219", NULL),
    ARG(0, "vmpl", "N", "the privilege level that asked for an SEV-SNP report", "0"),
    MANY(0, "accept-tcb", "STATUS",
         "accept this status of an Intel platform beside \"up to date\"; may be repeated", NULL),
    ARG(0, "evaluation", "N", "the least number of Intel's TCB evaluation", "0"),
    FLAG(0, "allow-debug", "accept a guest that can be read from outside"),
    FLAG(0, "allow-migrate", "accept a guest that may be moved by an agent"),
    MANY(0, "may-skip", "CHECK",
         "do not insist on this check when what it needs is not given; all: on none of them; may "
         "be repeated", NULL),
};
/* clang-format on */

static const cm_cli_argument verify_args[] = {
    {"FILE", "the evidence, as it came", CM_CLI_FILE, 1, 64},
};

static const cm_cli_example verify_examples[] = {
    {"casemate attest verify quote.bin --may-skip all", "is it genuine? Everything it shows"},
    {"casemate attest verify report.bin -c certs/ -m 5feee30d... --nonce 01ab... --snp-floor "
     "snp=24",
     "is it this image, on this firmware, made for us just now?"},
    {"casemate attest verify quote.bin --at 2025-07-01 --json", "how it stood then, for a program"},
};

static const cm_cli_command commands[] = {
    {
        .group = "attest",
        .name = "verify",
        .summary = "judge a piece of evidence from a trusted execution environment",
        .text =
            "Tells from the bytes what they are, verifies them up to the vendor's root, which is "
            "built in, and prints what they claim and one verdict a check. A claim is worth "
            "nothing unless the last line says verified.\n"
            "\n"
            "What belongs to the evidence is found beside it: in its folder, in collateral/ there, "
            "and in ../roots. Nothing is fetched. Files are known by what they hold; none of them "
            "is trusted. Revocation lists and the vendor's statements should come from the vendor, "
            "never from whoever sent the evidence.\n"
            "\n"
            "A check is skipped when what it needs was not given: without --nonce nobody knows "
            "whether the evidence is fresh. Such evidence is incomplete and the command fails "
            "(exit 3), as it does when a check fails, unless --may-skip names each such check.",
        .options = TABLE(verify_options),
        .args = TABLE(verify_args),
        .examples = TABLE(verify_examples),
        .run = cm_cli_attest_verify,
    },
};

const cm_cli_commands cm_cli_attest_commands = {TABLE(commands)};
