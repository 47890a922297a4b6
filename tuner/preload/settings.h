/* What the environment asks of this library, read once per process. */

#ifndef TUNER_SETTINGS_H
#define TUNER_SETTINGS_H

#include <limits.h>
#include <stddef.h>

enum setting {
    XLIO_SPEC,
    XLIO_TRACELEVEL,
    XLIO_LOG_FILE,
    XLIO_TX_MC_LOOPBACK,
    XLIO_TCP_SEND_BUFFER_SIZE,
    XLIO_RX_BYTES_MIN,
    XLIO_RX_POLL,
    XLIO_RX_POLL_YIELD,
    XLIO_SELECT_POLL,
    XLIO_TCP_NODELAY,
    XLIO_TCP_QUICKACK,
    XLIO_MSS,
    XLIO_TCP_CC_ALGO,
    SETTINGS
};

enum { FOR_EVER = -1, UNSET = -1 };

struct description {
    const char *name;
    const char *label; /* XLIO's own, so that one reader understands both banners */
    long fallback;     /* the value when the variable is absent or bad */
};

extern const struct description descriptions[SETTINGS];

/* The values in effect. XLIO_LOG_FILE has none here: see `log_to`. XLIO_SPEC is an index for `spec_name`. */
extern long settings[SETTINGS];

/* Reads the environment into `settings`, telling the log about everything that is bad or not honoured. */
void read_settings(char *const *environment);

/* The name of a preset, "none" for 0. */
const char *spec_name(long spec);

#endif
