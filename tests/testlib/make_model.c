/*
 * make-model [--sparse] safetensors|gguf|dir PATH SIZE [SEED]
 *
 * A model of SIZE bytes (K, M, G and T are binary) with the tensors that a transformer of that size
 * would have, among them some of 16 MiB when it is large enough. The weights are pseudo-random;
 * with --sparse there are none, so that a file of any size is made at once. A directory has shards,
 * their index, a configuration and a tokenizer, and is about SIZE bytes.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK = 1 << 20, ALIGN = 32, SHARDS_MAX = 99999, NAME = 96, VOCAB = 32000 };

struct tensor {
    char name[NAME];
    const char *dtype; /* of safetensors */
    uint32_t type;     /* of GGUF */
    uint64_t shape[2], size;
    unsigned dims;
};

struct model {
    struct tensor *v;
    size_t n, cap;
    uint64_t layer; /* the next one's number */
    uint64_t seed;
    bool gguf, sparse;
};

/* Growing text or bytes. */
struct out {
    char *p;
    size_t n, cap;
};

_Noreturn static void die(const char *what, const char *why)
{
    fprintf(stderr, "make-model: %s: %s\n", what, why);
    exit(1);
}

static void *must(void *p)
{
    if (p == NULL)
        die("memory", "none left");
    return p;
}

/* ---- bytes -------------------------------------------------------------------------------- */

static void put(struct out *o, const void *p, size_t n)
{
    if (o->cap - o->n < n) {
        o->cap = 2 * (o->cap + n);
        o->p = must(realloc(o->p, o->cap));
    }
    memcpy(o->p + o->n, p, n);
    o->n += n;
}

__attribute__((format(printf, 2, 3))) static void text(struct out *o, const char *format, ...)
{
    char line[512];
    va_list a;
    int n;

    va_start(a, format);
    n = vsnprintf(line, sizeof line, format, a);
    va_end(a);
    if (n < 0 || (size_t)n >= sizeof line)
        die("text", "too long");
    put(o, line, (size_t)n);
}

static void put32(struct out *o, uint32_t v)
{
    put(o, &v, sizeof v);
}

static void put64(struct out *o, uint64_t v)
{
    put(o, &v, sizeof v);
}

static void put_string(struct out *o, const char *s)
{
    put64(o, strlen(s));
    put(o, s, strlen(s));
}

static void pad(struct out *o, char with, size_t to)
{
    while (o->n < to)
        put(o, &with, 1);
}

static void write_all(int fd, const void *p, size_t n, const char *path)
{
    const char *at = p;

    while (n > 0) {
        ssize_t done = write(fd, at, n);

        if (done < 0 && errno != EINTR)
            die(path, strerror(errno));
        if (done > 0) {
            at += done;
            n -= (size_t)done;
        }
    }
}

/* xoshiro256+, started anew for each chunk so that any part could be made alone. */
static void fill(uint64_t *p, uint64_t seed)
{
    uint64_t s[4];

    for (int i = 0; i < 4; i++) {
        uint64_t z = seed += 0x9e3779b97f4a7c15u;

        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
        z = (z ^ z >> 27) * 0x94d049bb133111ebu;
        s[i] = z ^ z >> 31;
    }
    for (size_t i = 0; i < CHUNK / sizeof *p; i++) {
        uint64_t t = s[1] << 17;

        p[i] = s[0] + s[3];
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3] << 45 | s[3] >> 19;
    }
}

static int create(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    if (fd < 0)
        die(path, strerror(errno));
    return fd;
}

/* A header and weights up to size. */
static void write_file(const struct model *m, const char *path, const struct out *head,
                       uint64_t size, uint64_t salt)
{
    uint64_t *chunk = must(malloc(CHUNK)), left = size - head->n;
    int fd = create(path);

    write_all(fd, head->p, head->n, path);
    if (m->sparse) {
        if (ftruncate(fd, (off_t)size) != 0)
            die(path, strerror(errno));
        left = 0;
    }
    for (uint64_t i = 0; left > 0; i++) {
        size_t n = left < CHUNK ? (size_t)left : CHUNK;

        fill(chunk, m->seed * 0x100000001b3u + (salt << 40) + i);
        write_all(fd, chunk, n, path);
        left -= n;
    }
    if (close(fd) != 0)
        die(path, strerror(errno));
    free(chunk);
}

static void write_text(const char *path, const struct out *o, mode_t mode)
{
    int fd = create(path);

    write_all(fd, o->p, o->n, path);
    if (fchmod(fd, mode) != 0 || close(fd) != 0)
        die(path, strerror(errno));
}

/* ---- tensors ------------------------------------------------------------------------------ */

struct kind {
    const char *dtype;
    uint32_t type;
    uint64_t block, bytes;
};
static const struct kind f32 = {"F32", 0, 1, 4}, bf16 = {"BF16", 1, 1, 2},
                         q4_k = {"", 12, 256, 144}, q6_k = {"", 14, 256, 210},
                         filler = {"U8", 24, 1, 1};

/* Room in the file is taken in multiples of ALIGN, as GGUF wants it. */
static uint64_t room(const struct model *m, uint64_t size)
{
    return m->gguf ? (size + ALIGN - 1) / ALIGN * ALIGN : size;
}

/* False when left is too small for it; otherwise the tensor is taken from left. */
__attribute__((format(printf, 6, 7))) static bool add(struct model *m, uint64_t *left,
                                                      struct kind k, uint64_t rows, uint64_t cols,
                                                      const char *name, ...)
{
    struct tensor t = {.dtype = k.dtype, .type = k.type, .dims = rows ? 2 : 1};
    va_list a;

    t.size = (rows ? rows : 1) * (cols / k.block) * k.bytes;
    t.shape[0] = rows ? rows : cols;
    t.shape[1] = rows ? cols : 0;
    if (room(m, t.size) > *left)
        return false;
    va_start(a, name);
    vsnprintf(t.name, sizeof t.name, name, a);
    va_end(a);
    if (m->n == m->cap) {
        m->cap = 2 * m->cap + 64;
        m->v = must(realloc(m->v, m->cap * sizeof *m->v));
    }
    m->v[m->n++] = t;
    *left -= room(m, t.size);
    return true;
}

static bool layer_gguf(struct model *m, uint64_t *left, uint64_t h)
{
    unsigned long long i = m->layer++;

    return add(m, left, f32, 0, h, "blk.%llu.attn_norm.weight", i) &&
           add(m, left, q4_k, h, h, "blk.%llu.attn_q.weight", i) &&
           add(m, left, q4_k, h / 2, h, "blk.%llu.attn_k.weight", i) &&
           add(m, left, q6_k, h / 2, h, "blk.%llu.attn_v.weight", i) &&
           add(m, left, q4_k, h, h, "blk.%llu.attn_output.weight", i) &&
           add(m, left, f32, 0, h, "blk.%llu.ffn_norm.weight", i) &&
           add(m, left, q4_k, 3 * h, h, "blk.%llu.ffn_gate.weight", i) &&
           add(m, left, q4_k, 3 * h, h, "blk.%llu.ffn_up.weight", i) &&
           add(m, left, q6_k, h, 3 * h, "blk.%llu.ffn_down.weight", i);
}

static bool layer_safetensors(struct model *m, uint64_t *left, uint64_t h)
{
    unsigned long long i = m->layer++;

    return add(m, left, bf16, 0, h, "model.layers.%llu.input_layernorm.weight", i) &&
           add(m, left, bf16, h, h, "model.layers.%llu.self_attn.q_proj.weight", i) &&
           add(m, left, bf16, h / 2, h, "model.layers.%llu.self_attn.k_proj.weight", i) &&
           add(m, left, bf16, h / 2, h, "model.layers.%llu.self_attn.v_proj.weight", i) &&
           add(m, left, bf16, h, h, "model.layers.%llu.self_attn.o_proj.weight", i) &&
           add(m, left, bf16, 0, h, "model.layers.%llu.post_attention_layernorm.weight", i) &&
           add(m, left, bf16, 3 * h, h, "model.layers.%llu.mlp.gate_proj.weight", i) &&
           add(m, left, bf16, 3 * h, h, "model.layers.%llu.mlp.up_proj.weight", i) &&
           add(m, left, bf16, h, 3 * h, "model.layers.%llu.mlp.down_proj.weight", i);
}

/* As many layers as go into size, the width chosen so that there are some. Width 4096 makes the
 * key and value projections of a safetensors model 16 MiB. */
static void add_layers(struct model *m, uint64_t size)
{
    uint64_t h = 4096, left = size, least = m->gguf ? 256 : 32;

    while (h > least && 24 * h * h * (m->gguf ? 1 : 3) / 3 > size / 2)
        h /= 2;
    if (m->layer == 0)
        add(m, &left, m->gguf ? q4_k : bf16, 4 * h, h,
            m->gguf ? "token_embd.weight" : "model.embed_tokens.weight");
    while (m->gguf ? layer_gguf(m, &left, h) : layer_safetensors(m, &left, h))
        continue;
    add(m, &left, m->gguf ? f32 : bf16, 0, h,
        m->gguf ? "output_norm.weight" : "model.norm.%llu.weight", (unsigned long long)m->layer);
}

/* ---- formats ------------------------------------------------------------------------------ */

static void head_safetensors(struct out *o, const struct model *m)
{
    uint64_t at = 0;

    put64(o, 0);
    text(o, "{\"__metadata__\":{\"format\":\"pt\"}");
    for (size_t i = 0; i < m->n; i++) {
        const struct tensor *t = &m->v[i];

        text(o, ",\"%s\":{\"dtype\":\"%s\",\"shape\":[%llu", t->name, t->dtype,
             (unsigned long long)t->shape[0]);
        if (t->dims == 2)
            text(o, ",%llu", (unsigned long long)t->shape[1]);
        text(o, "],\"data_offsets\":[%llu,%llu]}", (unsigned long long)at,
             (unsigned long long)(at + t->size));
        at += t->size;
    }
    text(o, "}");
    pad(o, ' ', (o->n + 7) / 8 * 8);
}

static void put_tokens(struct out *o, unsigned n)
{
    put_string(o, "tokenizer.ggml.tokens");
    put32(o, 9);
    put32(o, 8);
    put64(o, n);
    for (unsigned i = 0; i < n; i++) {
        char token[16];

        snprintf(token, sizeof token, "<%x>", i * 2654435761u);
        put_string(o, token);
    }
}

static void head_gguf(struct out *o, const struct model *m, uint64_t size)
{
    uint64_t at = 0;

    put(o, "GGUF", 4);
    put32(o, 3);
    put64(o, m->n);
    put64(o, 4);
    put_string(o, "general.architecture");
    put32(o, 8);
    put_string(o, "llama");
    put_string(o, "general.alignment");
    put32(o, 4);
    put32(o, ALIGN);
    put_string(o, "llama.rope.freq_base");
    put32(o, 6);
    put(o, &(float){500000.0f}, 4);
    put_tokens(o, size < 64u << 20 ? 16 : VOCAB);
    for (size_t i = 0; i < m->n; i++) {
        const struct tensor *t = &m->v[i];

        put_string(o, t->name);
        put32(o, t->dims);
        if (t->dims == 2)
            put64(o, t->shape[1]);
        put64(o, t->shape[0]);
        put32(o, t->type);
        put64(o, at);
        at += room(m, t->size);
    }
    pad(o, 0, (o->n + ALIGN - 1) / ALIGN * ALIGN);
}

static void head_of(struct out *o, const struct model *m, uint64_t size)
{
    o->n = 0;
    if (m->gguf)
        head_gguf(o, m, size);
    else
        head_safetensors(o, m);
}

/* One file of exactly size bytes: layers, and bytes that fill it up. */
static void make_file(struct model *m, const char *path, uint64_t size, uint64_t salt)
{
    struct out head = {0};
    uint64_t left, used = 0;

    m->n = 0;
    add_layers(m, size - size / 16 - 4096);
    for (size_t i = 0; i < m->n; i++)
        used += room(m, m->v[i].size);
    left = size;
    if (!add(m, &left, filler, 0, 1, "filler.%llu", (unsigned long long)salt))
        die(path, "too small");
    for (int i = 0; i < 3; i++) { /* the header grows with the number it holds */
        head_of(&head, m, size);
        if (head.n + used + 1 > size)
            die(path, "too small for a model");
        m->v[m->n - 1].size = m->v[m->n - 1].shape[0] = size - head.n - used;
    }
    head_of(&head, m, size);
    if (head.n + used + m->v[m->n - 1].size != size)
        die(path, "does not come out even; choose another size");
    if (!m->gguf)
        memcpy(head.p, &(uint64_t){head.n - 8}, 8);
    write_file(m, path, &head, size, salt);
    free(head.p);
}

static void in_dir(char *out, size_t n, const char *dir, const char *name)
{
    if ((size_t)snprintf(out, n, "%s/%s", dir, name) >= n)
        die(dir, "path too long");
}

static void small_files(const char *dir, const struct out *index)
{
    char path[4096];
    struct out o = {0};

    text(&o, "{\"architectures\":[\"LlamaForCausalLM\"],\"model_type\":\"llama\"}\n");
    in_dir(path, sizeof path, dir, "config.json");
    write_text(path, &o, 0644);
    o.n = 0;
    text(&o, "{\"version\":\"1.0\",\"model\":{\"type\":\"BPE\",\"vocab\":{");
    for (unsigned i = 0; i < 2000; i++)
        text(&o, "%s\"t%x\":%u", i ? "," : "", i * 2654435761u, i);
    text(&o, "},\"merges\":[]}}\n");
    in_dir(path, sizeof path, dir, "tokenizer.json");
    write_text(path, &o, 0644);
    o.n = 0;
    text(&o, "#!/bin/sh\necho \"$1\"\n");
    in_dir(path, sizeof path, dir, "tools/show");
    write_text(path, &o, 0755);
    in_dir(path, sizeof path, dir, "model.safetensors.index.json");
    write_text(path, index, 0644);
    free(o.p);
}

static void make_dir(const char *path)
{
    if (mkdir(path, 0755) != 0 && errno != EEXIST)
        die(path, strerror(errno));
}

static void make_folder(struct model *m, const char *dir, uint64_t size)
{
    uint64_t shards = size / ((uint64_t)2 << 30) + 2;
    struct out index = {0};
    char path[4096], name[64];

    if (shards > SHARDS_MAX)
        die(dir, "too large for a directory");
    make_dir(dir);
    in_dir(path, sizeof path, dir, "tools");
    make_dir(path);
    text(&index, "{\"metadata\":{\"total_size\":%llu},\"weight_map\":{", (unsigned long long)size);
    for (uint64_t i = 1; i <= shards; i++) {
        snprintf(name, sizeof name, "model-%05llu-of-%05llu.safetensors", (unsigned long long)i,
                 (unsigned long long)shards);
        in_dir(path, sizeof path, dir, name);
        make_file(m, path, size / shards, i);
        for (size_t t = 0; t < m->n; t++)
            text(&index, "%s\"%s\":\"%s\"", i == 1 && t == 0 ? "" : ",", m->v[t].name, name);
    }
    text(&index, "}}\n");
    small_files(dir, &index);
    free(index.p);
}

static uint64_t parse_size(const char *s)
{
    static const char suffixes[] = "KMGT";
    char *end;
    const char *suffix;
    unsigned long long v;

    errno = 0;
    v = strtoull(s, &end, 10);
    suffix = *end ? strchr(suffixes, *end) : NULL;
    if (errno || end == s || (*end && (suffix == NULL || end[1])))
        die(s, "not a size");
    if (suffix)
        v <<= 10 * (suffix - suffixes + 1);
    if (v < 64 << 10 || v > (uint64_t)1 << 50)
        die(s, "from 64K to 1024T");
    return v;
}

int main(int argc, char **argv)
{
    struct model m = {0};
    uint64_t size;

    if (argc > 1 && strcmp(argv[1], "--sparse") == 0) {
        m.sparse = true;
        argc--;
        argv++;
    }
    if (argc != 4 && argc != 5)
        die("usage", "make-model [--sparse] safetensors|gguf|dir PATH SIZE [SEED]");
    size = parse_size(argv[3]);
    m.seed = argc == 5 ? strtoull(argv[4], NULL, 10) : 1;
    m.gguf = strcmp(argv[1], "gguf") == 0;
    if (strcmp(argv[1], "dir") == 0)
        make_folder(&m, argv[2], size);
    else if (m.gguf || strcmp(argv[1], "safetensors") == 0)
        make_file(&m, argv[2], size, 0);
    else
        die(argv[1], "safetensors, gguf or dir");
    free(m.v);
    return 0;
}
