#include "check.h"

#include <arpa/inet.h>
#include <sys/syscall.h>

ssize_t __read_chk(int, void *, size_t, size_t);
ssize_t __recv_chk(int, void *, size_t, size_t, int);
ssize_t __recvfrom_chk(int, void *, size_t, size_t, int, struct sockaddr *, socklen_t *);
int __poll_chk(struct pollfd *, nfds_t, int, size_t);
int __ppoll_chk(struct pollfd *, nfds_t, const struct timespec *, const sigset_t *, size_t);

static struct {
    const char *name;
    void (*check)(void);
} checks[128];

static int listed;

void list(const char *name, void (*check)(void))
{
    checks[listed].name = name;
    checks[listed].check = check;
    listed++;
}

int main(int count, char **names)
{
    for (int i = 0; count == 2 && i < listed; i++)
        if (strcmp(checks[i].name, names[1]) == 0) {
            checks[i].check();
            return 0;
        }
    fprintf(stderr, "there is no such check\n");
    return 2;
}

bool is_tcp(enum kind kind)
{
    return kind == TCP4 || kind == TCP6;
}

static socklen_t loopback(enum kind kind, struct sockaddr_storage *address)
{
    memset(address, 0, sizeof *address);
    if (kind == TCP6 || kind == UDP6) {
        *(struct sockaddr_in6 *)address = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
        return sizeof(struct sockaddr_in6);
    }
    *(struct sockaddr_in *)address =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    return sizeof(struct sockaddr_in);
}

static int bound_socket(enum kind kind, struct sockaddr_storage *address, socklen_t *size)
{
    *size = loopback(kind, address);
    int fd = socket(address->ss_family, is_tcp(kind) ? SOCK_STREAM : SOCK_DGRAM, 0);
    EXPECT(fd >= 0);
    EXPECT(bind(fd, (struct sockaddr *)address, *size) == 0);
    EXPECT(getsockname(fd, (struct sockaddr *)address, size) == 0);
    return fd;
}

struct ends connect_ends(enum kind kind)
{
    struct sockaddr_storage here, there;
    socklen_t here_size, there_size;
    struct ends ends = {.here = bound_socket(kind, &here, &here_size),
                        .there = bound_socket(kind, &there, &there_size)};
    if (!is_tcp(kind)) {
        EXPECT(connect(ends.here, (struct sockaddr *)&there, there_size) == 0);
        EXPECT(connect(ends.there, (struct sockaddr *)&here, here_size) == 0);
        return ends;
    }
    int listener = ends.there;
    EXPECT(listen(listener, 1) == 0);
    EXPECT(connect(ends.here, (struct sockaddr *)&there, there_size) == 0);
    ends.there = accept(listener, NULL, NULL);
    EXPECT(ends.there >= 0);
    close(listener);
    return ends;
}

void close_ends(struct ends ends)
{
    close(ends.here);
    close(ends.there);
}

bool takes_flags(enum way way)
{
    return way != READ && way != READV && way != READ_CHK;
}

static ssize_t receive_messages(int fd, struct iovec *piece, int flags)
{
    struct mmsghdr message = {.msg_hdr = {.msg_iov = piece, .msg_iovlen = 1}};
    int got = recvmmsg(fd, &message, 1, flags, NULL);
    return got == 1 ? (ssize_t)message.msg_len : got;
}

ssize_t receive(enum way way, int fd, void *data, size_t size, int flags)
{
    struct iovec piece = {.iov_base = data, .iov_len = size};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
    struct sockaddr_storage from;
    socklen_t from_size = sizeof from;
    switch (way) {
    case READ:
        return read(fd, data, size);
    case READV:
        return readv(fd, &piece, 1);
    case RECV:
        return recv(fd, data, size, flags);
    case RECVFROM:
        return recvfrom(fd, data, size, flags, (struct sockaddr *)&from, &from_size);
    case RECVMSG:
        return recvmsg(fd, &message, flags);
    case RECVMMSG:
        return receive_messages(fd, &piece, flags);
    case READ_CHK:
        return __read_chk(fd, data, size, size);
    case RECV_CHK:
        return __recv_chk(fd, data, size, size, flags);
    default:
        return __recvfrom_chk(fd, data, size, size, flags, (struct sockaddr *)&from, &from_size);
    }
}

void overrun(enum way way, int fd)
{
    char data[8];
    if (way == READ_CHK)
        __read_chk(fd, data, sizeof data, 4);
    else if (way == RECV_CHK)
        __recv_chk(fd, data, sizeof data, 4, 0);
    else
        __recvfrom_chk(fd, data, sizeof data, 4, 0, NULL, NULL);
}

bool takes_mask(enum waiting waiting)
{
    return waiting == PSELECT || waiting == PPOLL || waiting == EPOLL_PWAIT || waiting == EPOLL_PWAIT2 ||
           waiting == PPOLL_CHK;
}

int wait_readable(enum waiting waiting, int fd, int timeout_ms)
{
    return wait_readable_masked(waiting, fd, timeout_ms, NULL);
}

static int wait_epoll(enum waiting waiting, int fd, int timeout_ms, const struct timespec *limit, const sigset_t *mask)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    int epoll = epoll_create1(0);
    EXPECT(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0);
    memset(&event, 0, sizeof event);
    int ready = waiting == EPOLL_WAIT    ? epoll_wait(epoll, &event, 1, timeout_ms)
                : waiting == EPOLL_PWAIT ? epoll_pwait(epoll, &event, 1, timeout_ms, mask)
                                         : epoll_pwait2(epoll, &event, 1, limit, mask);
    int error = errno;
    EXPECT(ready <= 0 || event.data.fd == fd);
    close(epoll);
    errno = error;
    return ready;
}

static int wait_poll(enum waiting waiting, int fd, int timeout_ms, const struct timespec *limit, const sigset_t *mask)
{
    struct pollfd file = {.fd = fd, .events = POLLIN};
    int ready = waiting == POLL       ? poll(&file, 1, timeout_ms)
                : waiting == POLL_CHK ? __poll_chk(&file, 1, timeout_ms, sizeof file)
                : waiting == PPOLL    ? ppoll(&file, 1, limit, mask)
                                      : __ppoll_chk(&file, 1, limit, mask, sizeof file);
    EXPECT(ready <= 0 || file.revents & POLLIN);
    return ready;
}

static int wait_select(enum waiting waiting, int fd, int timeout_ms, const struct timespec *limit, const sigset_t *mask)
{
    struct timeval time = {.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000};
    fd_set set;
    FD_ZERO(&set);
    FD_SET(fd, &set);
    int ready = waiting == SELECT ? select(fd + 1, &set, NULL, NULL, timeout_ms < 0 ? NULL : &time)
                                  : pselect(fd + 1, &set, NULL, NULL, limit, mask);
    EXPECT(ready < 0 || !!FD_ISSET(fd, &set) == ready);
    return ready;
}

int wait_readable_masked(enum waiting waiting, int fd, int timeout_ms, const sigset_t *mask)
{
    struct timespec time = {.tv_sec = timeout_ms / 1000, .tv_nsec = timeout_ms % 1000 * 1000000L};
    const struct timespec *limit = timeout_ms < 0 ? NULL : &time;
    if (waiting == SELECT || waiting == PSELECT)
        return wait_select(waiting, fd, timeout_ms, limit, mask);
    if (waiting == EPOLL_WAIT || waiting == EPOLL_PWAIT || waiting == EPOLL_PWAIT2)
        return wait_epoll(waiting, fd, timeout_ms, limit, mask);
    return wait_poll(waiting, fd, timeout_ms, limit, mask);
}

long long clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

/* Bare system calls: the checks count what goes through the library. */
char thread_state(pid_t thread)
{
    char path[64], text[512];
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)thread);
    int file = open(path, O_RDONLY);
    ssize_t size = syscall(SYS_read, file, text, sizeof text - 1);
    close(file);
    EXPECT(size > 0);
    text[size] = '\0';
    return strrchr(text, ')')[2];
}

static void *wait_then_act(void *argument)
{
    struct later *later = argument;
    static const struct timespec millisecond = {.tv_nsec = 1000000};
    for (int i = 0; i < later->patience_ms && thread_state(later->waiter) != 'S'; i++)
        nanosleep(&millisecond, NULL);
    later->action(later->argument);
    return NULL;
}

void start_later(struct later *later, void (*action)(void *), void *argument)
{
    later->waiter = (pid_t)syscall(SYS_gettid);
    later->patience_ms = 15;
    later->action = action;
    later->argument = argument;
    EXPECT(pthread_create(&later->thread, NULL, wait_then_act, later) == 0);
}

void finish_later(struct later *later)
{
    EXPECT(pthread_join(later->thread, NULL) == 0);
}

void send_byte(void *fd)
{
    EXPECT(send(*(int *)fd, "x", 1, 0) == 1);
}

void install(int signal, void (*handler)(int), int flags)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    EXPECT(sigaction(signal, &action, NULL) == 0);
}

static void repeat_alarms(long interval_us)
{
    struct itimerval alarms = {.it_interval.tv_usec = interval_us, .it_value.tv_usec = interval_us};
    EXPECT(setitimer(ITIMER_REAL, &alarms, NULL) == 0);
}

void start_alarms(void)
{
    repeat_alarms(3000);
}

void stop_alarms(void)
{
    repeat_alarms(0);
}
