/* Waits once in the way that WAY names and prints what the witness saw: looks, waits, yields and questions.
 *
 * The byte that is waited for is sent at look SENDS_AT or, where that is 0, when the thread sleeps. With SOCKET=unix
 * it comes through a socket of that family instead of TCP. LIMIT_S is the socket's SO_RCVTIMEO.
 */

#include <dlfcn.h>

#include "check.h"
#include "witness.h"

static const char *const ways[WAYS] = {"read",     "readv",      "recv",       "recvfrom",      "recvmsg",
                                       "recvmmsg", "__read_chk", "__recv_chk", "__recvfrom_chk"};
static const char *const waitings[WAITINGS] = {"select",      "pselect",      "poll",       "ppoll",      "epoll_wait",
                                               "epoll_pwait", "epoll_pwait2", "__poll_chk", "__ppoll_chk"};

static int number(const char *name)
{
    const char *text = getenv(name);
    return text ? atoi(text) : 0;
}

static int find(const char *const *names, int count)
{
    for (int i = 0; i < count; i++)
        if (strcmp(names[i], getenv("WAY")) == 0)
            return i;
    return -1;
}

static void wait_once(int fd)
{
    static const sigset_t none;
    char data[8];
    int way = find(ways, WAYS), waiting = find(waitings, WAITINGS);
    const sigset_t *mask = number("MASKED") ? &none : NULL;
    if (way >= 0)
        EXPECT(receive((enum way)way, fd, data, 1, number("FLAGS")) == 1);
    else
        EXPECT(wait_readable_masked((enum waiting)waiting, fd, -1, mask) == 1);
}

static struct ends unix_ends(void)
{
    int pair[2];
    EXPECT(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    return (struct ends){.here = pair[0], .there = pair[1]};
}

static void look(void)
{
    const char *family = getenv("SOCKET");
    struct ends ends = family && strcmp(family, "unix") == 0 ? unix_ends() : connect_ends(TCP4);
    struct timeval limit = {.tv_sec = number("LIMIT_S")};
    struct witness *watcher = dlsym(RTLD_DEFAULT, "witness");
    struct later later;
    EXPECT(setsockopt(ends.here, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0);
    EXPECT(watcher);
    *watcher = (struct witness){.sends_at = number("SENDS_AT"), .sender = ends.there};
    if (!watcher->sends_at) {
        start_later(&later, send_byte, &ends.there);
        later.patience_ms = 60000;
    }
    wait_once(ends.here);
    struct witness seen = *watcher;
    if (!seen.sends_at)
        finish_later(&later);
    printf("%d %d %d %d\n", seen.looks, seen.waits, seen.yields, seen.questions);
    close_ends(ends);
}

__attribute__((constructor)) static void list_look(void)
{
    list("look", look);
}
