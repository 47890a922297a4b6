/* A library that works with sockets before the constructors of preloaded libraries have run. */

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

__attribute__((constructor)) static void work_early(void)
{
    int pair[2];
    char data[8];
    struct pollfd file;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) || write(pair[1], "abc", 3) != 3)
        abort();
    file = (struct pollfd){.fd = pair[0], .events = POLLIN};
    if (poll(&file, 1, -1) != 1 || recv(pair[0], data, 1, 0) != 1 || read(pair[0], data, 2) != 2)
        abort();
    puts("early");
    fflush(stdout);
}

void early(void)
{
}
