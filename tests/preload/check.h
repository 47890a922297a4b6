/* The vocabulary of the checks: each is a claim that must hold on plain sockets and under the library alike. */

#ifndef CHECK_H
#define CHECK_H

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Ends the program with status 1 and the place where the claim is false. */
#define EXPECT(condition)                                                                            \
    do {                                                                                             \
        if (!(condition)) {                                                                          \
            fprintf(stderr, "%s:%d: not true: %s (errno %d)\n", __FILE__, __LINE__, #condition, errno); \
            _exit(1);                                                                                \
        }                                                                                            \
    } while (0)

#define FAILS_WITH(call, error) (errno = 0, (call) == -1 && errno == (error))

/* Declares a check that the program runs when its name is the argument. */
#define CHECK_THAT(name)                                                         \
    static void name(void);                                                      \
    __attribute__((constructor)) static void list_##name(void) { list(#name, name); } \
    static void name(void)

void list(const char *name, void (*check)(void));

/* Two connected internet sockets. */
struct ends {
    int here;
    int there;
};

enum kind { TCP4, TCP6, UDP4, UDP6, KINDS };

struct ends connect_ends(enum kind kind);
void close_ends(struct ends ends);
bool is_tcp(enum kind kind);

/* Every way to receive: up to `size` bytes in `data`. The flags are ignored by read and readv. */
enum way { READ, READV, RECV, RECVFROM, RECVMSG, RECVMMSG, READ_CHK, RECV_CHK, RECVFROM_CHK, WAYS };

ssize_t receive(enum way way, int fd, void *data, size_t size, int flags);
bool takes_flags(enum way way);

/* Calls what a program compiled with _FORTIFY_SOURCE calls, with more to fill than there is room. Does not return. */
void overrun(enum way way, int fd);

/* Every way to wait for several descriptors: here, for `fd` to become readable. A negative time means for ever. */
enum waiting { SELECT, PSELECT, POLL, PPOLL, EPOLL_WAIT, EPOLL_PWAIT, EPOLL_PWAIT2, POLL_CHK, PPOLL_CHK, WAITINGS };

int wait_readable(enum waiting waiting, int fd, int timeout_ms);
int wait_readable_masked(enum waiting waiting, int fd, int timeout_ms, const sigset_t *mask);
bool takes_mask(enum waiting waiting);

/* Runs `action` in a thread as soon as the thread that asked sleeps, or after `patience_ms` if it never does.
 *
 * A thread that polls for ever never sleeps. Nothing depends on which of the two it was.
 */
struct later {
    pthread_t thread;
    pid_t waiter;
    int patience_ms;
    void (*action)(void *);
    void *argument;
};

void start_later(struct later *later, void (*action)(void *), void *argument);
void finish_later(struct later *later);

/* The state of a thread of this process, as /proc/PID/stat has it: R runs, S sleeps. */
char thread_state(pid_t thread);

void send_byte(void *fd);
long long clock_ns(clockid_t clock);

/* Interrupts this thread with SIGALRM every few milliseconds until it is stopped. */
void start_alarms(void);
void stop_alarms(void);
void install(int signal, void (*handler)(int), int flags);

#endif
