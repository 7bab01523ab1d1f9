/*
 * Runs a fuzzer over every file of its corpus, over every truncation of the small ones, and over
 * each with single bytes flipped: what libFuzzer once found stays found without libFuzzer.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_MAX = 1 << 20, MUTATE_MAX = 512 };

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* An exact heap copy, so that a sanitizer sees the first byte read past the end. */
static void run(const uint8_t *p, size_t n)
{
    uint8_t *copy = malloc(n ? n : 1);

    if (copy == NULL)
        abort();
    if (n)
        memcpy(copy, p, n);
    LLVMFuzzerTestOneInput(copy, n);
    free(copy);
}

static void mutate(uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        run(p, i);
        p[i] ^= 0x80;
        run(p, n);
        p[i] ^= 0x81;
        run(p, n);
        p[i] ^= 0x01;
    }
}

static int replay(const char *dir, const char *name, uint8_t *buf)
{
    char path[4096];
    FILE *f;
    size_t n;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    f = fopen(path, "rb");
    if (f == NULL)
        return 1;
    n = fread(buf, 1, FILE_MAX, f);
    fclose(f);
    run(buf, n);
    if (n <= MUTATE_MAX)
        mutate(buf, n);
    return 0;
}

int main(int argc, char **argv)
{
    uint8_t *buf = malloc(FILE_MAX);
    DIR *d = argc == 2 ? opendir(argv[1]) : NULL;
    struct dirent *e;
    size_t files = 0;

    if (buf == NULL || d == NULL) {
        fprintf(stderr, "no corpus folder\n");
        return 1;
    }
    run(buf, 0);
    while ((e = readdir(d)) != NULL) {
        if (e->d_name[0] == '.')
            continue;
        if (replay(argv[1], e->d_name, buf) != 0)
            return 1;
        files++;
    }
    closedir(d);
    free(buf);
    printf("%zu corpus files replayed\n", files);
    return files == 0;
}
