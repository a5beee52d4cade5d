/* All goroutines are asleep: the report, or what the program wants done instead. */
#include <unistd.h>

#include "base/spinlock.h"
#include "debug/debug.h"
#include "go/debug.h"
#include "sched/hooks.h"

#define DEADLOCK_STATUS 2 /* as Go exits */

static struct {
    go__spinlock lock;
    void (*handler)(void *arg); /* under lock */
    void *arg;                  /* under lock */
} deadlock;

void go_set_deadlock_handler(void (*handler)(void *arg), void *arg)
{
    go__spin_lock(&deadlock.lock);
    deadlock.handler = handler;
    deadlock.arg = arg;
    go__spin_unlock(&deadlock.lock);
}

/* A handler that returns has not dealt with it: then the report follows, so that no process ends without a word. */
void go__deadlock(void)
{
    go__spin_lock(&deadlock.lock);
    void (*handler)(void *) = deadlock.handler;
    void *arg = deadlock.arg;
    go__spin_unlock(&deadlock.lock);
    if (handler != NULL) {
        handler(arg);
    }
    struct go__out out;
    go__out_init(&out, STDERR_FILENO);
    go__out_text(&out, "goco: fatal error: all goroutines are asleep - deadlock!\n\n");
    go__out_flush(&out);
    go__dump_all(STDERR_FILENO);
    _exit(DEADLOCK_STATUS); /* no atexit handlers, no stdio: what they need may be held by a sleeping goroutine */
}
