/* The table: attestation. */
#include "options.h"

/* clang-format off */
static const cm_cli_option verify_options[] = {
    FILES('c', "collateral", "PATH",
          "a certificate, revocation list, vendor's statement or event log, or a folder of them; "
          "may be repeated", NULL),
    MANY(0, "part", "NAME=FILE",
         "what came with a TPM's evidence: quote, signature, ak, pcrs, activation, td-quote; may "
         "be repeated",
         NULL),
    FLAG(0, "alone", "do not look for such files beside the evidence"),
    ARG(0, "at", "TIME", "judge as of this time (UTC)", "now"),
    FILE_ARG(0, "policy", "FILE",
             "demand what this policy file demands, and let it decide over all files together",
             NULL),
    ARG(0, "nonce", "HEX", "the evidence must be bound to this nonce", NULL),
    ARG(0, "report-data", "HEX", "the same: the report data, without the zeros that fill them",
        NULL),
    FILES(0, "rim", "FILE",
          "accept what these reference manifests accept (casemate attest rim); may be repeated",
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

static const cm_cli_option policy_options[] = {
    FILES(0, "signature", "FILE", "check: a signature over the policy; may be repeated", NULL),
    FILES('k', "key", "KEY",
          "check: the public key of a signer, may be repeated; sign: your private key", NULL),
    FILE_ARG(0, "before", "FILE", "check: the policy in force, whose signers have to agree", NULL),
    {'o', "out", "FILE", "sign: where the signature goes; - for stdout", NULL, CM_CLI_FILE, NULL,
     false},
    OPT_FORCE,
    OPT_KEY_PASSPHRASE,
};

static const cm_cli_argument policy_args[] = {
    {"VERB", "check, explain, diff or sign", CM_CLI_ANY, 1, 1},
    {"FILE", "the policy; for diff two of them", CM_CLI_FILE, 1, 2},
};

static const cm_cli_example policy_examples[] = {
    {"casemate attest policy explain fleet.yaml", "what it accepts, in sentences"},
    {"casemate attest policy sign fleet.yaml -k alice.pem -o fleet.alice.sig",
     "the first of two people agrees"},
    {"casemate attest policy check fleet.yaml --before old.yaml --signature fleet.alice.sig "
     "--signature fleet.bob.sig -k alice.pub -k bob.pub",
     "may it replace the policy in force?"},
};

static const cm_cli_option rim_options[] = {
    ARG(0, "at", "TIME", "import: judge the signer as of this time (UTC)", "now"),
    {'o', "out", "FILE", "import: the file to make", NULL, CM_CLI_FILE, NULL, false},
    OPT_FORCE,
};

static const cm_cli_argument rim_args[] = {
    {"VERB", "import or show", CM_CLI_ANY, 1, 1},
    {"FILE", "import: manifests as the vendor gives them (XML); show: a file that was made",
     CM_CLI_FILE, 1, 8},
};

static const cm_cli_example rim_examples[] = {
    {"casemate attest rim import NV_GPU_DRIVER_GH100_550.90.07.xml "
     "NV_GPU_VBIOS_1010_0200_882_96009F0001.xml --out hopper.rim",
     "what this driver and this VBIOS should measure"},
    {"casemate attest verify report.bin --rim hopper.rim --nonce 931d...", "does the GPU?"},
};

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
        .see = "attest-policy",
        .run = cm_cli_attest_verify,
    },
    {
        .group = "attest",
        .name = "policy",
        .summary = "check, explain, compare and sign files that say what evidence is accepted",
        .text =
            "A policy file is YAML: measurements with their provenance and the time until which "
            "they hold, least firmware, chips, what may be skipped, what each privacy tier "
            "demands. What it does not name is not accepted; debugging is forbidden unless it "
            "says otherwise. spec/appraise.md has the rules, docs/attest-policy.schema.json what "
            "may stand where.\n"
            "\n"
            "A change takes two people: a new version is higher than the one in force and signed "
            "with the ML-DSA keys of two signers whom the one in force names. check without "
            "--signature and --before looks at the form alone.\n"
            "\n"
            "Reads no clock and asks nobody.",
        .options = TABLE(policy_options),
        .args = TABLE(policy_args),
        .examples = TABLE(policy_examples),
        .see = "attest-verify",
        .run = cm_cli_attest_policy,
    },
    {
        .group = "attest",
        .name = "rim",
        .summary = "import a GPU vendor's reference manifests",
        .text =
            "A manifest (RIM) says which measurements a driver or VBIOS of NVIDIA's should give. "
            "The vendor's service gives it as signed XML; import verifies the signature up to the "
            "vendor's root, which is built in, and writes what it says in a small form. It is "
            "the one place that reads XML: neither servers nor verification do. Keep the names of "
            "the files: they are the ids by which the vendor has them.\n"
            "\n"
            "The file that is made has no signature. It counts where its SHA-256 is named as a "
            "measurement, in a policy or with --measurement, or where it is given with --rim.\n"
            "\n"
            "Nothing is fetched, and the vendor is not asked whether it has revoked a manifest.",
        .options = TABLE(rim_options),
        .args = TABLE(rim_args),
        .examples = TABLE(rim_examples),
        .see = "attest-verify",
        .run = cm_cli_attest_rim,
    },
};

const cm_cli_commands cm_cli_attest_commands = {TABLE(commands)};
