/* The one loop behind select, poll, epoll_wait and their variants: look for XLIO_SELECT_POLL µs, then sleep. */

#ifndef TUNER_WATCH_H
#define TUNER_WATCH_H

#include <stdbool.h>

#include "next.h"

struct watch {
    /* Looks without waiting: how many are ready, or -1. */
    int (*look)(struct watch *);
    /* Waits as the program asked, at most `left` (null: for ever). */
    int (*sleep)(struct watch *, const struct timespec *left);
    /* Whether an internet socket is among what is watched, so that polling is worth while; null: not known. */
    bool (*worthwhile)(const struct watch *);
    const sigset_t *mask; /* the signals blocked while it waits, or null */
    union {
        struct {
            struct pollfd *files;
            nfds_t count;
        };
        struct {
            int epoll;
            int room;
            struct epoll_event *events;
            bool checked;
        };
        struct {
            int highest;
            fd_set *wanted[3], *found[3];
        };
    };
};

/* Waits for `limit_ns` at most, for ever when it is negative: how many are ready, 0 when time is up, or -1. */
int watch(struct watch *watch, long long limit_ns);

/* A time limit in nanoseconds, -1 for null, which means for ever. */
long long limit_ns(const struct timespec *limit);

/* Whether a call with this limit would have to wait at all, and the kernel would accept it. */
bool may_wait(const struct timespec *limit);

extern const struct timespec at_once;

#endif
