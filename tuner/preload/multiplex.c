/* poll, epoll_wait and their variants.
 *
 * What poll() watches is known, and polled only where an internet socket is among it. What an epoll descriptor holds
 * is not known here: it is polled always.
 */

#include <errno.h>

#include "pace.h"
#include "sockets.h"
#include "start.h"
#include "watch.h"

static int look_poll(struct watch *watch)
{
    return next.ppoll(watch->files, watch->count, &at_once, watch->mask);
}

static int sleep_poll(struct watch *watch, const struct timespec *left)
{
    return next.ppoll(watch->files, watch->count, left, watch->mask);
}

static bool watches_internet(const struct watch *watch)
{
    for (nfds_t i = 0; i < watch->count; i++)
        if (watch->files[i].fd >= 0 && is_internet(watch->files[i].fd))
            return true;
    return false;
}

static int watch_files(struct pollfd *files, nfds_t count, long long limit, const sigset_t *mask)
{
    return watch(&(struct watch){.look = look_poll,
                                 .sleep = sleep_poll,
                                 .worthwhile = watches_internet,
                                 .mask = mask,
                                 .files = files,
                                 .count = count},
                 limit);
}

static long long milliseconds(int timeout_ms)
{
    return timeout_ms < 0 ? -1 : timeout_ms * 1000000LL;
}

EXPORTED int poll(struct pollfd *files, nfds_t count, int timeout_ms)
{
    if (is_plain(&plain.watches) || timeout_ms == 0)
        return next.poll(files, count, timeout_ms);
    return watch_files(files, count, milliseconds(timeout_ms), NULL);
}

EXPORTED int ppoll(struct pollfd *files, nfds_t count, const struct timespec *limit, const sigset_t *mask)
{
    if (is_plain(&plain.watches) || !may_wait(limit))
        return next.ppoll(files, count, limit, mask);
    return watch_files(files, count, limit_ns(limit), mask);
}

EXPORTED int __poll_chk(struct pollfd *files, nfds_t count, int timeout_ms, size_t room)
{
    if (room / sizeof *files < count)
        __chk_fail();
    return poll(files, count, timeout_ms);
}

EXPORTED int __ppoll_chk(struct pollfd *files, nfds_t count, const struct timespec *limit, const sigset_t *mask,
                         size_t room)
{
    if (room / sizeof *files < count)
        __chk_fail();
    return ppoll(files, count, limit, mask);
}

static int look_epoll(struct watch *watch)
{
    return next.epoll_wait(watch->epoll, watch->events, watch->room, 0);
}

/* epoll_pwait() that may not wait leaves signals pending; ppoll() on the epoll descriptor delivers them. The first
 * look is the program's own, for the sake of its errors. */
static int look_epoll_masked(struct watch *watch)
{
    if (!watch->checked) {
        watch->checked = true;
        return next.epoll_pwait(watch->epoll, watch->events, watch->room, 0, watch->mask);
    }
    struct pollfd epoll = {.fd = watch->epoll, .events = POLLIN};
    int ready = next.ppoll(&epoll, 1, &at_once, watch->mask);
    return ready > 0 ? look_epoll(watch) : ready;
}

static int whole_milliseconds(const struct timespec *left)
{
    long long ms = (limit_ns(left) + 999999) / 1000000;
    return ms > INT_MAX ? INT_MAX : (int)ms;
}

static int sleep_epoll(struct watch *watch, const struct timespec *left)
{
    return next.epoll_pwait(watch->epoll, watch->events, watch->room, left ? whole_milliseconds(left) : -1,
                            watch->mask);
}

static int sleep_epoll_exactly(struct watch *watch, const struct timespec *left)
{
    return next.epoll_pwait2(watch->epoll, watch->events, watch->room, left, watch->mask);
}

EXPORTED int epoll_pwait(int epoll, struct epoll_event *events, int room, int timeout_ms, const sigset_t *mask)
{
    if (is_plain(&plain.watches) || timeout_ms == 0)
        return next.epoll_pwait(epoll, events, room, timeout_ms, mask);
    return watch(&(struct watch){.look = mask ? look_epoll_masked : look_epoll,
                                 .sleep = sleep_epoll,
                                 .mask = mask,
                                 .epoll = epoll,
                                 .events = events,
                                 .room = room},
                 milliseconds(timeout_ms));
}

EXPORTED int epoll_wait(int epoll, struct epoll_event *events, int room, int timeout_ms)
{
    if (is_plain(&plain.watches) || timeout_ms == 0)
        return next.epoll_wait(epoll, events, room, timeout_ms);
    return epoll_pwait(epoll, events, room, timeout_ms, NULL);
}

EXPORTED int epoll_pwait2(int epoll, struct epoll_event *events, int room, const struct timespec *limit,
                          const sigset_t *mask)
{
    if (is_plain(&plain.watches) || !may_wait(limit))
        return next.epoll_pwait2(epoll, events, room, limit, mask);
    return watch(&(struct watch){.look = mask ? look_epoll_masked : look_epoll,
                                 .sleep = sleep_epoll_exactly,
                                 .mask = mask,
                                 .epoll = epoll,
                                 .events = events,
                                 .room = room},
                 limit_ns(limit));
}
