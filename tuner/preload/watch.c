#include "watch.h"

#include <errno.h>
#include <pthread.h>

#include "interruptions.h"
#include "pace.h"

const struct timespec at_once;

long long limit_ns(const struct timespec *limit)
{
    if (!limit || limit->tv_sec >= NEVER_NS / SECOND_NS)
        return -1;
    return limit->tv_sec * SECOND_NS + limit->tv_nsec;
}

bool may_wait(const struct timespec *limit)
{
    if (!limit)
        return true;
    bool valid = limit->tv_sec >= 0 && limit->tv_nsec >= 0 && limit->tv_nsec < SECOND_NS;
    return valid && (limit->tv_sec || limit->tv_nsec);
}

/* Ready is ready, also when a handler ran: the kernel answers in this order too. */
static int look_until(struct watch *watch, long long end_ns, unsigned handlers_before)
{
    for (unsigned long polls = 1;; polls++) {
        int ready = watch->look(watch);
        if (ready)
            return ready;
        if (interruptions.all != handlers_before) {
            errno = EINTR;
            return -1;
        }
        bool worthwhile = polls > 1 || !watch->worthwhile || watch->worthwhile(watch);
        if (!worthwhile || now_ns() >= end_ns)
            return 0;
        yield_if_due(polls);
    }
}

static int sleep_until(struct watch *watch, long long end_ns)
{
    if (end_ns == NEVER_NS)
        return watch->sleep(watch, NULL);
    long long left_ns = end_ns - now_ns();
    if (left_ns <= 0)
        return 0;
    struct timespec left = span(left_ns);
    return watch->sleep(watch, &left);
}

static int look_then_sleep(struct watch *watch, long long limit)
{
    unsigned handlers_before = interruptions.all;
    long long start_ns = now_ns();
    long long polled_ns = after_ns(start_ns, settings[XLIO_SELECT_POLL] * 1000LL);
    long long end_ns = after_ns(start_ns, limit);
    int ready = look_until(watch, polled_ns < end_ns ? polled_ns : end_ns, handlers_before);
    return ready ? ready : sleep_until(watch, end_ns);
}

static void restore_mask(void *mask)
{
    pthread_sigmask(SIG_SETMASK, mask, NULL);
}

/* The program's mask must hold for the whole wait and for nothing but the wait. So everything is blocked between the
 * looks, and each look puts the program's mask in place itself: a handler can run only where the kernel reports it. */
static int look_then_sleep_masked(struct watch *watch, long long limit)
{
    sigset_t all, before;
    int ready;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_cleanup_push(restore_mask, &before);
    ready = look_then_sleep(watch, limit);
    pthread_cleanup_pop(1);
    return ready;
}

int watch(struct watch *watch, long long limit)
{
    return watch->mask ? look_then_sleep_masked(watch, limit) : look_then_sleep(watch, limit);
}
