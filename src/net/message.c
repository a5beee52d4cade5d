/* Messages with addresses, flags and control data: one call is one system call that succeeded. */
#include <errno.h>
#include <limits.h>

#include "go/net.h"
#include "net/io.h"

struct message_call {
    void *buffer;
    size_t size;
    int flags;
    socklen_t to_size;
    struct sockaddr *address;
    union {
        socklen_t *address_size; /* receiving */
        int64_t pause;           /* sending: before the next try, where no event comes */
    };
};

static GO__NOINLINE long try_recvfrom(struct go__fd_use *use, void *arg)
{
    const struct message_call *c = arg;
    return go__syscall6(SYS_recvfrom, use->fd, (long)c->buffer, (long)c->size, c->flags | MSG_DONTWAIT, (long)c->address,
                        (long)c->address_size);
}

#define PAUSE_FIRST INT_MIN /* no error number */

/* After "not now": what try_sendto and try_sendmsg return. Of a unix receiver whose queue is full, with what others have sent perhaps, the
 * kernel tells nothing when it is not. If this socket is ready each try that fails is an event in itself, a loop; it need not be ready
 * either, for its own buffer may be half full with what a third one has not received. Elsewhere it may mean that no local port is left:
 * then the socket is ready. -EAGAIN: an event will come. */
static GO__NOINLINE long refused(int fd, const struct sockaddr *to, socklen_t to_size)
{
    if (to == NULL || to_size < sizeof to->sa_family) {
        return -EAGAIN;
    }
    return to->sa_family == AF_UNIX || go__io_ready(fd, POLLOUT) != 0 ? PAUSE_FIRST : -EAGAIN;
}

static bool waits(const struct message_call *c)
{
    return (c->flags & MSG_DONTWAIT) == 0;
}

static GO__NOINLINE long try_sendto(struct go__fd_use *use, void *arg)
{
    const struct message_call *c = arg;
    long n = go__syscall6(SYS_sendto, use->fd, (long)c->buffer, (long)c->size, c->flags | MSG_DONTWAIT | MSG_NOSIGNAL,
                          (long)c->address, c->to_size);
    return go__unlikely(n == -EAGAIN && waits(c)) ? refused(use->fd, c->address, c->to_size) : n;
}

static GO__NOINLINE long try_recvmsg(struct go__fd_use *use, void *arg)
{
    const struct message_call *c = arg;
    return go__syscall3(SYS_recvmsg, use->fd, (long)c->buffer, c->flags | MSG_DONTWAIT);
}

static GO__NOINLINE long try_sendmsg(struct go__fd_use *use, void *arg)
{
    const struct message_call *c = arg;
    const struct msghdr *message = c->buffer;
    long n = go__syscall3(SYS_sendmsg, use->fd, (long)message, c->flags | MSG_DONTWAIT | MSG_NOSIGNAL);
    return go__unlikely(n == -EAGAIN && waits(c)) ? refused(use->fd, message->msg_name, message->msg_namelen) : n;
}

/* MSG_DONTWAIT: not even for its turn; one system call does not mix with another's. */
static GO__NOINLINE int begin_now(struct go__fd_use *use, int fd, enum go__fd_direction d)
{
    if (go__canceled(go__self())) {
        return -ECANCELED;
    }
    int error = go__fd_hold(use, fd);
    if (error == 0 && (go__fd_expired(use, d) != 0 || go__io_kind(use) < GO__FD_SOCKET)) {
        error = go__io_check(use, d);
    }
    return error;
}

/* Inline, because there is little stack below. */
GO__INLINE ssize_t transfer(int fd, enum go__fd_direction d, go__io_try try_once, struct message_call *c)
{
    struct go__fd_use use;
    enum go__reason reason = d == GO__FD_READ ? GO__REASON_IO_READ : GO__REASON_IO_WRITE;
    bool wait = waits(c);
    ssize_t n = wait ? go__io_begin(&use, fd, d, reason) : begin_now(&use, fd, d);
    if (n != 0) {
        return n;
    }
    if (d == GO__FD_WRITE) {
        GO__IO_RELEASE();
    }
    if (!wait) {
        n = try_once(&use, c);
    } else {
        do {
            n = go__io_run(&use, d, reason, try_once, c);
        } while (d == GO__FD_WRITE && n == PAUSE_FIRST && (n = go__io_pause(&use, &c->pause)) == 0);
    }
    if (d == GO__FD_READ) {
        GO__IO_ACQUIRE();
    }
    go__fd_end(&use);
    return n;
}

ssize_t go_recvfrom(int fd, void *buffer, size_t size, int flags, struct sockaddr *from, socklen_t *from_size)
{
    struct message_call c = {buffer, size, flags, 0, from, {from_size}};
    return transfer(fd, GO__FD_READ, try_recvfrom, &c);
}

ssize_t go_sendto(int fd, const void *buffer, size_t size, int flags, const struct sockaddr *to, socklen_t to_size)
{
    struct message_call c = {(void *)(uintptr_t)buffer,    size, flags, to_size, (struct sockaddr *)(uintptr_t)to,
                             {.pause = GO__IO_PAUSE_LEAST}};
    return transfer(fd, GO__FD_WRITE, try_sendto, &c);
}

ssize_t go_recvmsg(int fd, struct msghdr *message, int flags)
{
    struct message_call c = {message, 0, flags, 0, NULL, {NULL}};
    return transfer(fd, GO__FD_READ, try_recvmsg, &c);
}

ssize_t go_sendmsg(int fd, const struct msghdr *message, int flags)
{
    struct message_call c = {(void *)(uintptr_t)message, 0, flags, 0, NULL, {.pause = GO__IO_PAUSE_LEAST}};
    return transfer(fd, GO__FD_WRITE, try_sendmsg, &c);
}
