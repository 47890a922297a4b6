/* What reached the C library: a library preloaded behind the one under test counts it. */

#ifndef WITNESS_H
#define WITNESS_H

struct witness {
    int looks;     /* receives and watches that may not wait */
    int waits;     /* those that may */
    int yields;    /* sched_yield */
    int questions; /* getsockopt and setsockopt */
    int sends_at;  /* the look before which a byte is sent to what is waited for; 0 for never */
    int sender;    /* the socket that sends it */
};

extern struct witness witness;

#endif
