#include "banner.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "log.h"
#include "settings.h"

#define RULE "---------------------------------------------------------------------------"

enum { VALUE = 64 };

static void print_setting(enum level level, enum setting setting, const char *value)
{
    log_line(level, "%-30s %-26s [%s]", descriptions[setting].label, value, descriptions[setting].name);
}

static void write_size(char *text, long bytes)
{
    static const struct {
        long unit;
        const char *name;
    } units[] = {{1L << 30, " GB"}, {1L << 20, " MB"}, {1L << 10, " KB"}, {1, ""}};
    size_t i = 0;
    while (bytes % units[i].unit)
        i++;
    snprintf(text, VALUE, "%ld%s", bytes / units[i].unit, units[i].name);
}

static void write_value(char *text, enum setting setting)
{
    long value = settings[setting];
    if (setting == XLIO_SPEC)
        snprintf(text, VALUE, "%s", spec_name(value));
    else if (setting == XLIO_TRACELEVEL)
        snprintf(text, VALUE, "%s", level_name(value));
    else if (setting == XLIO_LOG_FILE)
        snprintf(text, VALUE, "%s", "");
    else if (value == UNSET && descriptions[setting].fallback == UNSET)
        snprintf(text, VALUE, "kernel default");
    else if (setting == XLIO_TX_MC_LOOPBACK)
        snprintf(text, VALUE, "%s", value ? "Enabled" : "Disabled");
    else if (setting == XLIO_TCP_SEND_BUFFER_SIZE)
        write_size(text, value);
    else if (setting == XLIO_TCP_CC_ALGO)
        snprintf(text, VALUE, "%ld (%s)", value, value ? "CUBIC" : "kernel default");
    else
        snprintf(text, VALUE, "%ld", value);
}

static void print_settings(void)
{
    for (int i = 0; i < SETTINGS; i++) {
        char value[VALUE];
        write_value(value, (enum setting)i);
        int changed = i == XLIO_TRACELEVEL || settings[i] != descriptions[i].fallback;
        if (i == XLIO_LOG_FILE)
            print_setting(*log_path() ? INFO : DETAILS, XLIO_LOG_FILE, log_path());
        else
            print_setting(changed ? INFO : DETAILS, (enum setting)i, value);
    }
}

/* The plain system call: this library's own read() would look at the settings that are being printed. */
static void print_command_line(void)
{
    char line[400];
    int file = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    ssize_t length = file < 0 ? 0 : syscall(SYS_read, file, line, sizeof line);
    if (file >= 0)
        close(file);
    if (length <= 0)
        return;
    for (ssize_t i = 0; i < length; i++)
        line[i] = line[i] ? line[i] : ' ';
    while (length && line[length - 1] == ' ')
        length--;
    log_line(INFO, "Cmd Line: %.*s", (int)length, line);
}

/* Under `tuner run` one process prints it, the one that was asked for: its children, and theirs, need not say the same again. */
static bool is_first(void)
{
    const char *first = getenv("TUNER_BANNER_PID");
    return !first || strtol(first, NULL, 10) == (long)getpid();
}

void print_banner(void)
{
    if (!is_first())
        return;
    log_line(INFO, RULE);
    log_line(INFO, "TUNER_KERNEL_VERSION: " TUNER_VERSION " (kernel sockets, not XLIO)");
    print_command_line();
    log_line(INFO, "Pid: %d", (int)getpid());
    log_line(INFO, RULE);
    print_settings();
    log_line(INFO, RULE);
}
