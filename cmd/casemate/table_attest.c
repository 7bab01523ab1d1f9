/* The table: attestation. */
#include "options.h"

/* clang-format off */
#define OPT_BIND                                                                                  \
    FILES(0, "bind", "KIND=FILE",                                                                 \
          "bind to this too: tls, peer, hpke, exporter, manifest=FILE, role, suite=TEXT; the "    \
          "nonce is then of 32 bytes; may be repeated", NULL)

static const cm_cli_option evidence_options[] = {
    ARG(0, "nonce", "HEX", "what the evidence is to be bound to, from whoever verifies it", NULL),
    OPT_BIND,
    {0, "tsm-root", "DIR", "ask Linux configfs-tsm at DIR (SEV-SNP, TDX)", NULL, CM_CLI_FOLDER,
     NULL, false},
    FLAG(0, "nsm", "ask AWS's Nitro security module"),
    FLAG(0, "gpu", "ask NVIDIA's GPUs"),
    FILE_ARG(0, "nvml", "FILE", "by this library of NVIDIA's driver", "libnvidia-ml.so.1"),
    FLAG(0, "tpm", "ask the TPM for a quote"),
    ARG(0, "tcti", "TCTI", "the TPM that tpm2-tss calls so", "device:/dev/tpmrm0"),
    ARG(0, "pcr", "LIST", "the registers that the TPM quotes: 7,11 or 7,11,bank=sha384",
        "0 to 7"),
    {'o', "out", "FILE", "where the evidence goes; - for stdout", "-", CM_CLI_FILE, NULL, false},
    OPT_FORCE,
};

static const cm_cli_option verify_options[] = {
    OPT_JUDGED_BY,
    ARG(0, "nonce", "HEX", "the evidence must be bound to this nonce", NULL),
    ARG(0, "report-data", "HEX", "the same: the report data, without the zeros that fill them",
        NULL),
    OPT_BIND,
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

static const cm_cli_example evidence_examples[] = {
    {"casemate attest evidence --nonce 01ab... --bind tls=server.crt -o evidence",
     "everything that this machine has, bound to a server's key"},
    {"casemate attest evidence --tpm --pcr 7,11 --nonce 01ab... | casemate attest verify - "
     "--nonce 01ab... --may-skip all",
     "a quote, made and verified"},
};

static const cm_cli_example verify_examples[] = {
    {"casemate attest verify quote.bin --may-skip all", "is it genuine? Everything it shows"},
    {"casemate attest verify report.bin -c certs/ -m 5feee30d... --nonce 01ab... --snp-floor "
     "snp=24",
     "is it this image, on this firmware, made for us just now?"},
    {"casemate attest verify quote.bin --at 2025-07-01 --json", "how it stood then, for a program"},
};

/* clang-format off */
static const cm_cli_option measure_options[] = {
    FILE_ARG('f', "firmware", "FILE", "the firmware image that the machine maps below 4 GiB",
             NULL),
    FILE_ARG(0, "kernel", "FILE", "the kernel that the firmware is given to start", NULL),
    FILE_ARG(0, "initrd", "FILE", "the initial ramdisk that goes with it", NULL),
    ARG(0, "cmdline", "TEXT", "the kernel's command line", NULL),
    FILE_ARG(0, "event-log", "FILE",
             "tdx, tpm: replay this log of measured boot, and say which events follow from the "
             "files given", NULL),
    ARG('n', "vcpus", "N", "snp: virtual processors", "1"),
    ARG(0, "cpu", "MODEL",
        "snp: the model, as EPYC-v4, EPYC-Milan, EPYC-Genoa, EPYC-Turin, or the number that CPUID "
        "1 gives in EAX, as 0xa10f10", "EPYC-v4"),
    ARG(0, "features", "BITS", "snp: SEV_FEATURES of the processors, in hex", "0x1"),
    WORDS(0, "vmm", "NAME", "snp: who starts the guest", "qemu", "qemu ec2 gce"),
    ARG(0, "firmware-digest", "HEX",
        "snp: the digest of the image alone, when only its end is at hand", NULL),
    WORDS(0, "order", "NAME",
          "tdx: whether pages are measured one by one as they are added, or a section at a time",
          "page", "page section"),
    FLAG(0, "policy", "print an entry for a policy file"),
    ARG(0, "name", "TEXT", "what the entry is of", "the firmware's file name"),
    ARG(0, "until", "DATE", "until when the entry holds, as 2027-01-31", "for ever"),
};
/* clang-format on */

static const cm_cli_argument measure_args[] = {
    {"KIND", "snp, tdx or tpm", CM_CLI_ANY, 1, 1},
};

static const cm_cli_example measure_examples[] = {
    {"casemate attest measure snp -f OVMF.fd -n 4 --cpu EPYC-Genoa --kernel vmlinuz --initrd "
     "initrd.img --cmdline 'console=ttyS0'",
     "the launch digest that a report will have"},
    {"casemate attest measure tdx -f OVMF.fd --policy --until 2027-01-31",
     "MRTD, as an entry for a policy file"},
    {"casemate attest measure tdx --event-log ccel.bin --kernel vmlinuz",
     "what a TD's log leads to, and whether this kernel is in it"},
};

static const cm_cli_option reference_options[] = {
    FILES('k', "key", "KEY",
          "import, verify: the public key of a signer, may be repeated; sign: your private key",
          NULL),
    FLAG(0, "unsigned", "import: accept values that nobody signed"),
    ARG(0, "kind", "KIND", "import: what digests are measurements of when the file does not say",
        NULL),
    ARG(0, "until", "DATE", "until when the values hold, as 2027-01-31", NULL),
    ARG(0, "at", "TIME", "judge, or sign, as of this time (UTC)", "now"),
    {'o', "out", "FILE", "sign: where the manifest goes; - for stdout", NULL, CM_CLI_FILE, NULL,
     false},
    OPT_FORCE,
    OPT_KEY_PASSPHRASE,
};

static const cm_cli_argument reference_args[] = {
    {"VERB", "import, sign, verify or show", CM_CLI_ANY, 1, 1},
    {"FILE", "a CoRIM, a policy file to sign the measurements of, or a manifest", CM_CLI_FILE, 1,
     1},
};

static const cm_cli_example reference_examples[] = {
    {"casemate attest reference import vendor.corim -k vendor.pub --until 2027-01-31",
     "a vendor's values, as entries of a policy file"},
    {"casemate attest reference sign images.yaml -k release.pem --until 2027-01-31 -o images.ref",
     "the measurements of images.yaml, signed"},
    {"casemate attest verify report.bin --policy fleet.yaml --reference images.ref --nonce 01ab...",
     "under a policy that refers to them"},
};

static const cm_cli_option collateral_options[] = {
    OPT_COLLATERAL_STORE,
    ARG(0, "at", "TIME", "as of this time (UTC)", "now"),
    {0, "fetch", "PROGRAM",
     "refresh: run this for each address, which is its last argument; what it prints is taken",
     NULL, CM_CLI_COMMAND, NULL, false},
    MANY(0, "fetch-arg", "ARG", "refresh: an argument before the address; may be repeated", NULL),
    {0, "from", "FOLDER", "refresh: take files of the addresses' last parts from here instead",
     NULL, CM_CLI_FOLDER, NULL, false},
    ARG(0, "spacing", "SECONDS", "refresh: between two questions to one host", "10"),
    ARG(0, "timeout", "SECONDS", "refresh: for the program", "30"),
    {'o', "out", "FILE", "export: where the bundle goes; - for stdout", NULL, CM_CLI_FILE, NULL,
     false},
    FLAG(0, "force",
         "refresh: also sources that are not due; export: replace an output that "
         "exists"),
};

static const cm_cli_argument collateral_args[] = {
    {"VERB", "import, list, refresh, prune, export or source", CM_CLI_ANY, 1, 1},
    {"FILE", "import: files or bundles; source: addresses to add", CM_CLI_FILE, 0, 64},
};

static const cm_cli_example collateral_examples[] = {
    {"casemate attest collateral import tcb.json platform-ca.crl",
     "keep what the vendor published"},
    {"casemate attest collateral refresh --fetch curl --fetch-arg -fsS",
     "ask the sources that are due"},
    {"casemate attest collateral export -o collateral.bundle",
     "one file, to be imported where there is no network"},
};

static const cm_cli_command commands[] = {
    {
        .group = "attest",
        .name = "evidence",
        .summary = "have this machine's devices make evidence",
        .text =
            "Asks what the machine has: configfs-tsm, the Nitro security module, a TPM, NVIDIA's "
            "GPUs; or those that are named. Writes one file that attest verify reads. Nothing is "
            "judged here.\n"
            "\n"
            "Without --bind the nonce itself is what the evidence carries, as verify --nonce "
            "expects it. With --bind it is one digest of nonce, role, keys, exporter and manifest "
            "(spec/attest.md, AT-100); give verify the same options. A GPU's nonce comes from "
            "what the processor's evidence carries, so that the two can't be of two machines.",
        .options = TABLE(evidence_options),
        .examples = TABLE(evidence_examples),
        .see = "attest-verify",
        .run = cm_cli_attest_evidence,
    },
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
    {
        .group = "attest",
        .name = "measure",
        .summary = "compute what a guest will measure, from its firmware, kernel and command line",
        .text =
            "snp prints the launch digest of AMD SEV-SNP, tdx the MRTD of Intel TDX: what evidence "
            "of a guest that was started from these files has as its measurement. Needs no such "
            "machine.\n"
            "\n"
            "tdx with --kernel and --cmdline also prints RTMR1 and RTMR2 of a kernel that the "
            "firmware starts directly; give the command line as the kernel gets it (QEMU adds "
            "initrd=initrd). With --event-log, tdx and tpm replay a recorded log into its "
            "registers and say of each event what explains it: a file that was given, the data "
            "logged with it, or nothing.\n"
            "\n"
            "The value is computed from the files, not read from a machine: compare it once with "
            "evidence of the guest before you rely on it. What starts the guest has its part in "
            "it: number and model of the processors, their features, the order of pages.",
        .options = TABLE(measure_options),
        .args = TABLE(measure_args),
        .examples = TABLE(measure_examples),
        .see = "attest-policy attest-verify",
        .run = cm_cli_attest_measure,
    },
    {
        .group = "attest",
        .name = "reference",
        .summary =
            "import, sign, verify and show reference values: measurements somebody vouches for",
        .text =
            "import reads a CoRIM in CBOR and prints the measurements of machines in it as entries "
            "of a policy file, with their provenance. It has to be signed by a --key, unless "
            "--unsigned is said. Digests whose kind the file does not tell need --kind.\n"
            "\n"
            "sign makes a manifest of a policy file's measurements: ML-DSA-65 or ML-DSA-87, with a "
            "version (the file's) and an end. A policy with measurements: reference accepts what "
            "a manifest lists that its references name by name and signer; verify --reference "
            "gives it the file. So images come and go without a new policy.\n"
            "\n"
            "verify says whether one of the keys signed a manifest and whether it is valid now; "
            "show trusts nothing and prints what is there.",
        .options = TABLE(reference_options),
        .args = TABLE(reference_args),
        .examples = TABLE(reference_examples),
        .see = "attest-policy attest-verify attest-measure",
        .run = cm_cli_attest_reference,
    },
    {
        .group = "attest",
        .name = "collateral",
        .summary = "keep what vendors publish about their machines: import, list, refresh, export",
        .text =
            "A store is a folder of certificates, revocation lists, Intel's statements, OCSP "
            "answers and lists of revoked devices, each known by what it holds and about; verify "
            "takes what it needs from it. A file never gives way to an older one, and appears "
            "under its name only when it is whole. Nothing in it is trusted: verification judges "
            "it. Never import what an attester sent along.\n"
            "\n"
            "list says what is there and until when it holds; prune removes what is over; export "
            "and import carry all of it as one file.\n"
            "\n"
            "refresh asks the sources, an address a line, that source added: through a program of "
            "yours (run without a shell, no host is known here) or from a folder. A source is "
            "asked again when half of what it gave is over, a day at most; after failures it waits "
            "a minute, then twice as long each time up to a day, and by chance up to half less. "
            "One host is asked every 10 seconds at most. What does not come, is nothing known, has "
            "expired or is older leaves the store as it was, and the command fails.",
        .options = TABLE(collateral_options),
        .args = TABLE(collateral_args),
        .examples = TABLE(collateral_examples),
        .see = "attest-verify",
        .run = cm_cli_attest_collateral,
    },
};

const cm_cli_commands cm_cli_attest_commands = {TABLE(commands)};
