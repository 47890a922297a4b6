/* Lines in XLIO's form, on standard error or in the file that XLIO_LOG_FILE names. */

#ifndef TUNER_LOG_H
#define TUNER_LOG_H

#include "values.h"

/* Remembers what standard error is now: lines go there only as long as it is the same. */
void know_errors(void);

/* Lines above `level` are dropped from now on. */
void log_at(long level);

/* Lines go to `path` from now on, its first %d being the process number; null or empty means standard error. */
void log_to(const char *path);

/* The file that lines go to, "" for standard error. */
const char *log_path(void);

/* Writes one line with one system call. Keeps errno; what cannot be printed becomes a question mark. */
__attribute__((format(printf, 2, 3))) void log_line(enum level level, const char *format, ...);

#endif
