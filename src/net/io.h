/* What the calls on descriptors share. */
#ifndef GO_SRC_NET_IO_H
#define GO_SRC_NET_IO_H

#include <poll.h>
#include <sys/socket.h>

#include "go/time.h"
#include "os/syscall.h"
#include "poll/netpoll.h"
#include "sched/park.h"

/* One try of an operation, never waiting; -EAGAIN: not now. */
typedef long (*go__io_try)(struct go__fd_use *use, void *arg);

/* Tries on what is no socket (file.c): nr is read, readv, write or writev, called as nr(fd, a, b). */
long go__io_file(struct go__fd_use *use, long nr, long a, long b);
long go__io_quietly(long nr, long fd, long a, long b, long c); /* a write without SIGPIPE */

/* Other processes may have the same open file as 0, 1 and 2, so these stay as they are: if they are not ours, they may block. */
GO__INLINE bool go__io_shared(const struct go__fd_use *use)
{
    return go__unlikely(use->fd <= 2) && !go__fd_has(use->record, GO__FD_OWN);
}

/* Whether fd is ready for events (POLLIN or POLLOUT) or in error: 1, 0 or -errno. */
long go__io_ready(int fd, short events);

/* One try of nr(fd, a, b, c) on such a descriptor: as a declared blocking call, once it is ready for events. */
long go__io_when_ready(long nr, int fd, short events, long a, long b, long c);

/* The kernel cuts longer transfers off, which would look like a short one. */
#define GO__IO_MOST ((size_t)1 << 30)

GO__INLINE enum go__fd_kind go__io_kind(const struct go__fd_use *use)
{
    return (enum go__fd_kind)load_rlx(&use->record->kind); /* rlx: any two who look find the same */
}

GO__INLINE bool go__io_is_socket(const struct go__fd_use *use)
{
    return go__likely(go__io_kind(use) >= GO__FD_SOCKET);
}

/* A foreign descriptor may be closed without our knowing, and its number be another one's by now: what a call relies on is looked at
 * before each. That what is no socket does not block; sockets are asked with MSG_DONTWAIT, and tell themselves when they are none any
 * more (go__io_retry). 0 or -errno. */
int go__io_look(struct go__fd_use *use);

/* The same for calls without MSG_DONTWAIT, which rely on a socket's not blocking as well; not 0 to 2, which may block. */
int go__io_ensure_nonblocking(struct go__fd_use *use);

/* go__io_begin: the descriptor must be looked at, or its deadline has passed. Ends the use if it cannot be used. */
int go__io_check(struct go__fd_use *use, enum go__fd_direction d);

/* Begins a call that may wait: 0 with a reference, the turn of d and a known kind; -ECANCELED, -ETIMEDOUT, -EBADF, -ENOMEM and what
 * looking at the descriptor may return. Ended by go__fd_end. Inline, as the next ones, because there is little stack below. */
GO__INLINE int go__io_begin(struct go__fd_use *use, int fd, enum go__fd_direction d, enum go__reason reason)
{
    if (go__canceled(go__self())) {
        return -ECANCELED;
    }
    int error = go__fd_begin(use, fd, d, reason);
    if (go__unlikely(error == 0 && (go__fd_expired(use, d) != 0 || go__io_kind(use) < GO__FD_SOCKET))) {
        error = go__io_check(use, d);
    }
    return error;
}

/* The same for calls without MSG_DONTWAIT. */
GO__INLINE int go__io_begin_nonblocking(struct go__fd_use *use, int fd, enum go__fd_direction d, enum go__reason reason)
{
    int error = go__io_begin(use, fd, d, reason);
    if (error == 0 && go__unlikely(!go__fd_has(use->record, GO__FD_OWN))) {
        error = go__io_ensure_nonblocking(use);
        if (error != 0) {
            go__fd_end(use);
        }
    }
    return error;
}

/* After an error: 0 to try again, because a foreign socket's number is no socket any more and was looked at. */
int go__io_retry(struct go__fd_use *use, int error);

/* Before another try: waits. The number may have become another descriptor, closed behind our back: then it is looked at again. */
GO__INLINE int go__io_wait(struct go__fd_use *use, enum go__fd_direction d, uint32_t edge, enum go__reason reason)
{
    int error = go__fd_wait(use, d, edge, reason);
    if (error == 0 && go__unlikely(go__io_kind(use) == GO__FD_UNKNOWN)) {
        error = go__fd_classify(use);
    }
    return error;
}

/* Before another write or connect to somebody whose queue is full, where nothing tells when it is not: sleeps for *pause, which grows. 0;
 * -ETIMEDOUT, -ECANCELED, -ENOMEM. */
#define GO__IO_PAUSE_LEAST GO_MILLISECOND
int go__io_pause(struct go__fd_use *use, int64_t *pause);

/* Tries until it succeeds or fails, waiting for direction d in between. */
GO__INLINE long go__io_run(struct go__fd_use *use, enum go__fd_direction d, enum go__reason reason, go__io_try try_once, void *arg)
{
    for (;;) {
        uint32_t edge = load_acq(&use->record->edge[d]); /* acq: read before the kernel is asked; pairs with go__fd_event */
        long n = try_once(use, arg);
        if (n == -EAGAIN) {
            n = go__io_wait(use, d, edge, reason);
            if (n != 0) {
                return n;
            }
        } else if (n != -EINTR) {
            if (n != -ENOTSOCK || (n = go__io_retry(use, (int)n)) != 0) {
                return n;
            }
        }
    }
}

#endif
