#include "settings.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "log.h"
#include "values.h"

const struct description descriptions[SETTINGS] = {
    [XLIO_SPEC] = {"XLIO_SPEC", "Spec", 0},
    [XLIO_TRACELEVEL] = {"XLIO_TRACELEVEL", "Log Level", INFO},
    [XLIO_LOG_FILE] = {"XLIO_LOG_FILE", "Log File", 0},
    [XLIO_TX_MC_LOOPBACK] = {"XLIO_TX_MC_LOOPBACK", "Tx MC Loopback", UNSET},
    [XLIO_TCP_SEND_BUFFER_SIZE] = {"XLIO_TCP_SEND_BUFFER_SIZE", "TCP Send Buffer size", UNSET},
    [XLIO_RX_BYTES_MIN] = {"XLIO_RX_BYTES_MIN", "Rx Byte Min Limit", 0},
    [XLIO_RX_POLL] = {"XLIO_RX_POLL", "Rx Poll Loops", 0},
    [XLIO_RX_POLL_YIELD] = {"XLIO_RX_POLL_YIELD", "Rx Poll Yield", 0},
    [XLIO_SELECT_POLL] = {"XLIO_SELECT_POLL", "Select Poll (usec)", 0},
    [XLIO_TCP_NODELAY] = {"XLIO_TCP_NODELAY", "TCP nodelay", 0},
    [XLIO_TCP_QUICKACK] = {"XLIO_TCP_QUICKACK", "TCP quickack", 0},
    [XLIO_MSS] = {"XLIO_MSS", "MSS", 0},
    [XLIO_TCP_CC_ALGO] = {"XLIO_TCP_CC_ALGO", "TCP CC Algorithm", 0},
};

long settings[SETTINGS];

struct assignment {
    enum setting setting;
    long value;
};

/* What XLIO's presets say about the settings that mean something here (XLIO 3.61; multi_ring_latency: 3.40). */
static const struct spec {
    const char *name;
    const char *alias;
    struct assignment values[3];
} specs[] = {
    {"none", NULL, {{XLIO_SPEC, 0}}},
    {"latency", NULL, {{XLIO_RX_POLL, FOR_EVER}, {XLIO_SELECT_POLL, FOR_EVER}, {XLIO_TCP_NODELAY, 1}}},
    {"ultra_latency", "ultra-latency", {{XLIO_RX_POLL, FOR_EVER}, {XLIO_SELECT_POLL, FOR_EVER}, {XLIO_TCP_NODELAY, 1}}},
    {"multi_ring_latency", NULL, {{XLIO_RX_POLL, FOR_EVER}, {XLIO_SELECT_POLL, FOR_EVER}}},
    {"nginx", NULL, {{XLIO_TCP_SEND_BUFFER_SIZE, 2L << 20}, {XLIO_SELECT_POLL, 0}}},
    {"nginx_dpu", NULL, {{XLIO_TCP_SEND_BUFFER_SIZE, 2L << 20}, {XLIO_SELECT_POLL, 0}}},
    {"nvme_bf3", NULL, {{XLIO_TCP_NODELAY, 1}}},
};

const char *spec_name(long spec)
{
    return specs[spec].name;
}

static bool read_spec(const char *text, long *value)
{
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++)
        if (!strcasecmp(text, specs[i].name) || (specs[i].alias && !strcasecmp(text, specs[i].alias))) {
            *value = (long)i;
            return true;
        }
    return false;
}

static bool read_loops(const char *text, long *value)
{
    return read_number(text, FOR_EVER, 100000000, value);
}

static bool read_yield(const char *text, long *value)
{
    return read_number(text, 0, 100000000, value);
}

static bool read_bytes(const char *text, long *value)
{
    return read_number(text, 0, INT_MAX, value);
}

static bool read_buffer(const char *text, long *value)
{
    return read_size(text, INT_MAX, value);
}

/* The bounds are Linux's TCP_MAXSEG's (include/net/tcp.h: TCP_MIN_MSS, MAX_TCP_WINDOW). */
static bool read_mss(const char *text, long *value)
{
    return read_number(text, 0, 0, value) || read_number(text, 88, 32767, value);
}

static bool read_algorithm(const char *text, long *value)
{
    return read_number(text, 0, 2, value);
}

static const struct {
    bool (*read)(const char *text, long *value);
    const char *allowed;
} readers[SETTINGS] = {
    [XLIO_SPEC] = {read_spec, "a preset of this stack"},
    [XLIO_TRACELEVEL] = {read_level, "a log level"},
    [XLIO_TX_MC_LOOPBACK] = {read_switch, "0 or 1"},
    [XLIO_TCP_SEND_BUFFER_SIZE] = {read_buffer, "a size from 1 to 2147483647, as 262144 or 256KB"},
    [XLIO_RX_BYTES_MIN] = {read_bytes, "a number from 0 to 2147483647"},
    [XLIO_RX_POLL] = {read_loops, "a number from -1 to 100000000"},
    [XLIO_RX_POLL_YIELD] = {read_yield, "a number from 0 to 100000000"},
    [XLIO_SELECT_POLL] = {read_loops, "a number from -1 to 100000000"},
    [XLIO_TCP_NODELAY] = {read_switch, "0 or 1"},
    [XLIO_TCP_QUICKACK] = {read_switch, "0 or 1"},
    [XLIO_MSS] = {read_mss, "0 or a number from 88 to 32767"},
    [XLIO_TCP_CC_ALGO] = {read_algorithm, "0, 1 or 2"},
};

static void read_one(enum setting setting)
{
    const char *text = getenv(descriptions[setting].name);
    if (text && !readers[setting].read(text, &settings[setting]))
        log_line(WARNING, "%s=%s is not %s and is ignored", descriptions[setting].name, text,
                 readers[setting].allowed);
}

static void apply_spec(void)
{
    const struct spec *spec = &specs[settings[XLIO_SPEC]];
    for (size_t i = 0; i < sizeof spec->values / sizeof *spec->values; i++)
        if (spec->values[i].setting != XLIO_SPEC)
            settings[spec->values[i].setting] = spec->values[i].value;
}

static bool known(const char *variable)
{
    for (int i = 0; i < SETTINGS; i++) {
        size_t length = strlen(descriptions[i].name);
        if (!strncmp(variable, descriptions[i].name, length) && variable[length] == '=')
            return true;
    }
    return false;
}

static void report_unknown(char *const *environment)
{
    for (; environment && *environment; environment++)
        if (!strncmp(*environment, "XLIO_", 5) && !known(*environment))
            log_line(WARNING, "%.*s is not honoured by the kernel stack", (int)strcspn(*environment, "="),
                     *environment);
}

/* Linux lets a program choose an algorithm, but not go without. */
static void drop_what_linux_lacks(void)
{
    if (settings[XLIO_TCP_CC_ALGO] != 2)
        return;
    settings[XLIO_TCP_CC_ALGO] = descriptions[XLIO_TCP_CC_ALGO].fallback;
    log_line(WARNING, "XLIO_TCP_CC_ALGO=2 is not honoured by the kernel stack: Linux always has congestion control");
}

void read_settings(char *const *environment)
{
    for (int i = 0; i < SETTINGS; i++)
        settings[i] = descriptions[i].fallback;
    log_at(settings[XLIO_TRACELEVEL]);
    log_to(getenv(descriptions[XLIO_LOG_FILE].name));
    read_one(XLIO_TRACELEVEL);
    log_at(settings[XLIO_TRACELEVEL]);
    read_one(XLIO_SPEC);
    apply_spec();
    for (int i = XLIO_LOG_FILE + 1; i < SETTINGS; i++)
        read_one((enum setting)i);
    drop_what_linux_lacks();
    report_unknown(environment);
}
