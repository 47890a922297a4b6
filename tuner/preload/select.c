/* select and pselect. Each look overwrites the sets of descriptors, so the program's wishes are kept aside.
 *
 * Limit: sets beyond FD_SETSIZE, which programs may make by allocating larger ones, are not polled.
 */

#include <string.h>
#include <sys/time.h>

#include "pace.h"
#include "sockets.h"
#include "start.h"
#include "watch.h"

static void wish(struct watch *watch)
{
    for (int i = 0; i < 3; i++)
        if (watch->found[i])
            memcpy(watch->found[i], watch->wanted[i], (size_t)(watch->highest + NFDBITS - 1) / NFDBITS * sizeof(long));
}

static int look_select(struct watch *watch)
{
    wish(watch);
    return next.pselect(watch->highest, watch->found[0], watch->found[1], watch->found[2], &at_once, watch->mask);
}

static int sleep_select(struct watch *watch, const struct timespec *left)
{
    wish(watch);
    return next.pselect(watch->highest, watch->found[0], watch->found[1], watch->found[2], left, watch->mask);
}

static bool wants(const struct watch *watch, int fd)
{
    for (int i = 0; i < 3; i++)
        if (watch->found[i] && FD_ISSET(fd, watch->wanted[i]))
            return true;
    return false;
}

static bool watches_internet(const struct watch *watch)
{
    for (int fd = 0; fd < watch->highest; fd++)
        if (wants(watch, fd) && is_internet(fd))
            return true;
    return false;
}

static int watch_sets(struct watch *sets, long long limit)
{
    fd_set kept[3];
    size_t used = (size_t)(sets->highest + NFDBITS - 1) / NFDBITS * sizeof(long);
    for (int i = 0; i < 3; i++) {
        sets->wanted[i] = &kept[i];
        if (sets->found[i])
            memcpy(&kept[i], sets->found[i], used);
    }
    int ready = watch(sets, limit);
    if (ready < 0)
        wish(sets);
    return ready;
}

static bool fits(int highest)
{
    return highest > 0 && highest <= FD_SETSIZE;
}

EXPORTED int pselect(int highest, fd_set *restrict reads, fd_set *restrict writes, fd_set *restrict exceptions,
                     const struct timespec *restrict limit, const sigset_t *restrict mask)
{
    if (is_plain(&plain.watches) || !fits(highest) || !may_wait(limit))
        return next.pselect(highest, reads, writes, exceptions, limit, mask);
    return watch_sets(&(struct watch){.look = look_select,
                                      .sleep = sleep_select,
                                      .worthwhile = watches_internet,
                                      .mask = mask,
                                      .highest = highest,
                                      .found = {reads, writes, exceptions}},
                      limit_ns(limit));
}

/* Linux accepts a million microseconds and more; what it refuses is left to it. */
static bool waits(const struct timeval *limit)
{
    return !limit || (limit->tv_sec >= 0 && limit->tv_usec >= 0 && (limit->tv_sec || limit->tv_usec));
}

static long long span_ns(const struct timeval *limit)
{
    long long whole_ns, ns;
    if (!limit || __builtin_mul_overflow((long long)limit->tv_sec, SECOND_NS, &whole_ns) ||
        __builtin_mul_overflow((long long)limit->tv_usec, 1000LL, &ns) || __builtin_add_overflow(whole_ns, ns, &ns))
        return -1;
    return ns;
}

/* Linux tells the program how much of the time was left, also when a handler ended the wait. */
static void tell_left(struct timeval *limit, long long end_ns)
{
    long long left_ns = end_ns - now_ns();
    left_ns = left_ns > 0 ? left_ns : 0;
    *limit = (struct timeval){.tv_sec = left_ns / SECOND_NS, .tv_usec = left_ns % SECOND_NS / 1000};
}

EXPORTED int select(int highest, fd_set *restrict reads, fd_set *restrict writes, fd_set *restrict exceptions,
                    struct timeval *restrict limit)
{
    if (is_plain(&plain.watches) || !fits(highest) || !waits(limit))
        return next.select(highest, reads, writes, exceptions, limit);
    long long end_ns = after_ns(now_ns(), span_ns(limit));
    int ready = watch_sets(&(struct watch){.look = look_select,
                                           .sleep = sleep_select,
                                           .worthwhile = watches_internet,
                                           .highest = highest,
                                           .found = {reads, writes, exceptions}},
                           span_ns(limit));
    if (limit)
        tell_left(limit, end_ns);
    return ready;
}
