/* A host that fails, for one program that this is preloaded into.
 *
 * BROKEN=CALL:PART:ERRNO:AFTER  from so many calls on, this kind of call (open, read, write, sync, rename, mkdir, unlink) fails with the error for every
 *                               file whose path holds the part.
 * JUMP=AFTER:SECONDS            so many seconds after the program's start the clock of the day jumps; the monotonic one does not.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

static char broken_call[16], broken_part[256];
static int broken_errno = -1, broken_after, broken_seen;

static int hits(const char *call, const char *path) {
    if (broken_errno < 0) {
        const char *asked = getenv("BROKEN");
        broken_errno = 0;
        if (asked)
            sscanf(asked, "%15[^:]:%255[^:]:%d:%d", broken_call, broken_part, &broken_errno, &broken_after);
    }
    if (!broken_errno || !path || strcmp(broken_call, call) || !strstr(path, broken_part) || broken_seen++ < broken_after)
        return 0;
    errno = broken_errno;
    return 1;
}

static int hits_open(const char *call, int descriptor) {
    char name[64], path[4096];
    int before = errno;
    snprintf(name, sizeof name, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(name, path, sizeof path - 1);
    errno = before;
    if (length < 0)
        return 0;
    path[length] = 0;
    return hits(call, path);
}

#define REAL(type, name, ...)        \
    static type (*real)(__VA_ARGS__); \
    if (!real)                       \
    real = (type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name)

ssize_t write(int f, const void *b, size_t n) {
    REAL(ssize_t, write, int, const void *, size_t);
    return hits_open("write", f) ? -1 : real(f, b, n);
}
ssize_t pwrite64(int f, const void *b, size_t n, off64_t at) {
    REAL(ssize_t, pwrite64, int, const void *, size_t, off64_t);
    return hits_open("write", f) ? -1 : real(f, b, n, at);
}
ssize_t pwrite(int f, const void *b, size_t n, off_t at) { return pwrite64(f, b, n, at); }
ssize_t read(int f, void *b, size_t n) {
    REAL(ssize_t, read, int, void *, size_t);
    return hits_open("read", f) ? -1 : real(f, b, n);
}
ssize_t pread64(int f, void *b, size_t n, off64_t at) {
    REAL(ssize_t, pread64, int, void *, size_t, off64_t);
    return hits_open("read", f) ? -1 : real(f, b, n, at);
}
ssize_t pread(int f, void *b, size_t n, off_t at) { return pread64(f, b, n, at); }
int fsync(int f) {
    REAL(int, fsync, int);
    return hits_open("sync", f) ? -1 : real(f);
}
int fdatasync(int f) {
    REAL(int, fdatasync, int);
    return hits_open("sync", f) ? -1 : real(f);
}
int open64(const char *path, int flags, ...) {
    REAL(int, open64, const char *, int, ...);
    va_list rest;
    va_start(rest, flags);
    int mode = va_arg(rest, int);
    va_end(rest);
    return hits("open", path) ? -1 : real(path, flags, mode);
}
int open(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    int mode = va_arg(rest, int);
    va_end(rest);
    return open64(path, flags, mode);
}
int rename(const char *from, const char *to) {
    REAL(int, rename, const char *, const char *);
    return hits("rename", to) ? -1 : real(from, to);
}
int mkdir(const char *path, mode_t mode) {
    REAL(int, mkdir, const char *, mode_t);
    return hits("mkdir", path) ? -1 : real(path, mode);
}
int unlink(const char *path) {
    REAL(int, unlink, const char *);
    return hits("unlink", path) ? -1 : real(path);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    REAL(int, clock_gettime, clockid_t, struct timespec *);
    static long begun_s = -1, after_s = -1, by_s;
    struct timespec since;
    real(CLOCK_MONOTONIC, &since);
    if (begun_s < 0) {
        const char *asked = getenv("JUMP");
        begun_s = since.tv_sec;
        if (asked)
            sscanf(asked, "%ld:%ld", &after_s, &by_s);
    }
    int failed = real(clock, now);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) && after_s >= 0 && since.tv_sec - begun_s >= after_s)
        now->tv_sec += by_s;
    return failed;
}
time_t time(time_t *into) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (into)
        *into = now.tv_sec;
    return now.tv_sec;
}
int gettimeofday(struct timeval *now, void *zone) {
    struct timespec found;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &found);
    now->tv_sec = found.tv_sec;
    now->tv_usec = found.tv_nsec / 1000;
    return 0;
}
