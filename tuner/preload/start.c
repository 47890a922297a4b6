#include "start.h"

#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "banner.h"
#include "interruptions.h"
#include "log.h"
#include "settings.h"

struct plain plain;

static bool shapes_sockets(void)
{
    static const enum setting shaping[] = {
        XLIO_TCP_NODELAY, XLIO_TCP_QUICKACK, XLIO_TCP_SEND_BUFFER_SIZE, XLIO_RX_BYTES_MIN,
        XLIO_MSS,         XLIO_TCP_CC_ALGO,  XLIO_TX_MC_LOOPBACK,
    };
    for (size_t i = 0; i < sizeof shaping / sizeof *shaping; i++)
        if (settings[shaping[i]] != descriptions[shaping[i]].fallback)
            return true;
    return false;
}

static void leave_alone(atomic_bool *kind, bool left)
{
    atomic_store_explicit(kind, left, memory_order_release);
}

static void decide(void)
{
    bool receives = settings[XLIO_RX_POLL], watches = settings[XLIO_SELECT_POLL];
    leave_alone(&plain.receives, !receives && !settings[XLIO_TCP_QUICKACK]);
    leave_alone(&plain.watches, !watches);
    leave_alone(&plain.handlers, !receives && !watches);
    /* Where receives poll, setsockopt must be seen: SO_RCVLOWAT changes what a receive waits for. */
    leave_alone(&plain.sockets, !receives && !shapes_sockets());
}

static atomic_bool begun;
static _Thread_local bool beginning;

static void begin(void)
{
    know_errors();
    read_settings(environ);
    decide();
    if (!atomic_load(&plain.handlers))
        adopt_handlers();
    print_banner();
    atomic_store_explicit(&begun, true, memory_order_release);
}

/* A sanitizer's runtime calls before the C library itself is ready: then there is no environment to read yet. */
static void begin_if(bool ready)
{
    static pthread_once_t found = PTHREAD_ONCE_INIT, once = PTHREAD_ONCE_INIT;
    beginning = true;
    pthread_once(&found, find_next);
    if (ready)
        pthread_once(&once, begin);
    beginning = false;
}

bool started(void)
{
    if (LIKELY(atomic_load_explicit(&begun, memory_order_acquire)))
        return true;
    if (!beginning)
        begin_if(environ != NULL);
    return atomic_load_explicit(&begun, memory_order_acquire);
}

/* Who shuts itself in may make only the calls that it knows of, and is ended at the first other one, which may be ours: sshd does so
 * with who is not yet known. A filter that a container had before this process began lets ordinary calls through. */
EXPORTED int prctl(int option, ...)
{
    va_list arguments;
    va_start(arguments, option);
    unsigned long given[4];
    for (size_t i = 0; i < sizeof given / sizeof *given; i++)
        given[i] = va_arg(arguments, unsigned long);
    va_end(arguments);
    if (started() && (option == PR_SET_SECCOMP || option == PR_SET_NO_NEW_PRIVS)) {
        leave_alone(&plain.receives, true);
        leave_alone(&plain.watches, true);
        leave_alone(&plain.sockets, true);
    }
    return next.prctl(option, given[0], given[1], given[2], given[3]);
}

__attribute__((constructor)) static void construct(void)
{
    if (!started())
        begin_if(true);
}
