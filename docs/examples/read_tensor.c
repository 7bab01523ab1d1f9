/* read_tensor MODEL IDENTITY PUBLISHER TENSOR: one tensor of a sealed model, verified, to stdout.
 * cc read_tensor.c $(pkg-config --cflags --libs casemate) */
#include <casemate/model.h>
#include <stdio.h>
#include <stdlib.h>

static int complain(cm_err e)
{
    fprintf(stderr, "%s: %s. %s\n", cm_err_name(e), cm_err_what(e), cm_err_fix(e));
    return EXIT_FAILURE;
}

static int print_tensor(cm_model *m, const char *name)
{
    cm_model_tensor t;
    cm_err e = cm_model_tensor_by_name(m, name, &t);
    void *p = cm_ok(e) ? malloc((size_t)t.size + 1) : NULL;

    if (p)
        e = cm_model_read(m, p, (size_t)t.size, t.offset);
    if (p && cm_ok(e))
        fwrite(p, 1, (size_t)t.size, stdout);
    free(p);
    return cm_ok(e) && p ? EXIT_SUCCESS : complain(cm_ok(e) ? CM_FAIL(NO_MEMORY) : e);
}

int main(int argc, char **argv)
{
    cm_model_options o = {0};
    uint8_t digest[32];
    cm_model *m;
    cm_err e;
    int status;

    if (argc != 5)
        return EXIT_FAILURE;
    o.abi = CM_ABI_VERSION;
    o.identities = (const char *const *)&argv[2];
    o.publishers = (const char *const *)&argv[3];
    o.identity_count = o.publisher_count = 1;
    e = cm_model_open(&m, argv[1], &o);
    if (cm_failed(e))
        return complain(e);
    cm_model_digest(m, digest);
    for (int i = 0; i < 32; i++)
        fprintf(stderr, i < 31 ? "%02x" : "%02x\n", digest[i]);
    status = print_tensor(m, argv[4]);
    cm_model_close(m);
    return status;
}
