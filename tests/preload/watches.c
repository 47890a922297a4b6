/* What select, poll, epoll_wait and their variants return, however long they looked before they slept. */

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "check.h"

#define FOR_EACH_WAITING for (enum waiting waiting = 0; waiting < WAITINGS; waiting++)

CHECK_THAT(what_is_ready_is_found)
{
    for (enum kind kind = 0; kind < KINDS; kind++) {
        struct ends ends = connect_ends(kind);
        send_byte(&ends.there);
        FOR_EACH_WAITING
        {
            EXPECT(wait_readable(waiting, ends.here, 0) == 1);
            EXPECT(wait_readable(waiting, ends.here, 60000) == 1);
            EXPECT(wait_readable(waiting, ends.here, -1) == 1);
        }
        close_ends(ends);
    }
}

CHECK_THAT(what_becomes_ready_is_found)
{
    for (enum kind kind = 0; kind < KINDS; kind++) {
        struct ends ends = connect_ends(kind);
        FOR_EACH_WAITING
        {
            struct later later;
            char data[8];
            start_later(&later, send_byte, &ends.there);
            EXPECT(wait_readable(waiting, ends.here, waiting % 2 ? -1 : 60000) == 1);
            EXPECT(recv(ends.here, data, sizeof data, MSG_DONTWAIT) == 1);
            finish_later(&later);
        }
        close_ends(ends);
    }
}

static void expect_limit(enum waiting waiting, int fd, int limit_ms)
{
    long long start_ns = clock_ns(CLOCK_MONOTONIC);
    EXPECT(wait_readable(waiting, fd, limit_ms) == 0);
    EXPECT(clock_ns(CLOCK_MONOTONIC) - start_ns >= limit_ms * 1000000LL);
}

CHECK_THAT(a_time_limit_of_a_watch_is_kept)
{
    struct ends ends = connect_ends(TCP4);
    int pair[2];
    EXPECT(pipe(pair) == 0);
    FOR_EACH_WAITING
    {
        expect_limit(waiting, ends.here, 0);
        expect_limit(waiting, ends.here, 1);
        expect_limit(waiting, ends.here, 12);
        expect_limit(waiting, pair[0], 5);
    }
    close_ends(ends);
}

CHECK_THAT(wrong_time_limits_are_refused)
{
    struct ends ends = connect_ends(TCP4);
    struct pollfd file = {.fd = ends.here, .events = POLLIN};
    struct timespec wrong[] = {{.tv_sec = -1}, {.tv_nsec = -1}, {.tv_nsec = 1000000000}};
    struct timeval negative[] = {{.tv_sec = -1}, {.tv_usec = -1}};
    fd_set set;
    FD_ZERO(&set);
    FD_SET(ends.here, &set);
    for (int i = 0; i < 3; i++) {
        EXPECT(FAILS_WITH(ppoll(&file, 1, &wrong[i], NULL), EINVAL));
        EXPECT(FAILS_WITH(pselect(ends.here + 1, &set, NULL, NULL, &wrong[i], NULL), EINVAL));
    }
    for (int i = 0; i < 2; i++)
        EXPECT(FAILS_WITH(select(ends.here + 1, &set, NULL, NULL, &negative[i]), EINVAL));
    close_ends(ends);
}

CHECK_THAT(endless_time_limits_are_endless)
{
    struct ends ends = connect_ends(TCP4);
    struct timespec endless = {.tv_sec = __LONG_MAX__, .tv_nsec = 999999999};
    struct pollfd file = {.fd = ends.here, .events = POLLIN};
    struct later later;
    start_later(&later, send_byte, &ends.there);
    EXPECT(ppoll(&file, 1, &endless, NULL) == 1);
    finish_later(&later);
    close_ends(ends);
}

CHECK_THAT(wrong_descriptors_are_told)
{
    struct ends ends = connect_ends(TCP4);
    int closed = dup(ends.here);
    close(closed);
    struct pollfd files[2] = {{.fd = ends.here, .events = POLLIN}, {.fd = closed, .events = POLLIN}};
    fd_set set;
    FD_ZERO(&set);
    FD_SET(closed, &set);
    EXPECT(poll(files, 2, -1) == 1 && files[0].revents == 0 && files[1].revents == POLLNVAL);
    EXPECT(FAILS_WITH(select(closed + 1, &set, NULL, NULL, NULL), EBADF));
    EXPECT(FD_ISSET(closed, &set));
    EXPECT(FAILS_WITH(select(-1, NULL, NULL, NULL, NULL), EINVAL));
    close_ends(ends);
}

CHECK_THAT(wrong_epoll_calls_are_refused)
{
    struct ends ends = connect_ends(TCP4);
    const sigset_t none = {0};
    struct epoll_event event;
    int epoll = epoll_create1(0);
    EXPECT(FAILS_WITH(epoll_wait(ends.here, &event, 1, -1), EINVAL));
    EXPECT(FAILS_WITH(epoll_wait(-1, &event, 1, -1), EBADF));
    EXPECT(FAILS_WITH(epoll_pwait(ends.here, &event, 1, -1, &none), EINVAL));
    EXPECT(FAILS_WITH(epoll_wait(epoll, &event, 0, -1), EINVAL));
    EXPECT(FAILS_WITH(epoll_pwait(epoll, &event, 0, -1, &none), EINVAL));
    close(epoll);
    close_ends(ends);
}

static int select_two(struct ends first, struct ends second, fd_set sets[3], struct timeval *limit)
{
    int highest = (first.here > second.here ? first.here : second.here) + 1;
    for (int i = 0; i < 3; i++) {
        FD_ZERO(&sets[i]);
        if (i != 1) {
            FD_SET(first.here, &sets[i]);
            FD_SET(second.here, &sets[i]);
        }
    }
    return select(highest, &sets[0], &sets[1], &sets[2], limit);
}

CHECK_THAT(only_what_is_ready_stays_in_a_set)
{
    struct ends first = connect_ends(TCP4), second = connect_ends(UDP4);
    fd_set sets[3];
    struct later later;
    struct timeval limit = {.tv_sec = 60};
    start_later(&later, send_byte, &second.there);
    EXPECT(select_two(first, second, sets, &limit) == 1);
    finish_later(&later);
    EXPECT(FD_ISSET(second.here, &sets[0]) && !FD_ISSET(first.here, &sets[0]));
    EXPECT(!FD_ISSET(first.here, &sets[2]) && !FD_ISSET(second.here, &sets[2]));
    EXPECT(limit.tv_sec < 60 && limit.tv_usec < 1000000);
    close_ends(first);
    close_ends(second);
}

CHECK_THAT(a_set_is_empty_when_time_is_up)
{
    struct ends first = connect_ends(TCP4), second = connect_ends(UDP4);
    fd_set sets[3];
    struct timeval limit = {.tv_usec = 5000};
    EXPECT(select_two(first, second, sets, &limit) == 0);
    for (int i = 0; i < 3; i++)
        EXPECT(!FD_ISSET(first.here, &sets[i]) && !FD_ISSET(second.here, &sets[i]));
    EXPECT(limit.tv_sec == 0 && limit.tv_usec == 0);
    close_ends(first);
    close_ends(second);
}

static void ignore(int signal)
{
    (void)signal;
}

CHECK_THAT(a_set_is_as_it_was_when_a_handler_ends_the_wait)
{
    struct ends first = connect_ends(TCP4), second = connect_ends(UDP4);
    fd_set sets[3];
    struct timeval limit = {.tv_sec = 60};
    install(SIGALRM, ignore, 0);
    start_alarms();
    EXPECT(FAILS_WITH(select_two(first, second, sets, &limit), EINTR));
    stop_alarms();
    EXPECT(FD_ISSET(first.here, &sets[0]) && FD_ISSET(second.here, &sets[2]));
    EXPECT(limit.tv_sec < 60);
    close_ends(first);
    close_ends(second);
}

CHECK_THAT(writing_and_the_end_are_watched_too)
{
    struct ends ends = connect_ends(TCP6);
    struct pollfd file = {.fd = ends.here, .events = POLLIN | POLLOUT};
    EXPECT(poll(&file, 1, -1) == 1 && file.revents == POLLOUT);
    EXPECT(shutdown(ends.there, SHUT_RDWR) == 0);
    file.events = POLLRDHUP;
    EXPECT(poll(&file, 1, -1) == 1 && file.revents & POLLRDHUP);
    close_ends(ends);
}

/* Processor time is compared with the limit, and that does not grow with the load of the machine. */
#define EXPECT_SLEEP(call)                                                     \
    do {                                                                       \
        long long cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);                  \
        EXPECT((call) == 0);                                                   \
        EXPECT(clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu_ns < 10000000);         \
    } while (0)

CHECK_THAT(an_epoll_descriptor_without_an_internet_socket_is_slept_on)
{
    int pipes[2], epoll = epoll_create1(EPOLL_CLOEXEC), outer = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN};
    EXPECT(pipe(pipes) == 0);
    EXPECT(epoll_ctl(epoll, EPOLL_CTL_ADD, pipes[0], &event) == 0);
    EXPECT(epoll_ctl(outer, EPOLL_CTL_ADD, epoll, &event) == 0);
    EXPECT_SLEEP(epoll_wait(epoll, &event, 1, 300));
    EXPECT_SLEEP(epoll_pwait(outer, &event, 1, 300, NULL));
    EXPECT(write(pipes[1], "x", 1) == 1);
    EXPECT(epoll_wait(outer, &event, 1, 1000) == 1);
    close(outer);
    close(epoll);
    close(pipes[0]);
    close(pipes[1]);
}

/* Ends this process at a call that a receive or a poll of the program's own would not make. */
static void shut_in(void)
{
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getsockopt, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_setsockopt, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL),
    };
    struct sock_fprog filter = {.len = sizeof steps / sizeof *steps, .filter = steps};
    EXPECT(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    EXPECT(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0) == 0);
}

CHECK_THAT(who_shuts_itself_in_makes_no_call_of_ours)
{
    struct ends ends = connect_ends(TCP6);
    int status;
    pid_t child = fork();
    if (child == 0) {
        char byte;
        struct pollfd file = {.fd = ends.here, .events = POLLIN};
        shut_in();
        _exit(poll(&file, 1, 10000) == 1 && recv(ends.here, &byte, 1, 0) == 1 ? 0 : 1);
    }
    usleep(50000); /* so that it waits, and would look what kind of socket that is */
    EXPECT(write(ends.there, "x", 1) == 1);
    EXPECT(waitpid(child, &status, 0) == child);
    EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    close_ends(ends);
}

CHECK_THAT(watching_nothing_is_sleeping)
{
    struct pollfd nothing[2] = {{.fd = -1, .events = POLLIN}, {.fd = -7, .events = POLLIN}};
    fd_set empty, also_empty;
    FD_ZERO(&empty);
    FD_ZERO(&also_empty);
    EXPECT_SLEEP(poll(NULL, 0, 30));
    EXPECT_SLEEP(poll(nothing, 2, 30));
    EXPECT_SLEEP(ppoll(NULL, 0, &(struct timespec){.tv_nsec = 30000000}, NULL));
    EXPECT_SLEEP(select(0, NULL, NULL, NULL, &(struct timeval){.tv_usec = 30000}));
    EXPECT_SLEEP(select(20, &empty, &also_empty, NULL, &(struct timeval){.tv_usec = 30000}));
}

CHECK_THAT(an_edge_is_reported_once)
{
    struct ends ends = connect_ends(TCP4);
    int epoll = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN | EPOLLET};
    EXPECT(epoll_ctl(epoll, EPOLL_CTL_ADD, ends.here, &event) == 0);
    send_byte(&ends.there);
    EXPECT(epoll_wait(epoll, &event, 1, -1) == 1);
    EXPECT(epoll_wait(epoll, &event, 1, 5) == 0);
    EXPECT(epoll_pwait(epoll, &event, 1, 5, &(sigset_t){0}) == 0);
    close(epoll);
    close_ends(ends);
}

CHECK_THAT(a_successful_watch_keeps_errno)
{
    struct ends ends = connect_ends(TCP4);
    FOR_EACH_WAITING
    {
        errno = EXDEV;
        EXPECT(wait_readable(waiting, ends.here, 3) == 0 && errno == EXDEV);
    }
    close_ends(ends);
}

struct victim {
    enum waiting waiting;
    int fd;
};

static void *watch_for_ever(void *argument)
{
    struct victim *victim = argument;
    sigset_t none;
    sigemptyset(&none);
    wait_readable_masked(victim->waiting, victim->fd, -1, takes_mask(victim->waiting) ? &none : NULL);
    return NULL;
}

static void cancel(void *thread)
{
    EXPECT(pthread_cancel(*(pthread_t *)thread) == 0);
}

CHECK_THAT(a_watch_can_be_cancelled)
{
    struct ends ends = connect_ends(TCP4);
    FOR_EACH_WAITING
    {
        struct victim victim = {.waiting = waiting, .fd = ends.here};
        pthread_t thread;
        struct later later;
        void *result;
        EXPECT(pthread_create(&thread, NULL, watch_for_ever, &victim) == 0);
        start_later(&later, cancel, &thread);
        EXPECT(pthread_join(thread, &result) == 0 && result == PTHREAD_CANCELED);
        finish_later(&later);
    }
    close_ends(ends);
}

CHECK_THAT(large_descriptor_numbers_are_selected)
{
    struct ends ends = connect_ends(TCP4);
    int high = fcntl(ends.here, F_DUPFD, FD_SETSIZE - 1);
    if (high != FD_SETSIZE - 1)
        return; /* the limit on open files is lower: there is no such descriptor to select */
    fd_set set;
    FD_ZERO(&set);
    FD_SET(high, &set);
    send_byte(&ends.there);
    EXPECT(select(FD_SETSIZE, &set, NULL, NULL, NULL) == 1 && FD_ISSET(high, &set));
    close(high);
    close_ends(ends);
}
