/* From the tree to values: every node finds its row of the table, or is a fault. */
#include "run/config.h"

#include <stdarg.h>
#include <stdio.h>

#include "codec/text.h"
#include "run/config_int.h"

enum { NAME = CM_CONFIG_KEY_MAX * 2, SHOWN = 256 };

struct binding {
    struct cm_config *c;
    struct tree t;
    cm_config_faults *faults;
    size_t origins_max;
};

void cm_config_complain(cm_config_faults *f, cm_err e, unsigned line, unsigned column,
                        const char *key, const char *hint, const char *format, ...)
{
    cm_config_fault *at = &f->v[f->n];
    va_list args;

    if (f->n == CM_CONFIG_FAULTS)
        return;
    *at = (cm_config_fault){.err = e, .line = line, .column = column};
    snprintf(at->key, sizeof at->key, "%s", key ? key : "");
    snprintf(at->hint, sizeof at->hint, "%s", hint ? hint : "");
    va_start(args, format);
    vsnprintf(at->what, sizeof at->what, format, args);
    va_end(args);
    f->n++;
}

/* ---- names --------------------------------------------------------------------------------- */

/* "listeners[].certificates[].key" of a node, and its places in the lists above it. */
static bool name_of(const struct tree *t, const struct node *n, char name[NAME], size_t at[2])
{
    const struct node *chain[DEPTH_MAX + 2];
    size_t depth = 0, used = 0, lists = 0;

    for (; n->parent != NONE; n = &t->v[n->parent])
        chain[depth++] = n;
    at[0] = at[1] = 0;
    name[0] = 0;
    while (depth--) {
        const struct node *c = chain[depth];
        int w = c->key ? snprintf(name + used, NAME - used, "%s%s", used ? "." : "", c->key)
                       : snprintf(name + used, NAME - used, "[]");

        if (w < 0 || (size_t)w >= NAME - used)
            return false;
        used += (size_t)w;
        if (!c->key && lists < 2)
            at[lists++] = c->place;
    }
    return true;
}

static const struct key *find_key(const char *name)
{
    for (size_t i = 0; i < cm_config_keys_n; i++)
        if (strcmp(cm_config_keys[i].name, name) == 0)
            return &cm_config_keys[i];
    return NULL;
}

static const struct alias *find_alias(const char *name)
{
    for (size_t i = 0; i < cm_config_aliases_n; i++)
        if (strcmp(cm_config_aliases[i].name, name) == 0)
            return &cm_config_aliases[i];
    return NULL;
}

static const struct list *find_list(const char *name, size_t n)
{
    for (size_t i = 0; i < cm_config_lists_n; i++)
        if (cm_view_eq(cm_view_str(cm_config_lists[i].name), cm_view_of(name, n)))
            return &cm_config_lists[i];
    return NULL;
}

/* Whether keys stand below name. */
static bool is_section(const char *name)
{
    size_t n = strlen(name);

    if (n == 0)
        return true;
    for (size_t i = 0; i < cm_config_keys_n; i++)
        if (strncmp(cm_config_keys[i].name, name, n) == 0 && cm_config_keys[i].name[n] == '.')
            return true;
    for (size_t i = 0; i < cm_config_aliases_n; i++)
        if (strncmp(cm_config_aliases[i].name, name, n) == 0 && cm_config_aliases[i].name[n] == '.')
            return true;
    return false;
}

static bool is_list(const char *name)
{
    char text[NAME + 2];

    snprintf(text, sizeof text, "%s[]", name);
    return find_list(text, strlen(text)) != NULL;
}

/* ---- did you mean -------------------------------------------------------------------------- */

/* How many letters to insert, remove, replace or swap; 99 for what is long. */
static size_t distance(const char *a, size_t an, const char *b, size_t bn)
{
    size_t row[3][40];

    if (an >= 40 || bn >= 40)
        return 99;
    for (size_t i = 0; i <= an; i++)
        for (size_t j = 0; j <= bn; j++) {
            size_t *now = row[i % 3], *up = row[(i + 2) % 3], *up2 = row[(i + 1) % 3];
            size_t d;

            if (i == 0 || j == 0) {
                now[j] = i + j;
                continue;
            }
            d = CM_MIN(CM_MIN(up[j], now[j - 1]) + 1, up[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                d = CM_MIN(d, up2[j - 2] + 1);
            now[j] = d;
        }
    return row[an % 3][bn];
}

/* The name below a section that is nearest to what was written. */
static void suggest(char hint[SHOWN], const char *name)
{
    const char *dot = strrchr(name, '.'), *wrong = dot ? dot + 1 : name;
    size_t prefix = (size_t)(wrong - name), best = 2 + strlen(wrong) / 4;

    hint[0] = 0;
    for (size_t i = 0; i < cm_config_keys_n; i++) {
        const char *k = cm_config_keys[i].name;
        size_t n, d;

        if (strncmp(k, name, prefix) == 0) {
            n = strcspn(k + prefix, ".[");
            d = distance(wrong, strlen(wrong), k + prefix, n);
            if (d < best) {
                best = d;
                snprintf(hint, SHOWN, "did you mean `%.*s`?", (int)n, k + prefix);
            }
        }
        if (best > 0 && strrchr(k, '.') && strcmp(strrchr(k, '.') + 1, wrong) == 0) {
            best = 0;
            snprintf(hint, SHOWN, "did you mean `%.80s`?", k);
        }
    }
}

static void unknown(struct binding *b, struct node *n, const char *name)
{
    char hint[SHOWN];

    suggest(hint, name);
    n->skip = true;
    cm_config_complain(b->faults, CM_FAIL(CONFIG_KEY), n->key_line, n->key_column, name, hint,
                       "there is no such key");
}

/* ---- values -------------------------------------------------------------------------------- */

static const struct {
    const char *suffix;
    uint64_t ms;
} units[] = {{"d", 86400000}, {"h", 3600000}, {"ms", 1}, {"m", 60000}, {"s", 1000}};

static bool duration(uint64_t *out, const char *text)
{
    size_t digits = strspn(text, "0123456789");
    uint64_t n;

    if (cm_failed(cm_dec_u64(&n, cm_view_of(text, digits))))
        return false;
    for (size_t i = 0; i < CM_COUNT(units); i++)
        if (strcmp(text + digits, units[i].suffix) == 0)
            return cm_mul_u64(out, n, units[i].ms);
    return false;
}

static bool choice(uint64_t *out, const struct key *k, const char *text)
{
    for (size_t i = 0; k->choices[i]; i++)
        if (strcmp(k->choices[i], text) == 0) {
            *out = i;
            return true;
        }
    return false;
}

static void expect(char what[SHOWN], const struct key *k)
{
    char lo[SHOWN], hi[SHOWN];
    size_t n = 0;

    cm_config_show(lo, k, &k->min);
    cm_config_show(hi, k, &k->max);
    switch (k->type) {
    case KEY_TEXT:
    case KEY_PATH:
    case KEY_ADDRESS:
        snprintf(what, SHOWN, "takes %llu to %llu characters", (unsigned long long)k->min,
                 (unsigned long long)k->max);
        break;
    case KEY_BOOL:
        snprintf(what, SHOWN, "is true or false");
        break;
    case KEY_CHOICE:
        n = (size_t)snprintf(what, SHOWN, "is one of");
        for (size_t i = 0; k->choices[i] && n < SHOWN; i++)
            n += (size_t)snprintf(what + n, SHOWN - n, "%s %s", i ? "," : "", k->choices[i]);
        break;
    default:
        snprintf(what, SHOWN, "is a %s from %.40s to %.40s",
                 k->type == KEY_DURATION ? "time"
                 : k->type == KEY_SIZE   ? "size"
                                         : "number",
                 lo, hi);
    }
}

static bool number(uint64_t *out, const struct key *k, const char *text)
{
    bool ok = false;

    switch (k->type) {
    case KEY_NUMBER:
        ok = cm_ok(cm_dec_u64(out, cm_view_str(text)));
        break;
    case KEY_SIZE:
        ok = cm_ok(cm_dec_size(out, cm_view_str(text)));
        break;
    case KEY_DURATION:
        ok = duration(out, text);
        break;
    default:
        return choice(out, k, text);
    }
    return ok && *out >= k->min && *out <= k->max;
}

/* A path as seen from the configuration's folder. */
static cm_err absolute(struct cm_config *c, const char **out, const char *text)
{
    const char *slash = strrchr(c->path, '/');
    CM_AUTO(cm_buf_free) cm_buf b = {.max = 8192};

    if (text[0] != '/' && slash)
        CM_TRY(cm_buf_append(&b, cm_view_of(c->path, (size_t)(slash - c->path) + 1)));
    CM_TRY(cm_buf_append(&b, cm_view_str(text)));
    return cm_config_copy(&c->strings, out, cm_buf_view(&b));
}

static cm_err put_text(struct cm_config *c, const struct key *k, void *place, const char *text,
                       bool *ok)
{
    size_t n = strlen(text);

    *ok = n >= k->min && n <= k->max && cm_utf8_valid(cm_view_of(text, n));
    for (size_t i = 0; i < n; i++)
        if ((uint8_t)text[i] < 0x20 || text[i] == 0x7f)
            *ok = false;
    if (!*ok)
        return CM_OKAY;
    return k->type == KEY_PATH
               ? absolute(c, (const char **)place, text)
               : cm_config_copy(&c->strings, (const char **)place, cm_view_of(text, n));
}

static cm_err put_value(struct cm_config *c, const struct key *k, void *place, const char *text,
                        bool *ok)
{
    uint64_t n = 0;

    if (k->type == KEY_TEXT || k->type == KEY_PATH || k->type == KEY_ADDRESS)
        return put_text(c, k, place, text, ok);
    if (k->type == KEY_BOOL) {
        *ok = strcmp(text, "true") == 0 || strcmp(text, "false") == 0;
        *(bool *)place = strcmp(text, "true") == 0;
        return CM_OKAY;
    }
    *ok = number(&n, k, text);
    if (*ok)
        *(uint64_t *)place = n;
    return CM_OKAY;
}

void *cm_config_place(cm_config_values *v, const struct key *k, const size_t at[2])
{
    char *base = (char *)v;
    const char *end = k->name;

    for (size_t level = 0; (end = strstr(end, "[]")) != NULL; level++) {
        const struct list *l;

        end += 2;
        l = find_list(k->name, (size_t)(end - k->name));
        if (l)
            base += l->offset + at[level] * l->stride;
    }
    return base + k->offset;
}

size_t cm_config_count(const cm_config_values *v, const struct key *k, size_t level, size_t first)
{
    const char *base = (const char *)v, *end = k->name;

    for (size_t i = 0; (end = strstr(end, "[]")) != NULL; i++) {
        const struct list *l;

        end += 2;
        l = find_list(k->name, (size_t)(end - k->name));
        if (!l)
            break;
        if (i == level)
            return *(const size_t *)(const void *)(base + l->count_offset);
        base += l->offset + first * l->stride;
    }
    return 1;
}

/* ---- binding ------------------------------------------------------------------------------- */

static const struct origin *origin_of(const struct cm_config *c, size_t key, const size_t at[2])
{
    for (size_t i = 0; i < c->origins_n; i++)
        if (c->origins[i].key == key && c->origins[i].at[0] == at[0] &&
            c->origins[i].at[1] == at[1])
            return &c->origins[i];
    return NULL;
}

static cm_err set(struct binding *b, const struct node *n, const struct key *k, const size_t at[2],
                  const char *text)
{
    size_t index = (size_t)(k - cm_config_keys);
    char what[SHOWN];
    bool ok = false;

    if (origin_of(b->c, index, at)) {
        cm_config_complain(b->faults, CM_FAIL(CONFIG_KEY), n->key_line, n->key_column, k->name,
                           NULL, "was set already, under its other name");
        return CM_OKAY;
    }
    CM_TRY(put_value(b->c, k, cm_config_place(&b->c->v, k, at), text, &ok));
    if (!ok) {
        expect(what, k);
        cm_config_complain(b->faults, CM_FAIL(CONFIG_VALUE), n->line, n->column, k->name, NULL,
                           "%s", what);
    }
    b->c->origins[b->c->origins_n++] = (struct origin){
        .key = (uint16_t)index, .at = {(uint8_t)at[0], (uint8_t)at[1]}, .line = n->line};
    return CM_OKAY;
}

static bool among(const char *words, const char *text)
{
    return strcmp(words, text) == 0;
}

static cm_err set_alias(struct binding *b, const struct node *n, const struct alias *a)
{
    const size_t at[2] = {0, 0};
    char text[64];

    if (a->only) {
        if (!among(a->only, n->text))
            cm_config_complain(b->faults, CM_FAIL(CONFIG_VALUE), n->line, n->column, a->name,
                               a->doc, "can only be %s", a->only);
        return CM_OKAY;
    }
    snprintf(text, sizeof text, "%.40s%s", n->text, a->suffix);
    return set(b, n, find_key(a->key), at, text);
}

static cm_err bind_scalar(struct binding *b, struct node *n, const char *name, const size_t at[2])
{
    const struct key *k = find_key(name);
    const struct alias *a = find_alias(name);

    if (k && n->plain && n->text[0] == 0) {
        cm_config_complain(b->faults, CM_FAIL(CONFIG_VALUE), n->line, n->column, name, NULL,
                           "has no value");
        return CM_OKAY;
    }
    if (k)
        return set(b, n, k, at, n->text);
    if (a)
        return set_alias(b, n, a);
    if (is_section(name) || is_list(name))
        cm_config_complain(b->faults, CM_FAIL(CONFIG_VALUE), n->line, n->column, name, NULL,
                           "takes keys below it, not a value");
    else
        unknown(b, n, name);
    return CM_OKAY;
}

static void bind_container(struct binding *b, struct node *n, char name[NAME], const size_t at[2])
{
    size_t used = strlen(name);
    const struct list *l;

    if (n->kind == NODE_MAP) {
        if (is_section(name))
            return;
    } else if (used + 3 < NAME) {
        memcpy(name + used, "[]", 3);
        l = find_list(name, used + 2);
        name[used] = 0;
        if (l) {
            size_t count = n->last == NONE ? 0 : b->t.v[n->last].place + 1u;
            const struct key in = {.name = l->name, .offset = 0};
            char *place = (char *)cm_config_place(&b->c->v, &in, (const size_t[2]){at[0], 0});

            /* The element's own list starts where its first element would be. */
            *(size_t *)(void *)(place - l->offset + l->count_offset) = CM_MIN(count, l->max);
            if (count > l->max) {
                n->skip = true;
                cm_config_complain(b->faults, CM_FAIL(CONFIG_LIMIT), n->line, n->column, name, NULL,
                                   "takes at most %zu", l->max);
            }
            return;
        }
    }
    n->skip = true;
    if (find_key(name))
        cm_config_complain(b->faults, CM_FAIL(CONFIG_VALUE), n->line, n->column, name, NULL,
                           "takes one value");
    else
        unknown(b, n, name);
}

static cm_err bind(struct binding *b)
{
    char name[NAME];
    size_t at[2];

    for (size_t i = 1; i < b->t.n; i++) {
        struct node *n = &b->t.v[i];

        if (b->t.v[n->parent].skip) {
            n->skip = true;
            continue;
        }
        if (!name_of(&b->t, n, name, at)) {
            n->skip = true;
            cm_config_complain(b->faults, CM_FAIL(CONFIG_LIMIT), n->line, n->column, "", NULL,
                               "names longer than are read");
            continue;
        }
        if (n->kind == NODE_SCALAR)
            CM_TRY(bind_scalar(b, n, name, at));
        else
            bind_container(b, n, name, at);
    }
    return CM_OKAY;
}

/* ---- what was left out --------------------------------------------------------------------- */

static unsigned line_of(const struct tree *t, const struct key *k, const size_t at[2])
{
    const char *dot = strrchr(k->name, '.');
    size_t n = dot ? (size_t)(dot - k->name) : 0, where[2];
    char name[NAME];

    for (size_t i = 1; i < t->n; i++)
        if (name_of(t, &t->v[i], name, where) &&
            cm_view_eq(cm_view_str(name), cm_view_of(k->name, n)) && where[0] == at[0] &&
            where[1] == at[1])
            return t->v[i].line;
    return 1;
}

static cm_err fill(struct binding *b, const struct key *k, const size_t at[2])
{
    bool ok;

    if (origin_of(b->c, (size_t)(k - cm_config_keys), at))
        return CM_OKAY;
    if (k->standard)
        return put_value(b->c, k, cm_config_place(&b->c->v, k, at), k->standard, &ok);
    if (k->flags & KEY_REQUIRED)
        cm_config_complain(b->faults, CM_FAIL(CONFIG_VALUE), line_of(&b->t, k, at), 1, k->name,
                           NULL, "is missing");
    return CM_OKAY;
}

static cm_err fill_all(struct binding *b)
{
    for (size_t i = 0; i < cm_config_keys_n; i++) {
        const struct key *k = &cm_config_keys[i];
        size_t at[2] = {0, 0}, n = cm_config_count(&b->c->v, k, 0, 0);

        for (at[0] = 0; at[0] < n; at[0]++)
            for (at[1] = 0; at[1] < cm_config_count(&b->c->v, k, 1, at[0]); at[1]++)
                CM_TRY(fill(b, k, at));
    }
    return CM_OKAY;
}

/* ---- what does not go together ------------------------------------------------------------- */

static bool stays_here(const char *address)
{
    return strncmp(address, "unix:", 5) == 0 || strncmp(address, "127.", 4) == 0 ||
           strncmp(address, "[::1]:", 6) == 0 || strncmp(address, "localhost:", 10) == 0;
}

static void contradict(struct binding *b, const char *key, size_t at0, const char *what,
                       bool warning)
{
    const struct key *k = find_key(key);
    const size_t at[2] = {at0, 0};
    const struct origin *o = k ? origin_of(b->c, (size_t)(k - cm_config_keys), at) : NULL;

    cm_config_complain(b->faults, CM_FAIL(CONFIG_VALUE), o ? o->line : 1, 1, key, NULL, "%s", what);
    if (b->faults->n)
        b->faults->v[b->faults->n - 1].warning = warning;
}

static void check_listener(struct binding *b, size_t i)
{
    const cm_config_listener *l = &b->c->v.listeners[i];

    if (!l->address)
        return;
    if (l->tls == CM_CONFIG_TLS_OFF) {
        if (!stays_here(l->address))
            contradict(b, "listeners[].tls", i, "can be off on loopback and Unix sockets only",
                       false);
    } else if (l->certificates_n == 0)
        contradict(b, "listeners[].address", i, "has no certificate", false);
    if (l->tls == CM_CONFIG_TLS_LEGACY)
        contradict(b, "listeners[].tls", i,
                   "lets in clients whose traffic a quantum computer will read", true);
    if (l->client_certificates == CM_CONFIG_CLIENT_REQUIRED && !l->client_ca)
        contradict(b, "listeners[].client_certificates", i, "needs client_ca", false);
}

static void check_devices(struct binding *b)
{
    const cm_config_values *v = &b->c->v;

    if ((v->hsm.module != NULL) + (v->hsm.cloud != NULL) + (v->hsm.tpm != NULL) > 1)
        contradict(b, v->hsm.cloud ? "hsm.cloud" : "hsm.tpm", 0,
                   "and another kind of device can't both be used", false);
    if (v->hsm.wrapping && !v->hsm.module)
        contradict(b, "hsm.wrapping", 0, "is of a module", false);
    for (size_t i = 0; i < v->hsm.providers_n; i++) {
        const cm_config_provider *p = &v->hsm.providers[i];

        if (p->wrapping && !p->module)
            contradict(b, "hsm.providers[].wrapping", i, "is of a module", false);
        if ((p->module != NULL) + (p->cloud != NULL) + (p->tpm != NULL) != 1)
            contradict(b, "hsm.providers[].name", i, "has to have a module or a cloud, or a TPM",
                       false);
        for (size_t k = 0; k < i; k++)
            if (p->name && v->hsm.providers[k].name &&
                strcmp(p->name, v->hsm.providers[k].name) == 0)
                contradict(b, "hsm.providers[].name", i, "is there twice", false);
    }
}

static void check(struct binding *b)
{
    const cm_config_values *v = &b->c->v;

    if (v->store.sqlite && v->store.postgres)
        contradict(b, "store.postgres", 0, "and sqlite can't both be used", false);
    if (v->listeners_n == 0)
        contradict(b, "listeners", 0, "there is none", false);
    if (v->admin.metrics && !stays_here(v->admin.metrics))
        contradict(b, "admin.metrics", 0, "is cleartext and for loopback only", false);
    if (v->limits.handshakes > v->limits.connections)
        contradict(b, "limits.handshakes", 0, "is more than limits.connections", false);
    for (size_t i = 0; i < v->listeners_n; i++)
        check_listener(b, i);
    check_devices(b);
}

/* ---- all of it ----------------------------------------------------------------------------- */

static cm_err read_into(struct binding *b, cm_view text)
{
    CM_TRY(cm_config_tree(&b->t, text, b->faults));
    CM_TRY(cm_alloc_array(&b->c->origins, b->t.n, sizeof *b->c->origins));
    CM_TRY(bind(b));
    CM_TRY(fill_all(b));
    check(b);
    for (size_t i = 0; i < b->faults->n; i++)
        if (!b->faults->v[i].warning)
            return b->faults->v[i].err;
    return CM_OKAY;
}

cm_err cm_config_read(cm_config **out, cm_view text, const char *path, cm_config_faults *faults)
{
    CM_AUTO(cm_config_free_ptr) cm_config *c = NULL;
    struct binding b = {.faults = faults};
    cm_err e;

    faults->n = 0;
    CM_TRY(cm_alloc(&c, sizeof *c));
    CM_TRY(cm_strdup(&c->path, cm_view_str(path)));
    b.c = c;
    e = read_into(&b, text);
    cm_config_tree_free(&b.t);
    CM_TRY(e);
    *out = c;
    c = NULL;
    return CM_OKAY;
}

void cm_config_free(cm_config *c)
{
    struct tree strings = {0};

    if (!c)
        return;
    strings.strings = c->strings;
    cm_config_tree_free(&strings);
    cm_free(c->origins);
    cm_free(c->path);
    cm_free(c);
}

void cm_config_free_ptr(cm_config **c)
{
    cm_config_free(*c);
    *c = NULL;
}

const cm_config_values *cm_config_of(const cm_config *c)
{
    return &c->v;
}
