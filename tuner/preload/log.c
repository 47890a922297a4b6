#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* XLIO cuts its own lines at this length too. */
enum { LONGEST_LINE = 512 };

static long most_detailed = INFO;
static char file[PATH_MAX];

void log_at(long level)
{
    most_detailed = level;
}

const char *log_path(void)
{
    return file;
}

/* The file is opened for each line: holding it would take a file number away from the program. It must not wait for the
 * reader of a pipe. */
static int open_log(void)
{
    return *file ? open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0644)
                 : STDERR_FILENO;
}

/* What standard error was when this library began: a program may close it, and open something of its own in its place. */
static struct {
    bool known;
    dev_t device;
    ino_t number;
} own_errors;

void know_errors(void)
{
    struct stat found;
    own_errors.known = fstat(STDERR_FILENO, &found) == 0;
    own_errors.device = found.st_dev;
    own_errors.number = found.st_ino;
}

static bool is_own(int log)
{
    struct stat found;
    if (log != STDERR_FILENO)
        return true;
    return own_errors.known && fstat(log, &found) == 0 && found.st_dev == own_errors.device &&
           found.st_ino == own_errors.number;
}

static void close_log(int log)
{
    if (log != STDERR_FILENO)
        close(log);
}

static void name_file(const char *path)
{
    const char *pid = strstr(path, "%d");
    int written = pid ? snprintf(file, sizeof file, "%.*s%d%s", (int)(pid - path), path, (int)getpid(), pid + 2)
                      : snprintf(file, sizeof file, "%s", path);
    if (written >= (int)sizeof file)
        *file = '\0';
}

void log_to(const char *path)
{
    *file = '\0';
    if (!path || !*path)
        return;
    name_file(path);
    int log = *file ? open_log() : -1;
    if (log >= 0) {
        close_log(log);
        return;
    }
    *file = '\0';
    log_line(WARNING, "XLIO_LOG_FILE=%s cannot be written, this is standard error", path);
}

/* A reader that went away must not end the program that is being measured. */
static void write_unpunished(int log, const char *line, size_t length)
{
    static const struct timespec at_once;
    sigset_t pipe, before, pending;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, &before);
    sigpending(&pending);
    if (write(log, line, length) < 0 && errno == EPIPE && !sigismember(&pending, SIGPIPE))
        sigtimedwait(&pipe, NULL, &at_once);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void make_printable(char *line)
{
    for (; *line; line++)
        if (*line < ' ' || *line > '~')
            *line = '?';
}

static const char *tag(enum level level)
{
    static const char *const tags[] = {
        [WARNING] = "WARNING", [INFO] = "INFO   ", [DETAILS] = "DETAILS"};
    return tags[level];
}

void log_line(enum level level, const char *format, ...)
{
    if ((long)level > most_detailed)
        return;
    int kept = errno;
    char line[LONGEST_LINE];
    int start = snprintf(line, sizeof line, " XLIO %s: ", tag(level));
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line + start, sizeof line - (size_t)start - 1, format, arguments);
    va_end(arguments);
    make_printable(line);
    size_t length = strlen(line);
    line[length] = '\n';
    int log = open_log();
    if (log >= 0) {
        if (is_own(log))
            write_unpunished(log, line, length + 1);
        close_log(log);
    }
    errno = kept;
}
