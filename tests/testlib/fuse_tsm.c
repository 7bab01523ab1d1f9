/* A stand-in for Linux configfs-tsm, as a file system in user space: real system calls, a recorded
 * or a minted report. fuse-tsm PROVIDER REPORT OFFSET RACES MOUNTPOINT [FUSE OPTION...]
 *
 * The report is REPORT with the data written at OFFSET, so its signature holds only for the data
 * that it was recorded with. With OFFSET "made", REPORT is a folder whose program `make` signs a
 * report over the data (made.h): evidence.bin, and the table of certificates auxblob.bin. The first
 * RACES reports are disturbed: a second writer's count shows behind them, and of minted ones his
 * data in them. provider "none": no driver stands behind it. */
#define FUSE_USE_VERSION 31
#include <errno.h>
#include <fuse.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "made.h"

enum { REPORT_MAX = 65536, DATA = 64, TEXT = 64 };

static const char *const attributes[] = {"/inblob", "/generation", "/outblob", "/provider",
                                         "/auxblob"};

/* One entry at a time will do. */
static struct {
    const char *provider, *folder; /* folder: of minted ones */
    unsigned char report[REPORT_MAX], table[REPORT_MAX], data[DATA];
    size_t n, table_n, data_n, at, races;
    char entry[256];
    unsigned long generation, made; /* made: for which generation the report is */
    bool there;
} s;

static bool is_entry(const char *path)
{
    return s.there && strcmp(path, s.entry) == 0;
}

/* Which attribute of the entry; -1 for none. */
static int attribute(const char *path)
{
    size_t n = strlen(s.entry);

    if (!s.there || strncmp(path, s.entry, n) != 0)
        return -1;
    for (size_t i = 0; i < sizeof attributes / sizeof *attributes; i++)
        if (strcmp(path + n, attributes[i]) == 0)
            return (int)i;
    return -1;
}

static int tsm_getattr(const char *path, struct stat *st, struct fuse_file_info *fi)
{
    int which = attribute(path);

    (void)fi;
    memset(st, 0, sizeof *st);
    if (strcmp(path, "/") == 0 || is_entry(path)) {
        st->st_mode = S_IFDIR | 0755;
        st->st_nlink = 2;
        return 0;
    }
    st->st_mode = S_IFREG | (which == 0 ? 0200 : 0400);
    st->st_nlink = 1;
    return which < 0 ? -ENOENT : 0;
}

static int tsm_mkdir(const char *path, mode_t mode)
{
    (void)mode;
    if (strcmp(s.provider, "none") == 0)
        return -ENXIO;
    if (s.there)
        return -EBUSY;
    if (strlen(path) >= sizeof s.entry)
        return -ENAMETOOLONG;
    memcpy(s.entry, path, strlen(path) + 1);
    s.there = true;
    s.generation = s.made = 0;
    return 0;
}

static int tsm_rmdir(const char *path)
{
    if (!is_entry(path))
        return -ENOENT;
    s.there = false;
    return 0;
}

/* An entry that was left behind would be seen here. */
static int tsm_readdir(const char *path, void *buf, fuse_fill_dir_t fill, off_t offset,
                       struct fuse_file_info *fi, enum fuse_readdir_flags flags)
{
    (void)offset;
    (void)fi;
    (void)flags;
    if (strcmp(path, "/") == 0 && s.there)
        (void)fill(buf, s.entry + 1, NULL, 0, 0);
    return 0;
}

/* Sizes are not known before, as in the kernel: no cache between reader and answer. */
static int tsm_open(const char *path, struct fuse_file_info *fi)
{
    fi->direct_io = 1;
    return attribute(path) < 0 ? -ENOENT : 0;
}

static int tsm_write(const char *path, const char *buf, size_t n, off_t offset,
                     struct fuse_file_info *fi)
{
    (void)fi;
    if (attribute(path) != 0 || offset != 0 || n > DATA)
        return -EINVAL;
    memcpy(s.data, buf, n);
    s.data_n = n;
    s.generation++;
    return (int)n;
}

/* As the kernel does: when it is read, once for what was written last. */
static int report(void)
{
    if (s.made == s.generation)
        return s.generation ? 0 : -EINVAL;
    if (!s.folder) {
        memset(s.report + s.at, 0, DATA);
        memcpy(s.report + s.at, s.data, s.data_n);
    } else {
        if (!made_run(s.folder, s.data, s.data_n))
            return -EIO;
        s.n = made_read(s.report, sizeof s.report, s.folder, "evidence.bin");
        s.table_n = made_read(s.table, sizeof s.table, s.folder, "auxblob.bin");
    }
    s.made = s.generation;
    return 0;
}

/* Another writes to the entry between the write and the read that belong together. */
static void disturb(void)
{
    s.races--;
    s.generation++;
    if (s.folder)
        s.data[0] ^= 1;
}

static int give(char *buf, size_t n, off_t offset, const void *from, size_t size)
{
    size_t at = (size_t)offset;

    if (offset < 0 || at >= size)
        return 0;
    n = n < size - at ? n : size - at;
    memcpy(buf, (const char *)from + at, n);
    return (int)n;
}

static int tsm_read(const char *path, char *buf, size_t n, off_t offset, struct fuse_file_info *fi)
{
    char text[TEXT];
    int e;

    (void)fi;
    switch (attribute(path)) {
    case 1:
        (void)snprintf(text, sizeof text, "%lu\n", s.generation);
        return give(buf, n, offset, text, strlen(text));
    case 2:
        if (offset == 0 && s.races)
            disturb();
        e = report();
        return e ? e : give(buf, n, offset, s.report, s.n);
    case 3:
        (void)snprintf(text, sizeof text, "%s\n", s.provider);
        return give(buf, n, offset, text, strlen(text));
    case 4:
        e = report();
        return e ? e : give(buf, n, offset, s.table, s.table_n);
    default:
        return -EINVAL;
    }
}

static bool load(const char *path, const char *offset)
{
    FILE *f;

    if (strcmp(offset, "made") == 0) {
        s.folder = path;
        return made_here(path);
    }
    f = fopen(path, "rb");
    s.n = f ? fread(s.report, 1, sizeof s.report, f) : 0;
    s.at = strtoul(offset, NULL, 10);
    return f && fclose(f) == 0 && s.at + DATA <= s.n;
}

int main(int argc, char **argv)
{
    static const struct fuse_operations ops = {.getattr = tsm_getattr,
                                               .mkdir = tsm_mkdir,
                                               .rmdir = tsm_rmdir,
                                               .readdir = tsm_readdir,
                                               .open = tsm_open,
                                               .write = tsm_write,
                                               .read = tsm_read};

    if (argc < 6) {
        fprintf(stderr, "fuse-tsm PROVIDER REPORT OFFSET RACES MOUNTPOINT [FUSE OPTION...]\n");
        return 2;
    }
    s.provider = argv[1];
    s.races = strtoul(argv[4], NULL, 10);
    if (!load(argv[2], argv[3])) {
        fprintf(stderr, "fuse-tsm: %s has no room for the data, or no program\n", argv[2]);
        return 2;
    }
    argv[4] = argv[0];
    return fuse_main(argc - 4, argv + 4, &ops, NULL);
}
