#include "os/thread.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "os/sigaction.h"
#include "os/syscall.h"

#define THREAD_STACK_BYTES ((size_t)512 * 1024) /* an M's native stack: the scheduler, libc calls of ours, name resolution */

/* All but the synchronous ones. */
static void asynchronous(sigset_t *signals)
{
    (void)sigfillset(signals);
    /* A blocked fault kills the process without a word, so these stay open; they are delivered on the alternate stack. */
    (void)sigdelset(signals, SIGSEGV);
    (void)sigdelset(signals, SIGBUS);
    (void)sigdelset(signals, SIGFPE);
    (void)sigdelset(signals, SIGILL);
    (void)sigdelset(signals, SIGTRAP);
    (void)sigdelset(signals, SIGSYS);
    (void)sigdelset(signals, SIGABRT);
}

void go__thread_block_signals(sigset_t *old)
{
    sigset_t set;
    asynchronous(&set);
    (void)pthread_sigmask(SIG_BLOCK, &set, old);
}

void go__thread_restore_signals(const sigset_t *old)
{
    (void)pthread_sigmask(SIG_SETMASK, old, NULL);
}

void go__thread_get_signals(sigset_t *now)
{
    (void)pthread_sigmask(SIG_SETMASK, NULL, now);
}

void go__thread_free_signals(const sigset_t *mask)
{
    int kept = errno;
    sigset_t signals;
    asynchronous(&signals);
    for (int signo = 1; signo < NSIG; signo++) {
        struct sigaction is;
        if (sigismember(&signals, signo) == 1 && go__sigaction(signo, NULL, &is) == 0 && is.sa_handler != SIG_DFL &&
            is.sa_handler != SIG_IGN) {
            is = (struct sigaction){.sa_handler = SIG_DFL};
            (void)go__sigaction(signo, &is, NULL);
        }
    }
    go__thread_restore_signals(mask);
    errno = kept; /* the C library keeps two signals to itself */
}

int go__thread_start(pthread_t *thread, void *(*fn)(void *), void *arg)
{
    pthread_attr_t attr;
    int error = pthread_attr_init(&attr);
    if (error != 0) {
        return -error;
    }
    (void)pthread_attr_setstacksize(&attr, THREAD_STACK_BYTES);
    sigset_t old;
    go__thread_block_signals(&old); /* inherited by the new thread */
    error = pthread_create(thread, &attr, fn, arg);
    go__thread_restore_signals(&old);
    (void)pthread_attr_destroy(&attr);
    return -error;
}

int go__thread_id(void)
{
    return (int)go__syscall0(SYS_gettid);
}

int go__thread_computes(int tid)
{
    char path[48], text[128];
    (void)snprintf(path, sizeof path, "/proc/self/task/%d/stat", tid);
    long fd = go__syscall3(SYS_openat, AT_FDCWD, (long)path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return (int)fd;
    }
    long n = go__syscall3(SYS_read, fd, (long)text, sizeof text - 1);
    (void)go__syscall1(SYS_close, fd);
    text[n > 0 ? n : 0] = '\0';
    const char *name_end = strrchr(text, ')'); /* the name may contain anything; the state follows it */
    if (name_end == NULL || name_end[1] != ' ') {
        return n < 0 ? (int)n : -EIO;
    }
    return name_end[2] == 'R';
}

int go__thread_cpu(void)
{
    return sched_getcpu();
}

void go__thread_yield(void)
{
    (void)go__syscall0(SYS_sched_yield);
}
