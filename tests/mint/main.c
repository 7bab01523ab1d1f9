/* casemate-mint: evidence of machines that do not exist. */
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "codec/text.h"
#include "mint_int.h"

enum { PATH_SIZE = 4096, BYTES_A_LINE = 16 };

static int usage(void)
{
    fputs("usage: casemate-mint KIND --out DIR [--nonce HEX] [--measurement HEX] [--config HEX]\n"
          "           [--defect NAME] [--at SECONDS] [--serial N]\n"
          "       casemate-mint kinds | defects KIND | roots | key NAME\n",
          stderr);
    return 2;
}

static cm_view hex_of(cm_buf *b, const char *text)
{
    b->max = MINT_MAX;
    mint_must(cm_ok(cm_hex_decode(b, cm_view_str(text))), "not hexadecimal");
    return cm_buf_view(b);
}

static uint64_t number_of(const char *text)
{
    char *end = NULL;
    unsigned long long v = strtoull(text, &end, 10);

    mint_must(end && *end == '\0' && *text, "not a number");
    return v;
}

/* ---- roots.c ------------------------------------------------------------------------------- */

static void print_key(const char *key, size_t i)
{
    EVP_PKEY *k = mint_key(key);
    CM_AUTO(cm_buf_free) cm_buf b = {.max = MINT_MAX};

    mint_spki(&b, k);
    printf("static const uint8_t key%zu[] = {", i);
    for (size_t at = 0; at < b.n; at++)
        printf("%s0x%02x,", at % BYTES_A_LINE ? " " : "\n    ", b.p[at]);
    printf("\n};\n\n");
    EVP_PKEY_free(k);
}

static int print_roots(void)
{
    static const char *const vendors[] = {
        [CM_VENDOR_AMD] = "AMD",       [CM_VENDOR_AWS] = "AWS",
        [CM_VENDOR_INTEL] = "INTEL",   [CM_VENDOR_TPM] = "TPM",
        [CM_VENDOR_GOOGLE] = "GOOGLE", [CM_VENDOR_APPLE] = "APPLE",
        [CM_VENDOR_NVIDIA] = "NVIDIA", [CM_VENDOR_NVIDIA_RIM] = "NVIDIA_RIM"};
    const char *product, *name, *key;
    cm_vendor vendor;

    printf("/* The public halves of the test roots, as `casemate-mint roots` prints them. */\n"
           "#include \"mint.h\"\n\n");
    for (size_t i = 0; mint_root_at(i, &vendor, &product, &name, &key); i++)
        print_key(key, i);
    printf("static const cm_root roots[] = {\n");
    for (size_t i = 0; mint_root_at(i, &vendor, &product, &name, &key); i++)
        printf("    {CM_VENDOR_%s, \"minted: %s\", \"%s\", {key%zu, sizeof key%zu}, \"tests\"},\n",
               vendors[vendor], name, product, i, i);
    printf(
        "};\n\ncm_roots mint_roots(void)\n{\n    return (cm_roots){roots, CM_COUNT(roots)};\n}\n");
    return 0;
}

static int print_private(const char *name)
{
    EVP_PKEY *k = mint_key(name);
    int ok = PEM_write_PrivateKey(stdout, k, NULL, NULL, 0, NULL, NULL);

    EVP_PKEY_free(k);
    return ok == 1 ? 0 : 1;
}

/* ---- sets ---------------------------------------------------------------------------------- */

static void write_file(const char *dir, const char *name, cm_view v)
{
    char path[PATH_SIZE];
    FILE *f;

    mint_must(snprintf(path, sizeof path, "%s/%s", dir, name) < (int)sizeof path, "long path");
    f = fopen(path, "wb");
    mint_must(f && fwrite(v.p, 1, v.n, f) == v.n && fclose(f) == 0, path);
}

/* The attester's part as one file (AT-10), without what comes from the vendor: of Intel's, the
 * certificates that are not in the quote. */
static void write_pack(const mint *m, const char *dir)
{
    CM_AUTO(cm_buf_free) cm_buf pack = {.max = MINT_MAX};
    cm_attest_input in = m->in;

    if (in.kind == CM_ATTEST_TDX || in.kind == CM_ATTEST_SGX)
        in.n_certs = 0;
    mint_must(cm_ok(cm_attest_pack_put(&pack, &in)), "pack");
    write_file(dir, "evidence.pack", cm_buf_view(&pack));
}

/* What the host gives a guest of SEV-SNP: entries of GUID, offset and length, the last all zero. */
static void write_table(const mint *m, const char *dir)
{
    enum { ENTRY = 24, GUID = 16 };
    static const uint8_t guid[][GUID] = {
        {0x63, 0xda, 0x75, 0x8d, 0xe6, 0x64, 0x45, 0x64, 0xad, 0xc5, 0xf4, 0xb9, 0x3b, 0xe8, 0xac,
         0xcd}, /* VCEK */
        {0x4a, 0xb7, 0xb3, 0x79, 0xbb, 0xac, 0x4f, 0xe4, 0xa0, 0x2f, 0x05, 0xae, 0xf3, 0x27, 0xc7,
         0x82}, /* ASK */
        {0xc0, 0xb4, 0x06, 0xa4, 0xa8, 0x03, 0x49, 0x52, 0x97, 0x43, 0x3f, 0xb6, 0x01, 0x4c, 0xd0,
         0xae}, /* ARK */
    };
    CM_AUTO(cm_buf_free) cm_buf table = {.max = MINT_MAX};
    CM_AUTO(cm_buf_free) cm_buf der = {.max = MINT_MAX};
    size_t n = CM_MIN(m->in.n_certs, CM_COUNT(guid));

    for (size_t i = 0; i < n; i++) {
        mint_put(&table, CM_VIEW(guid[i]));
        mint_le(&table, (n + 1) * ENTRY + der.n, 4);
        mint_le(&table, m->in.certs[i].n, 4);
        mint_put(&der, m->in.certs[i]);
    }
    mint_zeros(&table, ENTRY);
    mint_put(&table, cm_buf_view(&der));
    write_file(dir, "auxblob.bin", cm_buf_view(&table));
}

/* What a GPU's driver gives: the chain as text, the device's own certificate first. */
static void write_chain(const mint *m, const char *dir)
{
    CM_AUTO(cm_buf_free) cm_buf pem = {.max = MINT_MAX};

    for (size_t i = m->in.n_certs; i > 0; i--) {
        const uint8_t *p = m->in.certs[i - 1].p;
        X509 *x = d2i_X509(NULL, &p, (long)m->in.certs[i - 1].n);

        mint_must(x != NULL, "a certificate");
        mint_pem(&pem, x);
        X509_free(x);
    }
    write_file(dir, "chain.pem", cm_buf_view(&pem));
}

static int write_set(const char *kind, const mint_spec *spec, const char *dir)
{
    mint *m = mint_new(kind, spec);
    CM_AUTO(cm_buf_free) cm_buf hex = {.max = MINT_MAX};

    (void)mkdir(dir, 0700);
    for (size_t i = 0; i < m->n_files; i++)
        write_file(dir, m->file[i].name, cm_buf_view(&m->file[i].bytes));
    write_pack(m, dir);
    if (m->in.kind == CM_ATTEST_SNP)
        write_table(m, dir);
    if (m->in.kind == CM_ATTEST_NVIDIA)
        write_chain(m, dir);
    mint_must(cm_ok(cm_hex_encode(&hex, cm_buf_view(&m->want_measurement))), "hex");
    printf("measurement %.*s\n", (int)hex.n, (const char *)hex.p);
    hex.n = 0;
    mint_must(cm_ok(cm_hex_encode(&hex, cm_buf_view(&m->want_nonce))), "hex");
    printf("nonce %.*s\n", (int)hex.n, (const char *)hex.p);
    mint_free(m);
    return 0;
}

static int mint_it(int argc, char **argv)
{
    CM_AUTO(cm_buf_free) cm_buf nonce = {0};
    CM_AUTO(cm_buf_free) cm_buf measurement = {0};
    CM_AUTO(cm_buf_free) cm_buf config = {0};
    mint_spec s = {.at = (uint64_t)time(NULL)};
    const char *dir = NULL;

    for (int i = 2; i + 1 < argc; i += 2) {
        const char *o = argv[i], *v = argv[i + 1];

        if (strcmp(o, "--out") == 0)
            dir = v;
        else if (strcmp(o, "--nonce") == 0)
            s.nonce = hex_of(&nonce, v);
        else if (strcmp(o, "--measurement") == 0)
            s.measurement = hex_of(&measurement, v);
        else if (strcmp(o, "--config") == 0)
            s.config = hex_of(&config, v);
        else if (strcmp(o, "--defect") == 0)
            s.defect = v;
        else if (strcmp(o, "--at") == 0)
            s.at = number_of(v);
        else if (strcmp(o, "--serial") == 0)
            s.serial = number_of(v);
        else
            return usage();
    }
    return dir && argc % 2 == 0 ? write_set(argv[1], &s, dir) : usage();
}

static int print_defects(const char *kind)
{
    const mint_defect *d;

    for (size_t i = 0; (d = mint_defect_at(i)) != NULL; i++)
        if (mint_defect_of(d, kind))
            printf("%s %s\n", d->name, cm_attest_check_name(d->check));
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "roots") == 0)
        return print_roots();
    if (argc == 2 && strcmp(argv[1], "kinds") == 0) {
        for (size_t i = 0; mint_kind(i); i++)
            puts(mint_kind(i));
        return 0;
    }
    if (argc == 3 && strcmp(argv[1], "defects") == 0)
        return print_defects(argv[2]);
    if (argc == 3 && strcmp(argv[1], "key") == 0)
        return print_private(argv[2]);
    return argc > 3 ? mint_it(argc, argv) : usage();
}
