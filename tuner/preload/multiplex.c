/* poll, epoll_wait and their variants.
 *
 * What poll() watches is known, and polled only where an internet socket is among it. Of an epoll descriptor it is noted whether
 * one was ever put into it, by this process or before it was forked; one that came from elsewhere is not polled.
 */

#include <errno.h>
#include <stdatomic.h>

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

enum { MOST_EPOLLS = 1 << 16 };

/* By descriptor: whether an internet socket, or an epoll descriptor with one, was put into it since it was made. */
static atomic_bool holds_internet[MOST_EPOLLS];

static bool known_to_hold(int epoll)
{
    return epoll >= 0 && epoll < MOST_EPOLLS && atomic_load_explicit(&holds_internet[epoll], memory_order_relaxed);
}

static void note_epoll(int epoll, bool holds)
{
    if (epoll >= 0 && epoll < MOST_EPOLLS)
        atomic_store_explicit(&holds_internet[epoll], holds, memory_order_relaxed);
}

static bool epoll_holds_internet(const struct watch *watch)
{
    return known_to_hold(watch->epoll);
}

static int fresh_epoll(int epoll)
{
    note_epoll(epoll, false);
    return epoll;
}

EXPORTED int epoll_create(int size)
{
    return is_plain(&plain.watches) ? next.epoll_create(size) : fresh_epoll(next.epoll_create(size));
}

EXPORTED int epoll_create1(int flags)
{
    return is_plain(&plain.watches) ? next.epoll_create1(flags) : fresh_epoll(next.epoll_create1(flags));
}

EXPORTED int epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
    int result = next.epoll_ctl(epoll, operation, fd, event);
    if (!is_plain(&plain.watches) && result == 0 && operation == EPOLL_CTL_ADD && !known_to_hold(epoll) &&
        (is_internet(fd) || known_to_hold(fd)))
        note_epoll(epoll, true);
    return result;
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
                                 .worthwhile = epoll_holds_internet,
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
                                 .worthwhile = epoll_holds_internet,
                                 .mask = mask,
                                 .epoll = epoll,
                                 .events = events,
                                 .room = room},
                 limit_ns(limit));
}
