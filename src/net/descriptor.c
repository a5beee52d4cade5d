/* Closing, shutting down, deadlines and readiness. */
#include <errno.h>
#include <poll.h>
#include <time.h>

#include "go/net.h"
#include "go/time.h"
#include "net/io.h"
#include "sched/blocking.h"

int go_close(int fd)
{
    go__known();
    return go__fd_close(fd);
}

int go_shutdown(int fd, int how)
{
    struct go__fd_use use;
    go__check_forked(); /* the connection is the parent's */
    go__known();
    int error = go__fd_hold(&use, fd);
    if (error == 0) {
        /* Whoever waits in an ended direction is woken by the event this makes. */
        error = (int)go__syscall2(SYS_shutdown, fd, how);
        go__fd_end(&use);
    }
    return error;
}

/* What is ready now, 0 for nothing. */
static GO__NOINLINE int look(int fd, short events)
{
    struct pollfd wanted = {.fd = fd, .events = events};
    struct timespec now = {0, 0};
    long n = go__syscall5(SYS_ppoll, (long)&wanted, 1, (long)&now, 0, 8);
    if (n <= 0) {
        return n == -EINTR ? 0 : (int)n;
    }
    return (wanted.revents & POLLNVAL) != 0 ? -EBADF : wanted.revents;
}

static int try_poll(struct go__fd_poll *p, short events)
{
    p->edge[0] = load_acq(&p->use.record->edge[0]); /* acq: as in go__io_run */
    p->edge[1] = load_acq(&p->use.record->edge[1]);
    return look(p->use.fd, events);
}

int go_poll(int fd, short events, int64_t deadline)
{
    struct go__fd_poll p;
    events &= POLLIN | POLLOUT;
    if (go__canceled(go__self())) {
        return -ECANCELED;
    }
    int result = events != 0 ? go__fd_hold(&p.use, fd) : -EINVAL;
    if (result != 0) {
        return result;
    }
    p.directions = ((events & POLLIN) != 0 ? 1u : 0u) | ((events & POLLOUT) != 0 ? 2u : 0u);
    while ((result = try_poll(&p, events)) == 0) {
        if (deadline != GO_FOREVER && deadline <= go_now()) {
            result = -ETIMEDOUT;
        } else {
            result = go__fd_wait_any(&p, deadline, GO__REASON_IO_POLL);
        }
        if (result != 0) {
            break;
        }
    }
    GO__IO_ACQUIRE();
    go__fd_end(&p.use);
    return result;
}

static int set_deadline(int fd, unsigned directions, int64_t deadline)
{
    struct go__fd_use use;
    go__known();
    int error = go__fd_hold(&use, fd);
    if (error != 0) {
        return error;
    }
    error = go__io_look(&use);
    if (error == 0 && go__io_kind(&use) == GO__FD_FILE) {
        error = -EINVAL;
    }
    if (error == 0) {
        error = go__fd_set_deadline(&use, directions, deadline);
    }
    go__fd_end(&use);
    return error;
}

int go_set_deadline(int fd, int64_t deadline)
{
    return set_deadline(fd, 3, deadline);
}

int go_set_read_deadline(int fd, int64_t deadline)
{
    return set_deadline(fd, 1, deadline);
}

int go_set_write_deadline(int fd, int64_t deadline)
{
    return set_deadline(fd, 2, deadline);
}
