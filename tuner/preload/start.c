#include "start.h"

#include <pthread.h>
#include <unistd.h>

#include "banner.h"
#include "interruptions.h"
#include "settings.h"

struct plain plain;

static void decide(void)
{
    bool shapes_sockets = settings[XLIO_TCP_NODELAY] || settings[XLIO_TCP_QUICKACK] || settings[XLIO_RX_BYTES_MIN] ||
                          settings[XLIO_TCP_SEND_BUFFER_SIZE] != UNSET || settings[XLIO_MSS] || settings[XLIO_TCP_CC_ALGO] ||
                          settings[XLIO_TX_MC_LOOPBACK] != UNSET;
    bool receives = settings[XLIO_RX_POLL] || settings[XLIO_TCP_QUICKACK];
    bool polls = settings[XLIO_RX_POLL] || settings[XLIO_SELECT_POLL];
    atomic_store_explicit(&plain.receives, !receives, memory_order_release);
    atomic_store_explicit(&plain.watches, !settings[XLIO_SELECT_POLL], memory_order_release);
    /* setsockopt must be seen where receives poll: SO_RCVLOWAT changes what a receive waits for. */
    atomic_store_explicit(&plain.sockets, !shapes_sockets && !settings[XLIO_RX_POLL], memory_order_release);
    atomic_store_explicit(&plain.handlers, !polls, memory_order_release);
}

static _Thread_local bool starting;

static void start(void)
{
    starting = true;
    find_next();
    read_settings(environ);
    decide();
    if (!atomic_load(&plain.handlers))
        adopt_handlers();
    print_banner();
    starting = false;
}

bool started(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    if (starting)
        return false;
    pthread_once(&once, start);
    return true;
}

__attribute__((constructor)) static void construct(void)
{
    started();
}
