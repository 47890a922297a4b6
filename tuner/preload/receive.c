/* Receives that look for data XLIO_RX_POLL times before they let the thread sleep.
 *
 * A look is the program's own receive with MSG_DONTWAIT. Where that could take less than the program waits for
 * (MSG_WAITALL, recvmmsg without MSG_WAITFORONE), it is a peek at one byte, and then the program's own call. What
 * may not be polled is found out only when a first look found nothing, so that data that is there costs nothing.
 *
 * Limits: a descriptor that another thread closes while one polls it is looked up anew at each poll, where a sleeping
 * receive would hold on to the socket; and a receive that waits for several pieces within a time limit (SO_RCVTIMEO or
 * recvmmsg's own) is not polled, because its limit could not be kept.
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>

#include "interruptions.h"
#include "pace.h"
#include "sockets.h"
#include "start.h"

enum { POLLS_A_LOOK_AT_THE_END = 256 };

struct receive {
    int fd;
    int flags;
    union {
        void *data;
        const struct iovec *pieces;
        struct msghdr *message;
        struct mmsghdr *messages;
    };
    size_t size; /* bytes, pieces or messages */
    struct sockaddr *from;
    socklen_t *from_size;
    struct timespec *limit;
    bool all; /* waits for more than the first data */
    ssize_t (*look)(const struct receive *);
    ssize_t (*wait)(const struct receive *);
};

static ssize_t peek_then_wait(const struct receive *call)
{
    char byte;
    ssize_t found = next.recv(call->fd, &byte, sizeof byte, MSG_PEEK | MSG_DONTWAIT);
    return found < 0 ? found : call->wait(call);
}

/* Whether a first look that found nothing may be followed by more. */
enum patience { RETURN, SLEEP, POLL };

static enum patience patience(const struct receive *call, long long *limit_ns)
{
    int mode = fcntl(call->fd, F_GETFL);
    if (mode >= 0 && mode & O_NONBLOCK)
        return RETURN;
    if (!is_internet(call->fd) || waits_for_many_bytes(call->fd))
        return SLEEP;
    *limit_ns = receive_limit_ns(call->fd);
    return call->all && *limit_ns >= 0 ? SLEEP : POLL;
}

static bool nothing_yet(ssize_t got)
{
    return got < 0 && errno == EAGAIN;
}

static ssize_t fail(int error)
{
    errno = error;
    return -1;
}

/* Linux never restarts a receive that has a time limit, SA_RESTART or not (signal(7)). */
static bool interrupted(const struct interruptions *before, long long end_ns)
{
    return end_ns == NEVER_NS ? interruptions.unrestarted != before->unrestarted : interruptions.all != before->all;
}

/* A receive of datagrams ends with 0 where the socket is shut for reading, but not one that may not wait: it finds nothing. */
static bool is_shut(int fd)
{
    static const struct timespec at_once;
    struct pollfd end = {.fd = fd, .events = POLLRDHUP};
    return next.ppoll(&end, 1, &at_once, NULL) > 0 && end.revents & POLLRDHUP;
}

static ssize_t sleep_until(const struct receive *call, long long end_ns)
{
    for (;;) {
        long long left_ns = end_ns - now_ns();
        struct timespec left = span(left_ns > 0 ? left_ns : 0);
        struct pollfd data = {.fd = call->fd, .events = POLLIN};
        int ready = next.ppoll(&data, 1, &left, NULL);
        if (ready < 0)
            return -1;
        ssize_t got = call->look(call);
        if (ready == 0 || !nothing_yet(got))
            return got;
        if (is_shut(call->fd))
            return call->wait(call);
        if (left_ns <= 0) /* ready for something that was no data, as a datagram with a wrong sum */
            return fail(EAGAIN);
    }
}

static ssize_t poll_socket(const struct receive *call, const struct interruptions *before, long long end_ns)
{
    long most = settings[XLIO_RX_POLL];
    for (unsigned long polls = 1; most < 0 || polls < (unsigned long)most; polls++) {
        if (interrupted(before, end_ns))
            return fail(EINTR);
        if (end_ns != NEVER_NS && now_ns() >= end_ns)
            return is_shut(call->fd) ? call->wait(call) : fail(EAGAIN);
        yield_if_due(polls);
        ssize_t got = call->look(call);
        if (!nothing_yet(got))
            return got;
        if (polls % POLLS_A_LOOK_AT_THE_END == 0 && is_shut(call->fd))
            return call->wait(call);
    }
    if (interrupted(before, end_ns))
        return fail(EINTR);
    return end_ns == NEVER_NS ? call->wait(call) : sleep_until(call, end_ns);
}

static ssize_t wait_for_data(const struct receive *call, const struct interruptions *before)
{
    long long limit_ns = -1;
    switch (patience(call, &limit_ns)) {
    case RETURN:
        return fail(EAGAIN);
    case SLEEP:
        return interrupted(before, after_ns(0, limit_ns)) ? fail(EINTR) : call->wait(call);
    default:
        return poll_socket(call, before, after_ns(now_ns(), limit_ns));
    }
}

static ssize_t poll_then_wait(const struct receive *call)
{
    int kept = errno;
    struct interruptions before = {interruptions.all, interruptions.unrestarted};
    ssize_t got = call->look(call);
    if (nothing_yet(got))
        got = wait_for_data(call, &before);
    else if (got < 0 && errno == ENOTSOCK)
        got = call->wait(call);
    if (got >= 0)
        errno = kept;
    return got;
}

/* Nobody waits in these: they are left as they are. */
static bool never_waits(const struct receive *call)
{
    return !settings[XLIO_RX_POLL] || call->flags & (MSG_DONTWAIT | MSG_ERRQUEUE | MSG_OOB);
}

static ssize_t receive(const struct receive *call)
{
    ssize_t got = never_waits(call) ? call->wait(call) : poll_then_wait(call);
    if (got > 0 && settings[XLIO_TCP_QUICKACK])
        acknowledge_at_once(call->fd);
    return got;
}

static ssize_t look_recv(const struct receive *call)
{
    return next.recv(call->fd, call->data, call->size, call->flags | MSG_DONTWAIT);
}

static ssize_t wait_read(const struct receive *call)
{
    return next.read(call->fd, call->data, call->size);
}

/* read() of nothing looks at no socket, recv() of nothing would wait for one: not the same call. */
EXPORTED ssize_t read(int fd, void *data, size_t size)
{
    if (is_plain(&plain.receives) || size == 0)
        return next.read(fd, data, size);
    return receive(&(struct receive){.fd = fd, .data = data, .size = size, .look = look_recv, .wait = wait_read});
}

static ssize_t look_readv(const struct receive *call)
{
    struct msghdr message = {.msg_iov = (struct iovec *)call->pieces, .msg_iovlen = call->size};
    return next.recvmsg(call->fd, &message, MSG_DONTWAIT);
}

static ssize_t wait_readv(const struct receive *call)
{
    return next.readv(call->fd, call->pieces, (int)call->size);
}

static bool empty(const struct iovec *pieces, int count)
{
    for (int i = 0; i < count; i++)
        if (pieces[i].iov_len)
            return false;
    return true;
}

EXPORTED ssize_t readv(int fd, const struct iovec *pieces, int count)
{
    if (is_plain(&plain.receives) || count > IOV_MAX || empty(pieces, count))
        return next.readv(fd, pieces, count);
    return receive(&(struct receive){
        .fd = fd, .pieces = pieces, .size = (size_t)count, .look = look_readv, .wait = wait_readv});
}

static ssize_t wait_recv(const struct receive *call)
{
    return next.recv(call->fd, call->data, call->size, call->flags);
}

EXPORTED ssize_t recv(int fd, void *data, size_t size, int flags)
{
    if (is_plain(&plain.receives))
        return next.recv(fd, data, size, flags);
    bool all = flags & MSG_WAITALL;
    return receive(&(struct receive){.fd = fd,
                                     .flags = flags,
                                     .data = data,
                                     .size = size,
                                     .all = all,
                                     .look = all ? peek_then_wait : look_recv,
                                     .wait = wait_recv});
}

static ssize_t look_recvfrom(const struct receive *call)
{
    return next.recvfrom(call->fd, call->data, call->size, call->flags | MSG_DONTWAIT, call->from, call->from_size);
}

static ssize_t wait_recvfrom(const struct receive *call)
{
    return next.recvfrom(call->fd, call->data, call->size, call->flags, call->from, call->from_size);
}

EXPORTED ssize_t recvfrom(int fd, void *restrict data, size_t size, int flags, __SOCKADDR_ARG from,
                          socklen_t *restrict from_size)
{
    if (is_plain(&plain.receives))
        return next.recvfrom(fd, data, size, flags, from.__sockaddr__, from_size);
    bool all = flags & MSG_WAITALL;
    return receive(&(struct receive){.fd = fd,
                                     .flags = flags,
                                     .data = data,
                                     .size = size,
                                     .from = from.__sockaddr__,
                                     .from_size = from_size,
                                     .all = all,
                                     .look = all ? peek_then_wait : look_recvfrom,
                                     .wait = wait_recvfrom});
}

static ssize_t look_recvmsg(const struct receive *call)
{
    return next.recvmsg(call->fd, call->message, call->flags | MSG_DONTWAIT);
}

static ssize_t wait_recvmsg(const struct receive *call)
{
    return next.recvmsg(call->fd, call->message, call->flags);
}

EXPORTED ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
    if (is_plain(&plain.receives))
        return next.recvmsg(fd, message, flags);
    bool all = flags & MSG_WAITALL;
    return receive(&(struct receive){.fd = fd,
                                     .flags = flags,
                                     .message = message,
                                     .all = all,
                                     .look = all ? peek_then_wait : look_recvmsg,
                                     .wait = wait_recvmsg});
}

static ssize_t look_recvmmsg(const struct receive *call)
{
    return next.recvmmsg(call->fd, call->messages, (unsigned)call->size, call->flags | MSG_DONTWAIT, call->limit);
}

static ssize_t wait_recvmmsg(const struct receive *call)
{
    return next.recvmmsg(call->fd, call->messages, (unsigned)call->size, call->flags, call->limit);
}

EXPORTED int recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags, struct timespec *limit)
{
    if (is_plain(&plain.receives) || count == 0 || limit)
        return next.recvmmsg(fd, messages, count, flags, limit);
    bool all = flags & MSG_WAITALL || (count > 1 && !(flags & MSG_WAITFORONE));
    return (int)receive(&(struct receive){.fd = fd,
                                          .flags = flags,
                                          .messages = messages,
                                          .size = count,
                                          .all = all,
                                          .look = all ? peek_then_wait : look_recvmmsg,
                                          .wait = wait_recvmmsg});
}

/* What programs compiled with _FORTIFY_SOURCE call: where the buffer is too small, the program ends. */

EXPORTED ssize_t __read_chk(int fd, void *data, size_t size, size_t room)
{
    if (size > room)
        __chk_fail();
    return read(fd, data, size);
}

EXPORTED ssize_t __recv_chk(int fd, void *data, size_t size, size_t room, int flags)
{
    if (size > room)
        __chk_fail();
    return recv(fd, data, size, flags);
}

EXPORTED ssize_t __recvfrom_chk(int fd, void *restrict data, size_t size, size_t room, int flags, __SOCKADDR_ARG from,
                                socklen_t *restrict from_size)
{
    if (size > room)
        __chk_fail();
    return recvfrom(fd, data, size, flags, from, from_size);
}
