/* What a process says when the library has been loaded into it. */

#ifndef TUNER_BANNER_H
#define TUNER_BANNER_H

void print_banner(void);

#endif
