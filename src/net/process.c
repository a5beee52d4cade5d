/* Waiting for children.
 *
 * One child that has not ended is waited for through a pidfd, which is a descriptor like any other. What a pidfd cannot say (any child, a
 * group, stops) or the kernel does not have is left to a blocking waitid aside, which only looks (WNOWAIT): whoever gives up
 * leaves the child's status to the next who asks. */
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/mem.h"
#include "go/net.h"
#include "go/time.h"
#include "net/aside.h"
#include "net/io.h"
#include "sched/alloc.h"

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434 /* Linux 5.3, the same number on every CPU */
#endif

struct wait_aside {
    struct go__aside aside;
    int which, id, options;
};

static void wait_blocking(struct go__aside *aside)
{
    const struct wait_aside *w = go__container_of(aside, struct wait_aside, aside);
    siginfo_t unused; /* the kernel would take NULL, but Valgrind complains */
    long error;
    do {
        error = go__syscall5(SYS_waitid, w->which, w->id, (long)&unused, w->options, 0);
    } while (error == -EINTR);
}

static void drop(struct go__aside *aside)
{
    go__free(go__container_of(aside, struct wait_aside, aside));
}

static struct wait_aside *start_aside(pid_t pid, int options)
{
    struct wait_aside *w = go__alloc(sizeof *w);
    if (w == NULL) {
        return NULL;
    }
    w->aside.call = wait_blocking;
    w->aside.drop = drop;
    w->aside.reason = GO__REASON_PROCESS_WAIT;
    w->which = pid > 0 ? P_PID : pid == -1 ? P_ALL : P_PGID;
    w->id = pid > 0 ? pid : pid < -1 ? -pid : pid == 0 ? (int)go__syscall1(SYS_getpgid, 0) : 0;
    w->options = WEXITED | WNOWAIT | ((options & WUNTRACED) != 0 ? WSTOPPED : 0) | (options & WCONTINUED);
    if (go__aside_start(&w->aside) != 0) {
        go__aside_unref(&w->aside);
        return NULL;
    }
    return w;
}

static GO__NOINLINE int await_aside(pid_t pid, int options)
{
    struct wait_aside *w = start_aside(pid, options);
    if (w == NULL) {
        return -ENOMEM;
    }
    int code = go__aside_wait(&w->aside, GO_FOREVER);
    go__aside_unref(&w->aside);
    return code;
}

/* A pidfd that is known; -EAGAIN: the child is gone; -ENOSYS: there is none to be had. */
static GO__NOINLINE int open_pidfd(pid_t pid)
{
    long fd = go__syscall2(SYS_pidfd_open, pid, 0); /* close-on-exec by itself */
    if (fd < 0) {
        return fd == -ESRCH ? -EAGAIN : -ENOSYS;
    }
    int error = go__fd_adopt((int)fd, GO__FD_PIPE, 0);
    return error != 0 ? error : (int)fd;
}

/* Registering the pidfd reports a child that has ended meanwhile. */
static GO__NOINLINE int await_pidfd(int fd)
{
    struct go__fd_use use;
    int code = go__io_begin(&use, fd, GO__FD_READ, GO__REASON_PROCESS_WAIT);
    if (code == 0) {
        code = go__fd_wait(&use, GO__FD_READ, load_acq(&use.record->edge[GO__FD_READ]), GO__REASON_PROCESS_WAIT);
        go__fd_end(&use);
    }
    (void)go_close(fd);
    return code;
}

static int await(pid_t pid, int options)
{
    int fd = pid > 0 && options == 0 ? open_pidfd(pid) : -ENOSYS;
    if (fd >= 0) {
        return await_pidfd(fd);
    }
    return fd == -EAGAIN ? 0 : fd == -ENOSYS ? await_aside(pid, options) : fd;
}

void go_signal_mask(sigset_t *mask)
{
    go__copy(mask, &go__sched.signal_mask, sizeof *mask);
}

int go_waitpid(pid_t pid, int *status, int options)
{
    if ((options & ~(WNOHANG | WUNTRACED | WCONTINUED)) != 0) {
        return -EINVAL;
    }
    if (go__canceled(go__self())) {
        return -ECANCELED;
    }
    for (;;) {
        long n = go__syscall4(SYS_wait4, pid, (long)status, options | WNOHANG, 0);
        if (n == -EINTR) {
            continue;
        }
        if (n != 0 || (options & WNOHANG) != 0) {
            return (int)n;
        }
        int code = await(pid, options);
        if (code != 0) {
            return code;
        }
    }
}
