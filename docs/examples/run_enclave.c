/* run_enclave PROGRAM MODEL IDENTITY PUBLISHER REQUEST: executeInEnclave(payload, model). Runs
 * PROGRAM locked in, with the sealed MODEL, for one request, and prints its answer.
 * cc run_enclave.c $(pkg-config --cflags --libs casemate-enclave) */
#include <casemate/enclave.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_outcome(const cm_enclave_outcome *o)
{
    fprintf(stderr, "%smanifest ", o->simulated ? "SIMULATED: " : "");
    for (size_t i = 0; i < sizeof o->manifest; i++)
        fprintf(stderr, "%02x", o->manifest[i]);
    fprintf(stderr, "\n%s protection held; %llu bytes of the model in ranges\n",
            o->complete ? "every" : "not every", (unsigned long long)o->range_bytes);
}

int main(int argc, char **argv)
{
    cm_model_options open = {0};
    cm_enclave_program program = {0};
    cm_enclave_limits limits = {0}; /* 128 MiB, one minute */
    cm_enclave_outcome outcome;
    const char *identities[1], *publishers[1];
    cm_buf answer = {0};
    cm_view payload;
    cm_err e;

    if (argc != 6)
        return EXIT_FAILURE;
    identities[0] = argv[3];
    publishers[0] = argv[4];
    open.abi = program.abi = CM_ABI_VERSION;
    open.identities = identities;
    open.identity_count = 1;
    open.publishers = publishers;
    open.publisher_count = 1;
    program.program = argv[1];
    program.model = argv[2];
    program.open = &open;
    payload.p = (const uint8_t *)argv[5];
    payload.n = strlen(argv[5]);
    answer.max = 1 << 20;
    e = cm_enclave_execute(&answer, &outcome, payload, &program, &limits);
    if (cm_ok(e)) {
        fwrite(answer.p, 1, answer.n, stdout);
        print_outcome(&outcome);
    } else {
        fprintf(stderr, "%s: %s. %s\n", cm_err_name(e), cm_err_what(e), cm_err_fix(e));
    }
    cm_buf_free(&answer);
    return cm_ok(e) ? EXIT_SUCCESS : EXIT_FAILURE;
}
