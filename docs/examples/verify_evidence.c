/* verify_evidence TIME EVIDENCE [FILE...]: is it genuine, as of TIME (seconds since 1970)? Prints a
 * line a check, and exits with 0 only for evidence that was accepted. The files are certificates
 * and what else belongs to it. cc verify_evidence.c $(pkg-config --cflags --libs casemate) */
#include <casemate/attest.h>
#include <stdio.h>
#include <stdlib.h>

enum { FILES = 16, SIZE = 1 << 20 };

static cm_view slurp(const char *path)
{
    FILE *f = fopen(path, "rb");
    uint8_t *p = (uint8_t *)malloc(SIZE);
    size_t n = f && p ? fread(p, 1, SIZE, f) : 0;
    cm_view v;

    if (f)
        fclose(f);
    v.p = p;
    v.n = n;
    return v;
}

static void print_checks(const cm_attestation *a)
{
    cm_attestation_check c;

    printf("%s, TCB %s\n", cm_attestation_kind(a), cm_attestation_tcb(a));
    for (size_t i = 0; cm_attestation_check_at(a, i, &c); i++)
        printf("%s %s%s%s\n", c.verdict, c.name, c.why ? ": " : "", c.why ? c.why : "");
}

int main(int argc, char **argv)
{
    /* Who the guest is, and whether the evidence is new, is not asked here. A program that trusts
     * it with a secret must ask: give measurements and bound, and name neither here. */
    static const char *const may_skip[] = {"revocation", "tcb",  "platform", "measurement",
                                           "config",     "chip", "fresh"};
    cm_attestation_file files[FILES];
    cm_attestation_options o = {0};
    cm_attestation *a = NULL;
    cm_view evidence;
    cm_err e;

    if (argc < 3)
        return EXIT_FAILURE;
    o.abi = CM_ABI_VERSION;
    o.at = strtoull(argv[1], NULL, 10);
    o.files = files;
    o.may_skip = may_skip;
    o.may_skip_count = sizeof may_skip / sizeof *may_skip;
    for (int i = 3; i < argc && o.file_count < FILES; i++) {
        files[o.file_count].name = argv[i];
        files[o.file_count++].bytes = slurp(argv[i]);
    }
    evidence = slurp(argv[2]);
    e = cm_attestation_new(&a, evidence, &o);
    if (cm_ok(e)) {
        print_checks(a);
        e = cm_attestation_accepted(a);
    }
    if (cm_failed(e))
        fprintf(stderr, "%s: %s. %s\n", cm_err_name(e), cm_err_what(e), cm_err_fix(e));
    cm_attestation_free(a);
    free((void *)(uintptr_t)evidence.p);
    for (size_t i = 0; i < o.file_count; i++)
        free((void *)(uintptr_t)files[i].bytes.p);
    return cm_ok(e) ? EXIT_SUCCESS : EXIT_FAILURE;
}
