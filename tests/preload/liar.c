/* What no library may be: a look that sees nothing, so that the oracle of plain sockets has something to find. */
#include <poll.h>

int poll(struct pollfd *watched, nfds_t count, int wait_ms)
{
    (void)wait_ms;
    for (nfds_t at = 0; at < count; at++)
        watched[at].revents = 0;
    return 0;
}
