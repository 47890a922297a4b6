/* Strict readers of the texts that environment variables hold: the whole text must be the value. */

#ifndef TUNER_VALUES_H
#define TUNER_VALUES_H

#include <stdbool.h>

/* Each returns false, and leaves `*value` alone, when the text is not a value in the range (bounds included). */
bool read_number(const char *text, long low, long high, long *value);
bool read_switch(const char *text, long *value);

/* Digits and then nothing, B, K, KB, M, MB, G or GB (any case, powers of 1024). `*value` is in bytes, at least 1. */
bool read_size(const char *text, long high, long *value);

/* XLIO's words and numbers; `*value` is one of `enum level`. */
bool read_level(const char *text, long *value);

enum level { NONE = -1, PANIC, ERROR, WARNING, INFO, DETAILS, DEBUG, FINE, FINER };

/* The name a level has in the banner. */
const char *level_name(long level);

#endif
