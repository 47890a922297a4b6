#include "interruptions.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "start.h"

_Thread_local volatile struct interruptions interruptions;

/* The program's handlers by signal. The kernel keeps the rest, and which counter it has says SA_RESTART. */
static _Atomic(uintptr_t) handlers[NSIG];

typedef void (*handler)(int, siginfo_t *, void *);

/* Handlers without SA_SIGINFO get two arguments too many, which the calling conventions of Linux allow. */
static void call_handler(int signal, siginfo_t *information, void *context)
{
    ((handler)atomic_load(&handlers[signal]))(signal, information, context);
}

static void count_restarted(int signal, siginfo_t *information, void *context)
{
    interruptions.all++;
    call_handler(signal, information, context);
}

static void count_unrestarted(int signal, siginfo_t *information, void *context)
{
    interruptions.all++;
    interruptions.unrestarted++;
    call_handler(signal, information, context);
}

static bool ours(const struct sigaction *action)
{
    return action->sa_sigaction == count_restarted || action->sa_sigaction == count_unrestarted;
}

static bool is_function(const struct sigaction *action)
{
    return action->sa_handler != SIG_DFL && action->sa_handler != SIG_IGN;
}

static void put_counter(struct sigaction *action)
{
    action->sa_sigaction = action->sa_flags & SA_RESTART ? count_restarted : count_unrestarted;
}

/* Shows the program its own handler, where the kernel knows ours. */
static void remove_counter(struct sigaction *action, uintptr_t handler_before)
{
    if (ours(action))
        action->sa_sigaction = (handler)handler_before;
}

static bool catchable(int signal)
{
    return signal > 0 && signal < NSIG && signal != SIGKILL && signal != SIGSTOP;
}

EXPORTED int sigaction(int signal, const struct sigaction *restrict action, struct sigaction *restrict before)
{
    if (is_plain(&plain.handlers) || !catchable(signal))
        return next.sigaction(signal, action, before);
    uintptr_t handler_before = atomic_load(&handlers[signal]);
    struct sigaction counted;
    bool counts = action && is_function(action) && !ours(action);
    if (counts) {
        counted = *action;
        put_counter(&counted);
        atomic_store(&handlers[signal], (uintptr_t)action->sa_sigaction);
    }
    int result = next.sigaction(signal, counts ? &counted : action, before);
    if (result < 0 && counts)
        atomic_store(&handlers[signal], handler_before);
    if (result == 0 && before)
        remove_counter(before, handler_before);
    return result;
}

/* Puts the right counter before the handler that `signal` has now, however it came there. */
static void adopt(int signal)
{
    struct sigaction action;
    int kept = errno;
    if (catchable(signal) && next.sigaction(signal, NULL, &action) == 0 && is_function(&action)) {
        if (!ours(&action))
            atomic_store(&handlers[signal], (uintptr_t)action.sa_sigaction);
        put_counter(&action);
        next.sigaction(signal, &action, NULL);
    }
    errno = kept;
}

void adopt_handlers(void)
{
    for (int signal = 1; signal < NSIG; signal++)
        adopt(signal);
}

static bool counter(sighandler_t installed)
{
    return ours(&(struct sigaction){.sa_handler = installed});
}

/* The older ways to install a handler: done by the C library in its own way, then adopted. */
static sighandler_t install(sighandler_t (**way)(int, sighandler_t), int signal, sighandler_t installed)
{
    if (is_plain(&plain.handlers) || !catchable(signal))
        return (*way)(signal, installed);
    uintptr_t handler_before = atomic_load(&handlers[signal]);
    sighandler_t before = (*way)(signal, installed);
    adopt(signal);
    return counter(before) ? (sighandler_t)handler_before : before;
}

EXPORTED sighandler_t signal(int number, sighandler_t installed)
{
    return install(&next.signal, number, installed);
}

EXPORTED sighandler_t bsd_signal(int number, sighandler_t installed)
{
    return install(&next.bsd_signal, number, installed);
}

EXPORTED sighandler_t sysv_signal(int number, sighandler_t installed)
{
    return install(&next.sysv_signal, number, installed);
}

EXPORTED sighandler_t __sysv_signal(int number, sighandler_t installed)
{
    return install(&next.sysv_signal, number, installed);
}

EXPORTED sighandler_t sigset(int number, sighandler_t installed)
{
    return install(&next.sigset, number, installed);
}

EXPORTED int siginterrupt(int number, int interrupts)
{
    bool leave = is_plain(&plain.handlers);
    int result = next.siginterrupt(number, interrupts);
    if (!leave && result == 0)
        adopt(number);
    return result;
}
