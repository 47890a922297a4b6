/* Signal handlers that ran while a call was polling.
 *
 * A blocking call that a handler interrupts fails with EINTR, unless the handler was installed with SA_RESTART and
 * the call is one that Linux restarts. A call that polls is many short system calls, and handlers run between them
 * unnoticed: a program that waits in recv() for its alarm would wait for ever. So, where something polls, handlers are
 * installed behind a function of ours that counts what ran in each thread.
 *
 * Limits, all of them harmless to a program that would be correct on a plain socket:
 * - a handler installed by a bare system call, not through the C library, is not counted;
 * - between the last look at the count and a blocking system call lies the same moment in which a plain call,
 *   too, misses a signal; a call that polls and then blocks has it twice;
 * - Linux lets some waits fail with EINTR after SIGSTOP and SIGCONT even without a handler; a polling one goes on.
 */

#ifndef TUNER_INTERRUPTIONS_H
#define TUNER_INTERRUPTIONS_H

struct interruptions {
    unsigned all;         /* handlers that ran in this thread */
    unsigned unrestarted; /* those among them without SA_RESTART */
};

/* Volatile because handlers change it; the model is safe because the library is loaded with the program. */
extern _Thread_local volatile struct interruptions interruptions __attribute__((tls_model("initial-exec")));

/* Puts the counter before every handler that is already installed. */
void adopt_handlers(void);

#endif
