#include "enclave/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/os.h"
#include "codec/text.h"

enum { SELF_MAX = 1 << 16, TRIES = 64, TEXT = 32 };

static bool write_text(const char *folder, const char *name, const char *text)
{
    char path[CM_CGROUP_PATH + 64];
    CM_AUTO(cm_os_close_fd) int fd = -1;

    if ((size_t)snprintf(path, sizeof path, "%s/%s", folder, name) >= sizeof path)
        return false;
    fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd >= 0 && cm_ok(cm_os_write(fd, text, strlen(text)));
}

static bool write_number(const char *folder, const char *name, uint64_t v)
{
    char text[TEXT];

    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)v);
    return write_text(folder, name, text);
}

static bool has(const char *folder, const char *name)
{
    char path[CM_CGROUP_PATH + 64];

    return (size_t)snprintf(path, sizeof path, "%s/%s", folder, name) < sizeof path &&
           cm_os_exists(path);
}

static void remove_one(char folder[CM_CGROUP_PATH])
{
    if (folder[0])
        (void)rmdir(folder);
    folder[0] = 0;
}

/* A new folder below above; its name is this process's and a number. */
static bool make_below(char out[CM_CGROUP_PATH], const char *above)
{
    for (unsigned i = 0; i < TRIES; i++) {
        int n = snprintf(out, CM_CGROUP_PATH, "%s/casemate-enclave-%d-%u", above, (int)getpid(), i);

        if (n < 0 || n >= CM_CGROUP_PATH)
            break;
        if (mkdir(out, 0755) == 0)
            return true;
        if (errno != EEXIST)
            break;
    }
    out[0] = 0;
    return false;
}

/* The folder of a hierarchy that this process is in: LINE of /proc/self/cgroup is ID:NAMES:PATH. */
static bool own_path(char out[CM_CGROUP_PATH], cm_view self, const char *names, const char *root)
{
    while (self.n) {
        const uint8_t *end = memchr(self.p, '\n', self.n);
        size_t n = end ? (size_t)(end - self.p) : self.n;
        const uint8_t *first = memchr(self.p, ':', n), *second;
        size_t rest;

        if (!first)
            return false;
        rest = n - (size_t)(first + 1 - self.p);
        second = memchr(first + 1, ':', rest);
        if (second &&
            cm_view_eq(cm_view_of(first + 1, (size_t)(second - first - 1)), cm_view_str(names))) {
            int len = (int)(n - (size_t)(second + 1 - self.p));
            int w = snprintf(out, CM_CGROUP_PATH, "%s%.*s", root, len, (const char *)second + 1);

            return w > 0 && w < CM_CGROUP_PATH;
        }
        n += end ? 1 : 0;
        self = cm_view_sub(self, n, self.n - n);
    }
    return false;
}

/* ---- version 2 ----------------------------------------------------------------------------- */

/* EN-25 */
static bool fill_v2(cm_cgroup *g, uint64_t memory)
{
    if (!write_number(g->memory, "memory.max", memory))
        return false;
    g->no_swap = write_text(g->memory, "memory.swap.max", "0");
    (void)write_text(g->memory, "memory.oom.group", "1");
    (void)write_number(g->memory, "pids.max", CM_CGROUP_TASKS);
    return true;
}

static bool make_v2(cm_cgroup *g, const char *above, uint64_t memory)
{
    if (!has(above, "cgroup.controllers"))
        return false;
    (void)write_text(above, "cgroup.subtree_control", "+memory +pids");
    if (!make_below(g->memory, above))
        return false;
    if (fill_v2(g, memory)) {
        (void)snprintf(g->pids, sizeof g->pids, "%s", g->memory);
        return true;
    }
    remove_one(g->memory);
    return false;
}

/* ---- version 1 ----------------------------------------------------------------------------- */

static bool make_v1(cm_cgroup *g, const char *root, cm_view self, uint64_t memory)
{
    char base[CM_CGROUP_PATH], above[CM_CGROUP_PATH];

    (void)snprintf(base, sizeof base, "%.400s/memory", root);
    if (!own_path(above, self, "memory", base) || !has(above, "memory.limit_in_bytes") ||
        !make_below(g->memory, above))
        return false;
    if (!write_number(g->memory, "memory.limit_in_bytes", memory)) {
        remove_one(g->memory);
        return false;
    }
    g->no_swap = write_number(g->memory, "memory.memsw.limit_in_bytes", memory) ||
                 write_number(g->memory, "memory.swappiness", 0);
    (void)snprintf(base, sizeof base, "%.400s/pids", root);
    if (own_path(above, self, "pids", base) && has(above, "cgroup.procs") &&
        make_below(g->pids, above))
        (void)write_number(g->pids, "pids.max", CM_CGROUP_TASKS);
    return true;
}

bool cm_cgroup_make(cm_cgroup *g, const char *root, const char *self, uint64_t memory)
{
    CM_AUTO(cm_buf_free) cm_buf text = {.max = SELF_MAX};
    char above[CM_CGROUP_PATH];

    *g = (cm_cgroup){.no_swap = false};
    if (cm_failed(cm_os_slurp(&text, self, SELF_MAX - 1)))
        return false;
    return (own_path(above, cm_buf_view(&text), "", root) && make_v2(g, above, memory)) ||
           make_v2(g, root, memory) || make_v1(g, root, cm_buf_view(&text), memory);
}

bool cm_cgroup_add(const cm_cgroup *g, pid_t pid)
{
    bool ok = g->memory[0] && write_number(g->memory, "cgroup.procs", (uint64_t)pid);

    if (ok && g->pids[0] && strcmp(g->pids, g->memory) != 0)
        (void)write_number(g->pids, "cgroup.procs", (uint64_t)pid);
    return ok;
}

uint64_t cm_cgroup_peak(const cm_cgroup *g)
{
    static const char *const names[] = {"memory.peak", "memory.max_usage_in_bytes"};
    uint64_t v = 0;

    for (size_t i = 0; g->memory[0] && i < CM_COUNT(names); i++) {
        CM_AUTO(cm_buf_free) cm_buf b = {.max = TEXT};
        char path[CM_CGROUP_PATH + 64];

        (void)snprintf(path, sizeof path, "%s/%s", g->memory, names[i]);
        if (cm_ok(cm_os_slurp(&b, path, TEXT - 1)) && b.n > 1 &&
            cm_ok(cm_dec_u64(&v, cm_view_of(b.p, b.n - 1))))
            return v;
    }
    return 0;
}

void cm_cgroup_remove(cm_cgroup *g)
{
    if (strcmp(g->pids, g->memory) != 0)
        remove_one(g->pids);
    remove_one(g->memory);
    g->pids[0] = 0;
}
