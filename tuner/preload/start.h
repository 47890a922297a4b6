/* Whether there is anything to do at all: the one question on the way of a call that nobody asked to change. */

#ifndef TUNER_START_H
#define TUNER_START_H

#include <stdatomic.h>
#include <stdbool.h>

#include "next.h"

/* Each is true once it is known that the calls of that kind are to be left alone. */
struct plain {
    atomic_bool receives;
    atomic_bool watches;
    atomic_bool sockets;
    atomic_bool handlers;
};

extern struct plain plain;

/* Finds the next functions, reads the settings and prints the banner, once.
 *
 * The constructor calls it, and so does whichever call comes before the constructor: constructors of the libraries
 * that the program links to run earlier. It returns false, and calls are passed on untouched, when that is too early
 * or when it is called from inside itself; only `next.read` may be called then in the second case.
 */
bool started(void);

static inline bool is_plain(atomic_bool *kind)
{
    if (LIKELY(atomic_load_explicit(kind, memory_order_acquire)))
        return true;
    return !started() || atomic_load_explicit(kind, memory_order_acquire);
}

#endif
