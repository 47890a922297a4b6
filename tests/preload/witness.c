#include "witness.h"

#include <dlfcn.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

struct witness witness;

static void count(bool waits)
{
    if (waits) {
        witness.waits++;
        return;
    }
    if (++witness.looks == witness.sends_at)
        send(witness.sender, "x", 1, 0);
}

static bool zero(const struct timespec *limit)
{
    return limit && limit->tv_sec == 0 && limit->tv_nsec == 0;
}

#define NEXT(name) __typeof__(name) *next = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

ssize_t read(int fd, void *data, size_t size)
{
    count(true);
    return syscall(SYS_read, fd, data, size);
}

ssize_t readv(int fd, const struct iovec *pieces, int pieces_count)
{
    count(true);
    return syscall(SYS_readv, fd, pieces, pieces_count);
}

ssize_t recv(int fd, void *data, size_t size, int flags)
{
    count(!(flags & MSG_DONTWAIT));
    return syscall(SYS_recvfrom, fd, data, size, flags, NULL, NULL);
}

ssize_t recvfrom(int fd, void *restrict data, size_t size, int flags, __SOCKADDR_ARG from,
                 socklen_t *restrict from_size)
{
    count(!(flags & MSG_DONTWAIT));
    return syscall(SYS_recvfrom, fd, data, size, flags, from.__sockaddr__, from_size);
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
    NEXT(recvmsg);
    count(!(flags & MSG_DONTWAIT));
    return next(fd, message, flags);
}

int recvmmsg(int fd, struct mmsghdr *messages, unsigned messages_count, int flags, struct timespec *limit)
{
    NEXT(recvmmsg);
    count(!(flags & MSG_DONTWAIT));
    return next(fd, messages, messages_count, flags, limit);
}

int poll(struct pollfd *files, nfds_t files_count, int timeout_ms)
{
    NEXT(poll);
    count(timeout_ms != 0);
    return next(files, files_count, timeout_ms);
}

int ppoll(struct pollfd *files, nfds_t files_count, const struct timespec *limit, const sigset_t *mask)
{
    NEXT(ppoll);
    count(!zero(limit));
    return next(files, files_count, limit, mask);
}

int select(int highest, fd_set *restrict reads, fd_set *restrict writes, fd_set *restrict exceptions,
           struct timeval *restrict limit)
{
    NEXT(select);
    count(!limit || limit->tv_sec || limit->tv_usec);
    return next(highest, reads, writes, exceptions, limit);
}

int pselect(int highest, fd_set *restrict reads, fd_set *restrict writes, fd_set *restrict exceptions,
            const struct timespec *restrict limit, const sigset_t *restrict mask)
{
    NEXT(pselect);
    count(!zero(limit));
    return next(highest, reads, writes, exceptions, limit, mask);
}

int epoll_wait(int epoll, struct epoll_event *events, int room, int timeout_ms)
{
    NEXT(epoll_wait);
    count(timeout_ms != 0);
    return next(epoll, events, room, timeout_ms);
}

int epoll_pwait(int epoll, struct epoll_event *events, int room, int timeout_ms, const sigset_t *mask)
{
    NEXT(epoll_pwait);
    count(timeout_ms != 0);
    return next(epoll, events, room, timeout_ms, mask);
}

int epoll_pwait2(int epoll, struct epoll_event *events, int room, const struct timespec *limit, const sigset_t *mask)
{
    NEXT(epoll_pwait2);
    count(!zero(limit));
    return next(epoll, events, room, limit, mask);
}

int getsockopt(int fd, int level, int name, void *restrict value, socklen_t *restrict size)
{
    witness.questions++;
    return (int)syscall(SYS_getsockopt, fd, level, name, value, size);
}

int setsockopt(int fd, int level, int name, const void *value, socklen_t size)
{
    witness.questions++;
    return (int)syscall(SYS_setsockopt, fd, level, name, value, size);
}

int sched_yield(void)
{
    witness.yields++;
    return (int)syscall(SYS_sched_yield);
}
