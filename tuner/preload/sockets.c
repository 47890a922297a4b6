#include "sockets.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/time.h>

#include "log.h"
#include "pace.h"
#include "start.h"

/* Set once the program gives any socket a low-water mark: until then no receive has to ask for it. A socket that got
 * its mark in another process before it came here is not known. */
static atomic_bool low_water_marks;

static int option(int fd, int level, int name)
{
    int value = 0;
    socklen_t size = sizeof value;
    return getsockopt(fd, level, name, &value, &size) == 0 ? value : -1;
}

bool is_internet(int fd)
{
    int kept = errno;
    int domain = option(fd, SOL_SOCKET, SO_DOMAIN);
    errno = kept;
    return domain == AF_INET || domain == AF_INET6;
}

bool waits_for_many_bytes(int fd)
{
    return atomic_load_explicit(&low_water_marks, memory_order_relaxed) && option(fd, SOL_SOCKET, SO_RCVLOWAT) > 1;
}

long long receive_limit_ns(int fd)
{
    struct timeval limit = {0};
    socklen_t size = sizeof limit;
    if (getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, &size) || (!limit.tv_sec && !limit.tv_usec))
        return -1;
    if (limit.tv_sec >= NEVER_NS / SECOND_NS)
        return -1;
    return limit.tv_sec * SECOND_NS + limit.tv_usec * 1000LL;
}

void acknowledge_at_once(int fd)
{
    int kept = errno;
    next.setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &(int){1}, sizeof(int));
    errno = kept;
}

/* What the kernel does not do is told once for each setting, not once for each socket. */
static bool untold(enum setting setting)
{
    static atomic_flag told[SETTINGS];
    return !atomic_flag_test_and_set(&told[setting]);
}

static void set(enum setting setting, int fd, int level, int name, const void *value, socklen_t size)
{
    char reason[128];
    if (next.setsockopt(fd, level, name, value, size) && untold(setting))
        log_line(WARNING, "%s was refused by the kernel: %s", descriptions[setting].name,
                 strerror_r(errno, reason, sizeof reason));
}

static void set_number(enum setting setting, int fd, int level, int name, int value)
{
    set(setting, fd, level, name, &value, sizeof value);
}

/* Linux cuts buffers to net.core.rmem_max and wmem_max without an error, and doubles what is left (socket(7)). */
static void set_buffer(enum setting setting, int fd, int name)
{
    set_number(setting, fd, SOL_SOCKET, name, (int)settings[setting]);
    int given = option(fd, SOL_SOCKET, name);
    if (given < settings[setting] && untold(setting))
        log_line(WARNING, "%s=%ld was cut to %d by the kernel, see net.core.%s", descriptions[setting].name,
                 settings[setting], given, name == SO_RCVBUF ? "rmem_max" : "wmem_max");
}

static void raise_receive_buffer(int fd)
{
    if (settings[XLIO_RX_BYTES_MIN] && option(fd, SOL_SOCKET, SO_RCVBUF) < settings[XLIO_RX_BYTES_MIN])
        set_buffer(XLIO_RX_BYTES_MIN, fd, SO_RCVBUF);
}

static void shape_tcp(int fd)
{
    static const char cubic[] = "cubic";
    if (settings[XLIO_TCP_NODELAY])
        set_number(XLIO_TCP_NODELAY, fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (settings[XLIO_TCP_QUICKACK])
        set_number(XLIO_TCP_QUICKACK, fd, IPPROTO_TCP, TCP_QUICKACK, 1);
    if (settings[XLIO_TCP_SEND_BUFFER_SIZE] != UNSET)
        set_buffer(XLIO_TCP_SEND_BUFFER_SIZE, fd, SO_SNDBUF);
    if (settings[XLIO_MSS])
        set_number(XLIO_MSS, fd, IPPROTO_TCP, TCP_MAXSEG, (int)settings[XLIO_MSS]);
    if (settings[XLIO_TCP_CC_ALGO])
        set(XLIO_TCP_CC_ALGO, fd, IPPROTO_TCP, TCP_CONGESTION, cubic, sizeof cubic - 1);
    raise_receive_buffer(fd);
}

static void shape_udp(int fd)
{
    raise_receive_buffer(fd);
    if (settings[XLIO_TX_MC_LOOPBACK] == UNSET)
        return;
    int loops = (int)settings[XLIO_TX_MC_LOOPBACK];
    if (option(fd, SOL_SOCKET, SO_DOMAIN) == AF_INET6)
        set_number(XLIO_TX_MC_LOOPBACK, fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, loops);
    else
        set_number(XLIO_TX_MC_LOOPBACK, fd, IPPROTO_IP, IP_MULTICAST_LOOP, loops);
}

static int shaped(int fd)
{
    int kept = errno;
    if (fd >= 0 && is_internet(fd)) {
        int protocol = option(fd, SOL_SOCKET, SO_PROTOCOL);
        if (protocol == IPPROTO_TCP)
            shape_tcp(fd);
        else if (protocol == IPPROTO_UDP)
            shape_udp(fd);
    }
    errno = kept;
    return fd;
}

EXPORTED int socket(int domain, int type, int protocol)
{
    return is_plain(&plain.sockets) ? next.socket(domain, type, protocol)
                                    : shaped(next.socket(domain, type, protocol));
}

EXPORTED int accept(int fd, __SOCKADDR_ARG peer, socklen_t *restrict size)
{
    return is_plain(&plain.sockets) ? next.accept(fd, peer.__sockaddr__, size)
                                    : shaped(next.accept(fd, peer.__sockaddr__, size));
}

EXPORTED int accept4(int fd, __SOCKADDR_ARG peer, socklen_t *restrict size, int flags)
{
    return is_plain(&plain.sockets) ? next.accept4(fd, peer.__sockaddr__, size, flags)
                                    : shaped(next.accept4(fd, peer.__sockaddr__, size, flags));
}

static void follow(int fd, int name)
{
    int kept = errno;
    if (name == SO_RCVLOWAT)
        atomic_store_explicit(&low_water_marks, true, memory_order_relaxed);
    if ((name == SO_RCVBUF || name == SO_RCVBUFFORCE) && is_internet(fd))
        raise_receive_buffer(fd);
    errno = kept;
}

EXPORTED int setsockopt(int fd, int level, int name, const void *value, socklen_t size)
{
    if (is_plain(&plain.sockets))
        return next.setsockopt(fd, level, name, value, size);
    int result = next.setsockopt(fd, level, name, value, size);
    if (result == 0 && level == SOL_SOCKET)
        follow(fd, name);
    return result;
}
