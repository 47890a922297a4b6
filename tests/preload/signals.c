/* What signal handlers do to calls that wait, and what the program sees of its handlers. */

#include <sys/syscall.h>

#include "check.h"

static volatile sig_atomic_t handled;
static volatile sig_atomic_t receiver;

static void count(int signal)
{
    (void)signal;
    handled++;
}

/* Sends what the interrupted call waits for, once the call has been interrupted a few times. */
static void count_then_send(int signal)
{
    (void)signal;
    if (++handled == 3) {
        int sender = receiver;
        send_byte(&sender);
    }
}

static void expect_interruption(enum way way, int fd)
{
    char data[8];
    handled = 0;
    start_alarms();
    EXPECT(FAILS_WITH(receive(way, fd, data, sizeof data, 0), EINTR));
    EXPECT(handled > 0);
    if (takes_flags(way))
        EXPECT(FAILS_WITH(receive(way, fd, data, sizeof data, MSG_WAITALL), EINTR));
    stop_alarms();
}

CHECK_THAT(a_handler_ends_a_receive)
{
    install(SIGALRM, count, 0);
    for (enum way way = 0; way < WAYS; way++) {
        struct ends ends = connect_ends((enum kind)(way % KINDS));
        expect_interruption(way, ends.here);
        close_ends(ends);
    }
}

CHECK_THAT(a_handler_with_information_ends_a_receive)
{
    struct ends ends = connect_ends(TCP4);
    install(SIGALRM, count, SA_SIGINFO | SA_NODEFER);
    expect_interruption(RECV, ends.here);
    close_ends(ends);
}

static void expect_no_interruption(enum way way, struct ends ends)
{
    char data[8];
    handled = 0;
    receiver = ends.there;
    start_alarms();
    EXPECT(receive(way, ends.here, data, sizeof data, 0) == 1);
    stop_alarms();
    EXPECT(handled >= 3);
}

CHECK_THAT(a_restarting_handler_does_not_end_a_receive)
{
    install(SIGALRM, count_then_send, SA_RESTART);
    for (enum way way = 0; way < WAYS; way++) {
        struct ends ends = connect_ends((enum kind)(way % KINDS));
        expect_no_interruption(way, ends);
        close_ends(ends);
    }
}

CHECK_THAT(any_handler_ends_a_receive_with_a_time_limit)
{
    struct ends ends = connect_ends(UDP4);
    struct timeval limit = {.tv_sec = 60};
    EXPECT(setsockopt(ends.here, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0);
    install(SIGALRM, count, SA_RESTART);
    for (enum way way = 0; way < WAYS; way++)
        expect_interruption(way, ends.here);
    close_ends(ends);
}

CHECK_THAT(the_older_ways_to_install_handlers_mean_what_they_mean)
{
    struct ends ends = connect_ends(TCP4);
    EXPECT(signal(SIGALRM, count_then_send) == SIG_DFL);
    expect_no_interruption(RECV, ends);
    EXPECT(siginterrupt(SIGALRM, 1) == 0);
    EXPECT(signal(SIGALRM, count) == count_then_send);
    expect_interruption(RECV, ends.here);
    EXPECT(siginterrupt(SIGALRM, 0) == 0);
    EXPECT(signal(SIGALRM, count_then_send) == count);
    expect_no_interruption(RECV, ends);
    close_ends(ends);
}

CHECK_THAT(siginterrupt_changes_a_handler_that_is_installed)
{
    struct ends ends = connect_ends(TCP4);
    install(SIGALRM, count_then_send, SA_RESTART);
    expect_no_interruption(RECV, ends);
    EXPECT(siginterrupt(SIGALRM, 1) == 0);
    install(SIGUSR1, count, 0);
    handled = 10;
    char data[8];
    start_alarms();
    EXPECT(FAILS_WITH(recv(ends.here, data, sizeof data, 0), EINTR));
    stop_alarms();
    close_ends(ends);
}

CHECK_THAT(the_program_sees_its_own_handlers)
{
    struct sigaction before;
    install(SIGUSR1, count, SA_RESTART);
    EXPECT(sigaction(SIGUSR1, NULL, &before) == 0);
    EXPECT(before.sa_handler == count && before.sa_flags & SA_RESTART && !(before.sa_flags & SA_SIGINFO));
    EXPECT(signal(SIGUSR1, SIG_IGN) == count);
    EXPECT(signal(SIGUSR1, count) == SIG_IGN);
    struct sigaction plain = {.sa_handler = SIG_DFL};
    EXPECT(sigaction(SIGUSR1, &plain, &before) == 0 && before.sa_handler == count);
    EXPECT(sigaction(SIGUSR1, NULL, &before) == 0 && before.sa_handler == SIG_DFL);
    EXPECT(sigset(SIGUSR1, count) == SIG_DFL);
    EXPECT(sigset(SIGUSR1, SIG_DFL) == count);
}

CHECK_THAT(wrong_signals_are_refused)
{
    struct sigaction action = {.sa_handler = count};
    int wrong[] = {0, -1, 65, 1000, SIGKILL, SIGSTOP, 32};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        EXPECT(FAILS_WITH(sigaction(wrong[i], &action, NULL), EINVAL));
        errno = 0;
        EXPECT(signal(wrong[i], count) == SIG_ERR && errno == EINVAL);
    }
}

static volatile sig_atomic_t told_value, told_blocked;

static void remember(int signal, siginfo_t *information, void *context)
{
    sigset_t blocked;
    EXPECT(signal == SIGUSR2 && context);
    pthread_sigmask(SIG_BLOCK, NULL, &blocked);
    told_value = information->si_value.sival_int;
    told_blocked = sigismember(&blocked, SIGHUP);
}

CHECK_THAT(a_handler_gets_all_it_asked_for)
{
    struct sigaction action = {.sa_sigaction = remember, .sa_flags = SA_SIGINFO | SA_RESETHAND}, before;
    sigaddset(&action.sa_mask, SIGHUP);
    EXPECT(sigaction(SIGUSR2, &action, NULL) == 0);
    EXPECT(sigqueue(getpid(), SIGUSR2, (union sigval){.sival_int = 42}) == 0);
    EXPECT(told_value == 42 && told_blocked);
    EXPECT(sigaction(SIGUSR2, NULL, &before) == 0 && before.sa_handler == SIG_DFL);
}


static void *receive_one(void *ends)
{
    char data[8];
    EXPECT(recv(((struct ends *)ends)->here, data, sizeof data, 0) == 1);
    return NULL;
}

CHECK_THAT(a_handler_in_another_thread_ends_nothing_here)
{
    struct ends ends = connect_ends(TCP4);
    pthread_t thread;
    install(SIGALRM, count, 0);
    EXPECT(pthread_create(&thread, NULL, receive_one, &ends) == 0);
    for (handled = 0; handled < 5;) {
        EXPECT(pthread_kill(pthread_self(), SIGALRM) == 0);
        sched_yield();
    }
    send_byte(&ends.there);
    EXPECT(pthread_join(thread, NULL) == 0);
    close_ends(ends);
}

static volatile sig_atomic_t time_is_up;

static void end_test(int signal)
{
    (void)signal;
    time_is_up = 1;
}

/* sockperf's way: the alarm handler sets a flag, and the loop looks at it when a receive comes back. */
CHECK_THAT(a_loop_ends_when_its_alarm_sets_a_flag)
{
    for (enum kind kind = 0; kind < KINDS; kind++) {
        struct ends ends = connect_ends(kind);
        char data[8];
        time_is_up = 0;
        install(SIGALRM, end_test, 0);
        start_alarms();
        while (!time_is_up)
            EXPECT(FAILS_WITH(recvfrom(ends.here, data, sizeof data, 0, NULL, NULL), EINTR));
        stop_alarms();
        close_ends(ends);
    }
}

CHECK_THAT(any_handler_ends_a_watch)
{
    struct ends ends = connect_ends(TCP4);
    for (int flags = 0; flags <= 1; flags++)
        for (enum waiting waiting = 0; waiting < WAITINGS; waiting++)
            for (int limit_ms = -1; limit_ms < 60001; limit_ms += 60001) {
                install(SIGALRM, count, flags ? SA_RESTART : 0);
                start_alarms();
                EXPECT(FAILS_WITH(wait_readable(waiting, ends.here, limit_ms), EINTR));
                stop_alarms();
            }
    close_ends(ends);
}

static sigset_t one_signal(int signal)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal);
    return set;
}

static void expect_mask(const sigset_t *expected)
{
    sigset_t found;
    EXPECT(pthread_sigmask(SIG_BLOCK, NULL, &found) == 0);
    for (int i = 1; i < NSIG; i++)
        EXPECT(sigismember(&found, i) == sigismember(expected, i));
}

CHECK_THAT(a_mask_lets_a_signal_in_for_the_wait_only)
{
    struct ends ends = connect_ends(UDP6);
    sigset_t blocked = one_signal(SIGUSR1), none;
    sigemptyset(&none);
    install(SIGUSR1, count, SA_RESTART);
    EXPECT(pthread_sigmask(SIG_SETMASK, &blocked, NULL) == 0);
    for (enum waiting waiting = 0; waiting < WAITINGS; waiting++)
        if (takes_mask(waiting)) {
            handled = 0;
            EXPECT(raise(SIGUSR1) == 0 && handled == 0);
            EXPECT(FAILS_WITH(wait_readable_masked(waiting, ends.here, -1, &none), EINTR));
            EXPECT(handled == 1);
            expect_mask(&blocked);
        }
    close_ends(ends);
}

static void kill_thread(void *thread)
{
    EXPECT(pthread_kill(*(pthread_t *)thread, SIGUSR1) == 0);
}

CHECK_THAT(a_masked_wait_is_ended_by_a_signal_that_comes_later)
{
    struct ends ends = connect_ends(TCP6);
    sigset_t blocked = one_signal(SIGUSR1), none;
    pthread_t here = pthread_self();
    sigemptyset(&none);
    install(SIGUSR1, count, 0);
    EXPECT(pthread_sigmask(SIG_SETMASK, &blocked, NULL) == 0);
    for (enum waiting waiting = 0; waiting < WAITINGS; waiting++)
        if (takes_mask(waiting)) {
            struct later later;
            handled = 0;
            start_later(&later, kill_thread, &here);
            EXPECT(FAILS_WITH(wait_readable_masked(waiting, ends.here, 60000, &none), EINTR));
            EXPECT(handled == 1);
            finish_later(&later);
            expect_mask(&blocked);
        }
    close_ends(ends);
}

struct signal_then_send {
    pthread_t thread;
    int fd;
};

/* In the moment of the send the signal has been pending for a while; it must not have been handled. */
static void signal_then_send(void *argument)
{
    struct signal_then_send *both = argument;
    static const struct timespec moment = {.tv_nsec = 2000000};
    EXPECT(pthread_kill(both->thread, SIGUSR1) == 0);
    nanosleep(&moment, NULL);
    EXPECT(handled == 0);
    send_byte(&both->fd);
}

CHECK_THAT(a_mask_keeps_a_signal_out_for_the_whole_wait)
{
    struct ends ends = connect_ends(TCP4);
    sigset_t masked = one_signal(SIGUSR1), none;
    struct signal_then_send both = {.thread = pthread_self(), .fd = ends.there};
    sigemptyset(&none);
    install(SIGUSR1, count, 0);
    for (enum waiting waiting = 0; waiting < WAITINGS; waiting++)
        if (takes_mask(waiting)) {
            struct later later;
            char data[8];
            handled = 0;
            start_later(&later, signal_then_send, &both);
            EXPECT(wait_readable_masked(waiting, ends.here, -1, &masked) == 1);
            EXPECT(handled == 1);
            finish_later(&later);
            expect_mask(&none);
            EXPECT(recv(ends.here, data, sizeof data, 0) == 1);
        }
    close_ends(ends);
}

CHECK_THAT(a_masked_wait_within_a_time_limit_ends)
{
    struct ends ends = connect_ends(TCP4);
    sigset_t masked = one_signal(SIGUSR1), none;
    sigemptyset(&none);
    for (enum waiting waiting = 0; waiting < WAITINGS; waiting++)
        if (takes_mask(waiting)) {
            EXPECT(wait_readable_masked(waiting, ends.here, 10, &masked) == 0);
            EXPECT(wait_readable_masked(waiting, ends.here, 0, &masked) == 0);
            expect_mask(&none);
        }
    close_ends(ends);
}
