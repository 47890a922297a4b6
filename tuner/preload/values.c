#include "values.h"

#include <limits.h>
#include <stddef.h>
#include <strings.h>

/* Reads digits up to the first other character; false when there are none or they do not fit. */
static bool read_digits(const char **text, long *value)
{
    const char *at = *text;
    long sum = 0;
    for (; *at >= '0' && *at <= '9'; at++)
        if (__builtin_mul_overflow(sum, 10L, &sum) || __builtin_add_overflow(sum, (long)(*at - '0'), &sum))
            return false;
    bool any = at != *text;
    *text = at;
    *value = sum;
    return any;
}

bool read_number(const char *text, long low, long high, long *value)
{
    long found;
    bool negative = *text == '-';
    text += negative;
    if (!read_digits(&text, &found) || *text)
        return false;
    found = negative ? -found : found;
    if (found < low || found > high)
        return false;
    *value = found;
    return true;
}

bool read_switch(const char *text, long *value)
{
    return read_number(text, 0, 1, value);
}

static bool read_suffix(const char *text, long *unit)
{
    static const struct {
        const char *text;
        long unit;
    } suffixes[] = {{"", 1},        {"B", 1},        {"K", 1L << 10}, {"KB", 1L << 10},
                    {"M", 1L << 20}, {"MB", 1L << 20}, {"G", 1L << 30}, {"GB", 1L << 30}};
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++)
        if (strcasecmp(text, suffixes[i].text) == 0) {
            *unit = suffixes[i].unit;
            return true;
        }
    return false;
}

bool read_size(const char *text, long high, long *value)
{
    long found, unit;
    if (!read_digits(&text, &found) || !read_suffix(text, &unit) || __builtin_mul_overflow(found, unit, &found))
        return false;
    if (found < 1 || found > high)
        return false;
    *value = found;
    return true;
}

/* XLIO has words without a number ("details") and numbers that skip them (4 is "debug"). */
static const struct {
    const char *text;
    enum level level;
} levels[] = {
    {"none", NONE},       {"panic", PANIC},      {"error", ERROR},   {"warn", WARNING},   {"warning", WARNING},
    {"info", INFO},       {"information", INFO}, {"details", DETAILS}, {"debug", DEBUG},  {"fine", FINE},
    {"func", FINE},       {"finer", FINER},      {"func_all", FINER}, {"all", FINER},     {"-2", INFO},
    {"-1", NONE},         {"0", PANIC},          {"1", ERROR},       {"2", WARNING},      {"3", INFO},
    {"4", DEBUG},         {"5", FINE},           {"6", FINER},       {"7", FINER},
};

bool read_level(const char *text, long *value)
{
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
        if (strcasecmp(text, levels[i].text) == 0) {
            *value = levels[i].level;
            return true;
        }
    return false;
}

const char *level_name(long level)
{
    static const char *const names[] = {"NONE",    "PANIC", "ERROR", "WARNING", "INFO",
                                        "DETAILS", "DEBUG", "FINE",  "FINER"};
    return names[level - NONE];
}
