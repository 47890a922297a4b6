/* Skips sockperf's hard-coded sleep(2) between warm-up and test, and nothing else.
 *
 * sockperf 3.7 spends 2.0 s of a 3.2 s run there. The first sleep of exactly two seconds in a process returns at
 * once; every other sleep is the real one. Nothing is ever written.
 */

#include <dlfcn.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

enum { SKIPPED_S = 2 };

static unsigned sleep_ourselves(unsigned seconds)
{
    struct timespec left = {.tv_sec = (time_t)seconds};
    return nanosleep(&left, &left) == 0 ? 0 : (unsigned)(left.tv_sec + (left.tv_nsec >= 500000000L));
}

__attribute__((visibility("default"))) unsigned sleep(unsigned seconds)
{
    static atomic_flag skipped = ATOMIC_FLAG_INIT;
    if (seconds == SKIPPED_S && !atomic_flag_test_and_set(&skipped))
        return 0;
    unsigned (*next)(unsigned) = (unsigned (*)(unsigned))dlsym(RTLD_NEXT, "sleep");
    return next ? next(seconds) : sleep_ourselves(seconds);
}
