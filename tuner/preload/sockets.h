/* The options that sockets are born with, and what receives need to know about a socket. */

#ifndef TUNER_SOCKETS_H
#define TUNER_SOCKETS_H

#include <stdbool.h>

/* Whether `fd` is an IPv4 or IPv6 socket. Keeps errno. */
bool is_internet(int fd);

/* Whether a receive waits until more than one byte is there (SO_RCVLOWAT). */
bool waits_for_many_bytes(int fd);

/* SO_RCVTIMEO in nanoseconds, -1 for none. */
long long receive_limit_ns(int fd);

/* Linux forgets TCP_QUICKACK, so it is asked for again after each receive. Keeps errno. */
void acknowledge_at_once(int fd);

#endif
