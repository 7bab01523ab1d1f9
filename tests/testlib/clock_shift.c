/* LD_PRELOAD: the wall clock goes CASEMATE_SHIFT_S seconds ahead. Clocks that measure stay. */
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *t)
{
    const char *shift = getenv("CASEMATE_SHIFT_S");
    int bad = (int)syscall(SYS_clock_gettime, clock, t);

    if (bad == 0 && clock == CLOCK_REALTIME && shift)
        t->tv_sec += atol(shift);
    return bad;
}
