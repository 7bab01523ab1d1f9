/* mapper PATH: what a program that loads models does with {} of `casemate exec`: open by path, map,
 * use. Writes the bytes to stdout, and fails if the file could be changed. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int unchangeable(const char *path)
{
    int fd = open(path, O_RDWR);
    int same = fd < 0 || (write(fd, "x", 1) < 0 && ftruncate(fd, 0) < 0 &&
                          mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);

    if (fd >= 0)
        close(fd);
    return same;
}

int main(int argc, char **argv)
{
    int fd = argc == 2 ? open(argv[1], O_RDONLY) : -1;
    struct stat st;
    void *p;

    if (fd < 0 || fstat(fd, &st) != 0 || st.st_size == 0)
        return 2;
    p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED || !unchangeable(argv[1]))
        return 3;
    return fwrite(p, 1, (size_t)st.st_size, stdout) == (size_t)st.st_size ? 0 : 4;
}
