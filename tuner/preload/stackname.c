/* Names the Onload stack of a program that cannot do it itself, such as sockperf.
 *
 * Before main() and so before the program's first socket, onload_set_stackname() is called once where Onload is
 * loaded; without Onload nothing happens. The call is described by TUNER_STACKNAME (the name, or
 * ONLOAD_DONT_ACCELERATE), TUNER_STACKNAME_WHO and TUNER_STACKNAME_SCOPE (Onload's numbers). Only a failure is told.
 */

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int (*set_stackname)(int who, int scope, const char *name);

static int number(const char *variable)
{
    const char *text = getenv(variable);
    return text ? (int)strtol(text, NULL, 10) : -1;
}

__attribute__((constructor)) static void name_the_stack(void)
{
    const char *name = getenv("TUNER_STACKNAME");
    set_stackname set = (set_stackname)dlsym(RTLD_DEFAULT, "onload_set_stackname");
    if (!name || !set)
        return;
    int who = number("TUNER_STACKNAME_WHO"), scope = number("TUNER_STACKNAME_SCOPE");
    const char *given = strcmp(name, "ONLOAD_DONT_ACCELERATE") == 0 ? NULL : name;
    if (set(who, scope, given) != 0)
        fprintf(stderr, "tuner: onload_set_stackname(%d, %d, %s) failed: %s\n", who, scope, name, strerror(errno));
}
