#include "next.h"

#include <dlfcn.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A memory allocator may read its settings file while `find_next` makes it allocate for the first time. */
static ssize_t read_before_start(int fd, void *data, size_t size)
{
    return syscall(SYS_read, fd, data, size);
}

struct next next = {.read = read_before_start};

#define SLOT(member, symbol) {symbol, offsetof(struct next, member)}

static const struct {
    const char *symbol;
    size_t offset;
} slots[] = {
    SLOT(read, "read"),
    SLOT(readv, "readv"),
    SLOT(recv, "recv"),
    SLOT(recvfrom, "recvfrom"),
    SLOT(recvmsg, "recvmsg"),
    SLOT(recvmmsg, "recvmmsg"),
    SLOT(poll, "poll"),
    SLOT(ppoll, "ppoll"),
    SLOT(select, "select"),
    SLOT(pselect, "pselect"),
    SLOT(epoll_create, "epoll_create"),
    SLOT(epoll_create1, "epoll_create1"),
    SLOT(epoll_ctl, "epoll_ctl"),
    SLOT(epoll_wait, "epoll_wait"),
    SLOT(epoll_pwait, "epoll_pwait"),
    SLOT(epoll_pwait2, "epoll_pwait2"),
    SLOT(socket, "socket"),
    SLOT(accept, "accept"),
    SLOT(accept4, "accept4"),
    SLOT(setsockopt, "setsockopt"),
    SLOT(prctl, "prctl"),
    SLOT(sigaction, "sigaction"),
    SLOT(signal, "signal"),
    SLOT(bsd_signal, "bsd_signal"),
    SLOT(sysv_signal, "sysv_signal"),
    SLOT(sigset, "sigset"),
    SLOT(siginterrupt, "siginterrupt"),
};

void find_next(void)
{
    for (size_t i = 0; i < sizeof slots / sizeof *slots; i++) {
        void *found = dlsym(RTLD_NEXT, slots[i].symbol);
        if (found)
            memcpy((char *)&next + slots[i].offset, &found, sizeof found);
    }
}
