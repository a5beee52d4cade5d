/* Reading and writing what is no socket: pipes and devices, files that never say "not now", and descriptors whose flags belong to
 * others. And sendfile, which ends in either. */
#include <errno.h>
#include <signal.h>
#include <time.h>

#include "go/net.h"
#include "go/run.h"
#include "net/io.h"

/* MSG_NOSIGNAL for calls that lack it. Our own threads block SIGPIPE, so that it stays pending and can be taken away again; on a
 * foreign thread it is blocked for the time being. */
long go__io_quietly(long nr, long fd, long a, long b, long c)
{
    const uint64_t pipe_signal = UINT64_C(1) << (SIGPIPE - 1);
    uint64_t before = 0;
    bool foreign = go__m() == NULL;
    if (foreign) {
        (void)go__syscall4(SYS_rt_sigprocmask, SIG_BLOCK, (long)&pipe_signal, (long)&before, sizeof before);
    }
    long n = go__syscall4(nr, fd, a, b, c);
    /* Some may be written before the other side goes: then there is a signal and no error. */
    if (n == -EPIPE || (foreign && (before & pipe_signal) == 0)) {
        struct timespec now = {0, 0};
        (void)go__syscall4(SYS_rt_sigtimedwait, (long)&pipe_signal, 0, (long)&now, sizeof pipe_signal);
    }
    if (foreign) {
        (void)go__syscall4(SYS_rt_sigprocmask, SIG_SETMASK, (long)&before, 0, sizeof before);
    }
    return n;
}

static bool writes(long nr)
{
    return nr == SYS_write || nr == SYS_writev;
}

static long call(long nr, int fd, long a, long b)
{
    return writes(nr) ? go__io_quietly(nr, fd, a, b, 0) : go__syscall3(nr, fd, a, b);
}

static long call_blocking(long nr, int fd, long a, long b)
{
    go_block_begin();
    long n = call(nr, fd, a, b);
    go_block_end();
    return n;
}

GO__NOINLINE long go__io_ready(int fd, short events)
{
    struct pollfd wanted = {.fd = fd, .events = events};
    struct timespec now = {0, 0};
    return go__syscall5(SYS_ppoll, (long)&wanted, 1, (long)&now, 0, 8);
}

/* What is ready now may not be by the time we ask: then the call blocks. */
long go__io_when_ready(long nr, int fd, short events, long a, long b, long c)
{
    long n = go__io_ready(fd, events);
    if (n <= 0) {
        return n == 0 ? -EAGAIN : n;
    }
    go_block_begin();
    n = events == POLLOUT ? go__io_quietly(nr, fd, a, b, c) : go__syscall4(nr, fd, a, b, c);
    go_block_end();
    return n;
}

long go__io_file(struct go__fd_use *use, long nr, long a, long b)
{
    switch (go__io_kind(use)) {
    case GO__FD_FILE: return call_blocking(nr, use->fd, a, b);
    case GO__FD_SHARED: return go__io_when_ready(nr, use->fd, writes(nr) ? POLLOUT : POLLIN, a, b, 0);
    default: return call(nr, use->fd, a, b);
    }
}

struct sendfile_call {
    int in_fd;
    int64_t *offset;
    size_t size;
};

#define READY_SIZE ((size_t)4096) /* what is ready for writing takes this much without blocking, be it a pipe or a socket */

static GO__NOINLINE long try_sendfile(struct go__fd_use *use, void *arg)
{
    const struct sendfile_call *c = arg;
    bool file = go__io_kind(use) == GO__FD_FILE;
    if (go__io_shared(use) && !file) { /* no more than that, or a deadline would pass unnoticed */
        size_t size = c->size < READY_SIZE ? c->size : READY_SIZE;
        return go__io_when_ready(SYS_sendfile, use->fd, POLLOUT, c->in_fd, (long)c->offset, (long)size);
    }
    if (file) {
        go_block_begin();
    }
    long n = go__io_quietly(SYS_sendfile, use->fd, c->in_fd, (long)c->offset, (long)c->size);
    if (file) {
        go_block_end();
    }
    return n;
}

ssize_t go_sendfile(int out_fd, int in_fd, int64_t *offset, size_t size)
{
    struct go__fd_use out, in;
    struct sendfile_call c = {in_fd, offset, size < GO__IO_MOST ? size : GO__IO_MOST};
    ssize_t n = go__io_begin_nonblocking(&out, out_fd, GO__FD_WRITE, GO__REASON_IO_WRITE);
    if (n != 0) {
        return n;
    }
    n = go__fd_hold(&in, in_fd);
    if (n == 0) {
        n = go__io_run(&out, GO__FD_WRITE, GO__REASON_IO_WRITE, try_sendfile, &c);
        go__fd_end(&in);
    }
    go__fd_end(&out);
    return n;
}
