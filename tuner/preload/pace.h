/* How a poll loop spends its time: the clock, and giving the CPU away as XLIO_RX_POLL_YIELD asks. */

#ifndef TUNER_PACE_H
#define TUNER_PACE_H

#include <limits.h>
#include <sched.h>
#include <time.h>

#include "settings.h"

#define NEVER_NS LLONG_MAX
#define SECOND_NS 1000000000LL

static inline long long now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * SECOND_NS + now.tv_nsec;
}

/* The moment `span_ns` from now; a negative span, and one that does not fit, means never. */
static inline long long after_ns(long long start_ns, long long span_ns)
{
    return span_ns < 0 || span_ns > NEVER_NS - start_ns ? NEVER_NS : start_ns + span_ns;
}

static inline struct timespec span(long long span_ns)
{
    return (struct timespec){.tv_sec = span_ns / SECOND_NS, .tv_nsec = span_ns % SECOND_NS};
}

static inline void yield_if_due(unsigned long polls)
{
    if (settings[XLIO_RX_POLL_YIELD] && polls % (unsigned long)settings[XLIO_RX_POLL_YIELD] == 0)
        sched_yield();
}

#endif
