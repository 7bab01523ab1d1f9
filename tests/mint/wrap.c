/* Linked with --wrap=cm_roots_pinned, this makes a program that accepts minted evidence beside the
 * vendors'. No source of a release names what is here, and no option of the build puts it into
 * what is installed. */
#include <pthread.h>
#include <string.h>

#include "mint.h"

enum { ROOTS_MAX = 64 };

cm_roots __real_cm_roots_pinned(void);
cm_roots __wrap_cm_roots_pinned(void);

static cm_root all[ROOTS_MAX];
static size_t n_all;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void add(cm_roots r)
{
    for (size_t i = 0; i < r.n && n_all < ROOTS_MAX; i++)
        memcpy(&all[n_all++], &r.v[i], sizeof all[0]);
}

static void join(void)
{
    add(__real_cm_roots_pinned());
    add(mint_roots());
}

cm_roots __wrap_cm_roots_pinned(void)
{
    (void)pthread_once(&once, join);
    return (cm_roots){all, n_all};
}
