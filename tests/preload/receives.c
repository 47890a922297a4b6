/* What a receive returns, however long it looked before it slept. */

#include "check.h"

#define FOR_EACH_KIND for (enum kind kind = 0; kind < KINDS; kind++)
#define FOR_EACH_WAY for (enum way way = 0; way < WAYS; way++)

static void receive_a_later_byte(enum way way, struct ends ends)
{
    struct later later;
    char data[8] = "";
    start_later(&later, send_byte, &ends.there);
    EXPECT(receive(way, ends.here, data, sizeof data, 0) == 1);
    EXPECT(data[0] == 'x');
    finish_later(&later);
}

CHECK_THAT(data_that_is_there_is_received)
{
    FOR_EACH_KIND
    {
        struct ends ends = connect_ends(kind);
        FOR_EACH_WAY
        {
            char data[8] = "";
            EXPECT(send(ends.there, "abc", 3, 0) == 3);
            EXPECT(receive(way, ends.here, data, sizeof data, 0) == 3);
            EXPECT(strcmp(data, "abc") == 0);
        }
        close_ends(ends);
    }
}

CHECK_THAT(data_that_comes_later_is_received)
{
    FOR_EACH_KIND
    {
        struct ends ends = connect_ends(kind);
        FOR_EACH_WAY
        {
            receive_a_later_byte(way, ends);
        }
        close_ends(ends);
    }
}

static void end_stream(void *fd)
{
    EXPECT(shutdown(*(int *)fd, SHUT_WR) == 0);
}

CHECK_THAT(the_end_of_a_stream_is_nothing)
{
    FOR_EACH_WAY
    {
        struct ends ends = connect_ends(way % 2 ? TCP4 : TCP6);
        struct later later;
        char data[8];
        start_later(&later, end_stream, &ends.there);
        EXPECT(receive(way, ends.here, data, sizeof data, 0) == 0);
        EXPECT(receive(way, ends.here, data, sizeof data, MSG_WAITALL) == 0);
        finish_later(&later);
        close_ends(ends);
    }
}

static void stop_receiving(void *fd)
{
    EXPECT(shutdown(*(int *)fd, SHUT_RD) == 0);
}

CHECK_THAT(a_shutdown_by_another_thread_ends_the_wait)
{
    struct ends ends = connect_ends(TCP4);
    struct later later;
    char data[8];
    start_later(&later, stop_receiving, &ends.here);
    EXPECT(recv(ends.here, data, sizeof data, 0) == 0);
    finish_later(&later);
    close_ends(ends);
}

/* Who may not wait finds no end of datagrams (EAGAIN), who waits does: a look tells less than a wait. */
CHECK_THAT(a_shutdown_ends_a_wait_for_datagrams_with_and_without_a_time_limit)
{
    FOR_EACH_WAY
    {
        struct ends ends = connect_ends(UDP4);
        struct later later;
        char data[8];
        if (way % 2)
            EXPECT(setsockopt(ends.here, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){.tv_sec = 5}, sizeof(struct timeval)) == 0);
        start_later(&later, stop_receiving, &ends.here);
        EXPECT(receive(way, ends.here, data, sizeof data, 0) == 0);
        finish_later(&later);
        EXPECT(receive(way, ends.here, data, sizeof data, 0) == 0);
        close_ends(ends);
    }
}

CHECK_THAT(a_receive_that_must_not_wait_does_not)
{
    FOR_EACH_KIND
    {
        struct ends ends = connect_ends(kind);
        FOR_EACH_WAY
        {
            char data[8];
            if (takes_flags(way)) {
                EXPECT(FAILS_WITH(receive(way, ends.here, data, sizeof data, MSG_DONTWAIT), EAGAIN));
                EXPECT(FAILS_WITH(receive(way, ends.here, data, sizeof data, MSG_DONTWAIT | MSG_WAITALL), EAGAIN));
            }
        }
        close_ends(ends);
    }
}

CHECK_THAT(a_nonblocking_socket_never_waits)
{
    FOR_EACH_KIND
    {
        struct ends ends = connect_ends(kind);
        int twin = dup(ends.here);
        char data[8];
        EXPECT(fcntl(twin, F_SETFL, O_NONBLOCK) == 0);
        FOR_EACH_WAY
        {
            EXPECT(FAILS_WITH(receive(way, ends.here, data, sizeof data, 0), EAGAIN));
            EXPECT(FAILS_WITH(receive(way, ends.here, data, sizeof data, MSG_WAITALL), EAGAIN));
        }
        struct later later;
        EXPECT(fcntl(ends.here, F_SETFL, 0) == 0);
        start_later(&later, send_byte, &ends.there);
        EXPECT(recv(twin, data, sizeof data, 0) == 1);
        finish_later(&later);
        close(twin);
        close_ends(ends);
    }
}

struct pieces {
    int fd;
    int count;
    int size;
};

static void send_pieces(void *argument)
{
    struct pieces *pieces = argument;
    for (int i = 0; i < pieces->count; i++) {
        char data[64];
        memset(data, 'a' + i, sizeof data);
        EXPECT(send(pieces->fd, data, (size_t)pieces->size, 0) == pieces->size);
        sched_yield();
    }
}

CHECK_THAT(a_receive_of_all_waits_for_all)
{
    FOR_EACH_WAY
    {
        struct ends ends = connect_ends(TCP4);
        struct pieces pieces = {.fd = ends.there, .count = 4, .size = 5};
        struct later later;
        char data[21] = "";
        if (takes_flags(way)) {
            start_later(&later, send_pieces, &pieces);
            EXPECT(receive(way, ends.here, data, 20, MSG_WAITALL) == 20);
            EXPECT(strcmp(data, "aaaaabbbbbcccccddddd") == 0);
            finish_later(&later);
        }
        close_ends(ends);
    }
}

static void send_some_and_end(void *fd)
{
    EXPECT(send(*(int *)fd, "abc", 3, 0) == 3);
    end_stream(fd);
}

CHECK_THAT(a_receive_of_all_takes_what_is_left_at_the_end)
{
    struct ends ends = connect_ends(TCP6);
    struct later later;
    char data[8];
    start_later(&later, send_some_and_end, &ends.there);
    EXPECT(recv(ends.here, data, sizeof data, MSG_WAITALL) == 3);
    finish_later(&later);
    close_ends(ends);
}

CHECK_THAT(a_peek_leaves_the_data_there)
{
    FOR_EACH_KIND
    {
        struct ends ends = connect_ends(kind);
        struct later later;
        char data[8] = "";
        start_later(&later, send_byte, &ends.there);
        EXPECT(recv(ends.here, data, sizeof data, MSG_PEEK) == 1);
        EXPECT(recv(ends.here, data, 1, MSG_PEEK | MSG_WAITALL) == 1);
        EXPECT(recv(ends.here, data, sizeof data, MSG_DONTWAIT) == 1);
        EXPECT(FAILS_WITH(recv(ends.here, data, sizeof data, MSG_DONTWAIT), EAGAIN));
        finish_later(&later);
        close_ends(ends);
    }
}

CHECK_THAT(the_error_queue_is_never_waited_for)
{
    FOR_EACH_KIND
    {
        struct ends ends = connect_ends(kind);
        struct msghdr message = {0};
        EXPECT(FAILS_WITH(recvmsg(ends.here, &message, MSG_ERRQUEUE), EAGAIN));
        close_ends(ends);
    }
}

CHECK_THAT(urgent_data_is_received_apart)
{
    struct ends ends = connect_ends(TCP4);
    char data[8] = "";
    EXPECT(FAILS_WITH(recv(ends.here, data, 1, MSG_OOB), EINVAL));
    EXPECT(send(ends.there, "ab!", 3, MSG_OOB) == 3);
    EXPECT(recv(ends.here, data, sizeof data, 0) == 2);
    EXPECT(recv(ends.here, data, 1, MSG_OOB) == 1 && data[0] == '!');
    close_ends(ends);
}

enum { LIMIT_MS = 20 };

static void limit_receives(int fd)
{
    struct timeval limit = {.tv_usec = LIMIT_MS * 1000};
    EXPECT(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0);
}

static void expect_limit(enum way way, int fd, int flags)
{
    char data[8];
    long long start_ns = clock_ns(CLOCK_MONOTONIC);
    EXPECT(FAILS_WITH(receive(way, fd, data, sizeof data, flags), EAGAIN));
    /* The kernel counts in ticks of up to 10 ms and may end one early. */
    EXPECT(clock_ns(CLOCK_MONOTONIC) - start_ns >= (LIMIT_MS - 10) * 1000000LL);
}

CHECK_THAT(a_time_limit_is_kept)
{
    FOR_EACH_KIND
    {
        struct ends ends = connect_ends(kind);
        limit_receives(ends.here);
        FOR_EACH_WAY
        expect_limit(way, ends.here, 0);
        expect_limit(RECV, ends.here, MSG_WAITALL);
        close_ends(ends);
    }
}

CHECK_THAT(data_within_a_time_limit_is_received)
{
    FOR_EACH_KIND
    {
        struct ends ends = connect_ends(kind);
        struct timeval limit = {.tv_sec = 60};
        EXPECT(setsockopt(ends.here, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0);
        FOR_EACH_WAY
        {
            receive_a_later_byte(way, ends);
        }
        close_ends(ends);
    }
}

CHECK_THAT(part_of_all_is_received_when_time_is_up)
{
    struct ends ends = connect_ends(TCP4);
    char data[8];
    limit_receives(ends.here);
    EXPECT(send(ends.there, "abc", 3, 0) == 3);
    EXPECT(recv(ends.here, data, sizeof data, MSG_WAITALL) == 3);
    close_ends(ends);
}

CHECK_THAT(a_low_water_mark_is_waited_for)
{
    FOR_EACH_WAY
    {
        struct ends ends = connect_ends(TCP4);
        int mark = 10;
        struct pieces pieces = {.fd = ends.there, .count = 4, .size = 3};
        struct later later;
        char data[32];
        EXPECT(setsockopt(ends.here, SOL_SOCKET, SO_RCVLOWAT, &mark, sizeof mark) == 0);
        start_later(&later, send_pieces, &pieces);
        EXPECT(receive(way, ends.here, data, sizeof data, 0) >= mark);
        finish_later(&later);
        close_ends(ends);
    }
}

CHECK_THAT(reading_nothing_waits_for_nothing)
{
    FOR_EACH_KIND
    {
        struct ends ends = connect_ends(kind);
        char byte;
        volatile int too_few = -1; /* unknown to the compiler, which would warn */
        struct iovec pieces[2] = {{.iov_base = &byte}, {.iov_base = &byte}};
        EXPECT(read(ends.here, &byte, 0) == 0);
        EXPECT(readv(ends.here, pieces, 2) == 0);
        EXPECT(readv(ends.here, pieces, 0) == 0);
        EXPECT(FAILS_WITH(readv(ends.here, pieces, too_few), EINVAL));
        EXPECT(recvmmsg(ends.here, NULL, 0, 0, NULL) == 0);
        close_ends(ends);
    }
}

CHECK_THAT(a_read_into_pieces_fills_them_in_order)
{
    struct ends ends = connect_ends(TCP4);
    char first[3] = "", second[4] = "";
    struct iovec pieces[2] = {{.iov_base = first, .iov_len = 2}, {.iov_base = second, .iov_len = 3}};
    EXPECT(send(ends.there, "abcde", 5, 0) == 5);
    EXPECT(readv(ends.here, pieces, 2) == 5);
    EXPECT(strcmp(first, "ab") == 0 && strcmp(second, "cde") == 0);
    close_ends(ends);
}

CHECK_THAT(a_refused_datagram_is_reported_once)
{
    FOR_EACH_WAY
    {
        struct ends ends = connect_ends(way % 2 ? UDP4 : UDP6);
        char data[8];
        close(ends.there);
        EXPECT(send(ends.here, "x", 1, 0) == 1);
        EXPECT(FAILS_WITH(receive(way, ends.here, data, sizeof data, way == RECV ? MSG_WAITALL : 0), ECONNREFUSED));
        EXPECT(FAILS_WITH(recv(ends.here, data, sizeof data, MSG_DONTWAIT), EAGAIN));
        close(ends.here);
    }
}

CHECK_THAT(an_empty_datagram_is_a_message)
{
    FOR_EACH_WAY
    {
        struct ends ends = connect_ends(way % 2 ? UDP4 : UDP6);
        char data[8];
        EXPECT(send(ends.there, NULL, 0, 0) == 0);
        EXPECT(send(ends.there, "x", 1, 0) == 1);
        EXPECT(receive(way, ends.here, data, sizeof data, 0) == 0);
        EXPECT(receive(way, ends.here, data, sizeof data, 0) == 1);
        close_ends(ends);
    }
}

CHECK_THAT(a_cut_datagram_is_told)
{
    struct ends ends = connect_ends(UDP4);
    char data[2];
    struct iovec piece = {.iov_base = data, .iov_len = sizeof data};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
    EXPECT(send(ends.there, "abc", 3, 0) == 3);
    EXPECT(recvmsg(ends.here, &message, 0) == 2 && message.msg_flags & MSG_TRUNC);
    EXPECT(send(ends.there, "abc", 3, 0) == 3);
    EXPECT(recv(ends.here, data, sizeof data, MSG_TRUNC) == 3);
    close_ends(ends);
}

CHECK_THAT(the_sender_is_named)
{
    struct ends ends = connect_ends(UDP4);
    struct sockaddr_in from = {0}, there = {0};
    socklen_t from_size = sizeof from, there_size = sizeof there;
    struct later later;
    char data[8];
    start_later(&later, send_byte, &ends.there);
    EXPECT(recvfrom(ends.here, data, sizeof data, 0, (struct sockaddr *)&from, &from_size) == 1);
    finish_later(&later);
    EXPECT(getsockname(ends.there, (struct sockaddr *)&there, &there_size) == 0);
    EXPECT(from_size == sizeof from && from.sin_port == there.sin_port);
    close_ends(ends);
}

CHECK_THAT(control_messages_arrive)
{
    struct ends ends = connect_ends(UDP4);
    int on = 1;
    struct later later;
    char data[8], control[128];
    struct iovec piece = {.iov_base = data, .iov_len = sizeof data};
    struct msghdr message = {
        .msg_iov = &piece, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    EXPECT(setsockopt(ends.here, IPPROTO_IP, IP_PKTINFO, &on, sizeof on) == 0);
    start_later(&later, send_byte, &ends.there);
    EXPECT(recvmsg(ends.here, &message, 0) == 1);
    finish_later(&later);
    struct cmsghdr *first = CMSG_FIRSTHDR(&message);
    EXPECT(first && first->cmsg_level == IPPROTO_IP && first->cmsg_type == IP_PKTINFO);
    close_ends(ends);
}

static int receive_three(int fd, int flags, struct timespec *limit)
{
    char data[3][8];
    struct iovec pieces[3];
    struct mmsghdr messages[3] = {{{0}, 0}};
    for (int i = 0; i < 3; i++) {
        pieces[i] = (struct iovec){.iov_base = data[i], .iov_len = sizeof data[i]};
        messages[i].msg_hdr = (struct msghdr){.msg_iov = &pieces[i], .msg_iovlen = 1};
    }
    return recvmmsg(fd, messages, 3, flags, limit);
}

CHECK_THAT(several_messages_are_waited_for)
{
    struct ends ends = connect_ends(UDP4);
    struct pieces pieces = {.fd = ends.there, .count = 3, .size = 2};
    struct later later;
    start_later(&later, send_pieces, &pieces);
    EXPECT(receive_three(ends.here, 0, NULL) == 3);
    finish_later(&later);
    start_later(&later, send_pieces, &pieces);
    int first = receive_three(ends.here, MSG_WAITFORONE, NULL);
    EXPECT(first >= 1);
    finish_later(&later);
    for (int got = first; got < 3; got += first) {
        first = receive_three(ends.here, MSG_WAITFORONE, NULL);
        EXPECT(first >= 1);
    }
    close_ends(ends);
}

CHECK_THAT(several_messages_within_a_time_limit_are_received)
{
    struct ends ends = connect_ends(UDP4);
    struct pieces pieces = {.fd = ends.there, .count = 3, .size = 2};
    struct timespec limit = {.tv_sec = 60}, none = {0};
    struct later later;
    start_later(&later, send_pieces, &pieces);
    EXPECT(receive_three(ends.here, 0, &limit) == 3);
    finish_later(&later);
    EXPECT(limit.tv_sec < 60);
    send_byte(&ends.there);
    EXPECT(receive_three(ends.here, 0, &none) == 1);
    close_ends(ends);
}

CHECK_THAT(success_keeps_errno)
{
    FOR_EACH_WAY
    {
        struct ends ends = connect_ends(TCP4);
        struct later later;
        char data[8];
        start_later(&later, send_byte, &ends.there);
        errno = EXDEV;
        EXPECT(receive(way, ends.here, data, sizeof data, 0) == 1);
        EXPECT(errno == EXDEV);
        finish_later(&later);
        close_ends(ends);
    }
}

CHECK_THAT(wrong_descriptors_are_refused)
{
    char data[8];
    int unconnected = socket(AF_INET, SOCK_STREAM, 0);
    int ends[2];
    EXPECT(pipe(ends) == 0);
    FOR_EACH_WAY
    {
        EXPECT(FAILS_WITH(receive(way, -1, data, sizeof data, 0), EBADF));
        EXPECT(FAILS_WITH(receive(way, unconnected, data, sizeof data, 0), ENOTCONN));
        if (takes_flags(way))
            EXPECT(FAILS_WITH(receive(way, ends[0], data, sizeof data, MSG_WAITALL), ENOTSOCK));
    }
    close(unconnected);
    close(ends[0]);
    close(ends[1]);
}

CHECK_THAT(a_buffer_that_is_too_small_ends_the_program)
{
    for (enum way way = READ_CHK; way <= RECVFROM_CHK; way++) {
        struct ends ends = connect_ends(UDP4);
        send_byte(&ends.there);
        pid_t child = fork();
        if (child == 0) {
            dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
            overrun(way, ends.here);
            _exit(0);
        }
        int status;
        EXPECT(waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
        close_ends(ends);
    }
}

static void write_byte(void *fd)
{
    EXPECT(write(*(int *)fd, "x", 1) == 1);
}

CHECK_THAT(pipes_and_files_are_read_as_ever)
{
    int ends[2];
    char data[8];
    EXPECT(pipe(ends) == 0);
    for (enum way way = READ; way <= READV; way++) {
        struct later later;
        start_later(&later, write_byte, &ends[1]);
        EXPECT(receive(way, ends[0], data, sizeof data, 0) == 1);
        finish_later(&later);
    }
    close(ends[1]);
    EXPECT(read(ends[0], data, sizeof data) == 0);
    int file = open("/dev/zero", O_RDONLY);
    EXPECT(read(file, data, sizeof data) == sizeof data);
    close(file);
    close(ends[0]);
}

CHECK_THAT(unix_sockets_are_received_from_as_ever)
{
    int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
    for (int i = 0; i < 3; i++) {
        int pair[2];
        EXPECT(socketpair(AF_UNIX, types[i], 0, pair) == 0);
        struct ends ends = {.here = pair[0], .there = pair[1]};
        FOR_EACH_WAY
        {
            receive_a_later_byte(way, ends);
        }
        close_ends(ends);
    }
}

static void cancel(void *thread)
{
    EXPECT(pthread_cancel(*(pthread_t *)thread) == 0);
}

struct victim {
    enum way way;
    int fd;
    bool cleaned;
};

static void clean(void *cleaned)
{
    *(bool *)cleaned = true;
}

static void *receive_for_ever(void *argument)
{
    struct victim *victim = argument;
    char data[8];
    pthread_cleanup_push(clean, &victim->cleaned);
    receive(victim->way, victim->fd, data, sizeof data, 0);
    pthread_cleanup_pop(0);
    return NULL;
}

CHECK_THAT(a_waiting_receive_can_be_cancelled)
{
    FOR_EACH_WAY
    {
        struct ends ends = connect_ends(way % 2 ? TCP4 : UDP4);
        struct victim victim = {.way = way, .fd = ends.here};
        pthread_t thread;
        struct later later;
        void *result;
        EXPECT(pthread_create(&thread, NULL, receive_for_ever, &victim) == 0);
        start_later(&later, cancel, &thread);
        EXPECT(pthread_join(thread, &result) == 0 && result == PTHREAD_CANCELED);
        EXPECT(victim.cleaned);
        finish_later(&later);
        close_ends(ends);
    }
}

static void *answer(void *fd)
{
    char data[8];
    for (ssize_t got; (got = recv(*(int *)fd, data, sizeof data, 0)) > 0;)
        EXPECT(send(*(int *)fd, data, (size_t)got, 0) == got);
    return NULL;
}

static void ask(int fd, int rounds)
{
    for (int i = 0; i < rounds; i++) {
        char data[8];
        send_byte(&fd);
        EXPECT(recv(fd, data, sizeof data, 0) == 1);
    }
}

CHECK_THAT(threads_talk_to_each_other)
{
    enum { PAIRS = 3 };
    struct ends ends[PAIRS];
    pthread_t threads[PAIRS];
    for (int i = 0; i < PAIRS; i++) {
        ends[i] = connect_ends(i % 2 ? TCP6 : TCP4);
        EXPECT(pthread_create(&threads[i], NULL, answer, &ends[i].there) == 0);
    }
    for (int i = 0; i < PAIRS; i++)
        ask(ends[i].here, 50);
    for (int i = 0; i < PAIRS; i++) {
        end_stream(&ends[i].here);
        EXPECT(pthread_join(threads[i], NULL) == 0);
        close_ends(ends[i]);
    }
}

CHECK_THAT(a_forked_child_talks_to_its_parent)
{
    FOR_EACH_KIND
    {
        struct ends ends = connect_ends(kind);
        pid_t child = fork();
        if (child == 0) {
            ask(ends.there, 20);
            _exit(0);
        }
        for (int i = 0; i < 20; i++) {
            char data[8];
            EXPECT(recv(ends.here, data, sizeof data, 0) == 1);
            send_byte(&ends.here);
        }
        int status;
        EXPECT(waitpid(child, &status, 0) == child && status == 0);
        close_ends(ends);
    }
}
