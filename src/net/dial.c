/* Connecting. */
#include <errno.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <sys/time.h>

#include "go/net.h"
#include "go/run.h"
#include "go/time.h"
#include "net/address.h"
#include "net/io.h"
#include "sched/alloc.h"
#include "time/timer.h"

#define SHARE_LEAST (2 * GO_SECOND) /* for one of several addresses, if there is so much time */
#define SELF_TRIES  3
#define ONCE_MORE   INT_MIN /* no error number */

/* --- one connect --- */

/* What became of a connect in progress: 1 for nothing yet. */
static int decided(int fd)
{
    int error = 0;
    socklen_t size = sizeof error;
    long n = go__syscall5(SYS_getsockopt, fd, SOL_SOCKET, SO_ERROR, (long)&error, (long)&size);
    if (n < 0 || error != 0) {
        return n < 0 ? (int)n : -error;
    }
    size = 0; /* who the peer is does not matter, only whether there is one: an event is a hint */
    n = go__syscall3(SYS_getpeername, fd, (long)&error, (long)&size);
    return n == -ENOTCONN ? 1 : (int)n;
}

GO__INLINE int await(struct go__fd_use *use)
{
    for (;;) {
        uint32_t edge = load_acq(&use->record->edge[GO__FD_WRITE]); /* acq: before the kernel is asked, see netpoll.h */
        int code = decided(use->fd);
        if (code <= 0) {
            return code;
        }
        code = go__fd_wait(use, GO__FD_WRITE, edge, GO__REASON_IO_CONNECT);
        if (code != 0) {
            return code;
        }
    }
}

/* Begins to connect a socket that may block and is to stay so: for the shortest time there is, after which the kernel goes on by itself. */
static GO__NOINLINE int begin_shared(int fd, const void *to, socklen_t size)
{
    const struct timeval least = {0, 1};
    struct timeval before = {0, 0};
    socklen_t before_size = sizeof before;
    (void)go__syscall5(SYS_getsockopt, fd, SOL_SOCKET, SO_SNDTIMEO, (long)&before, (long)&before_size);
    (void)go__syscall5(SYS_setsockopt, fd, SOL_SOCKET, SO_SNDTIMEO, (long)&least, sizeof least);
    go_block_begin();
    int code = (int)go__syscall3(SYS_connect, fd, (long)to, size);
    go_block_end();
    (void)go__syscall5(SYS_setsockopt, fd, SOL_SOCKET, SO_SNDTIMEO, (long)&before, sizeof before);
    return code;
}

/* Waits until it is decided, or the descriptor's write deadline passes, which is `until` for the time being unless that is
 * GO_FOREVER. Inline, because there is little stack below. */
GO__INLINE int connect_and_wait(int fd, const void *to, socklen_t size, int64_t until)
{
    struct go__fd_use use;
    int64_t pause = GO__IO_PAUSE_LEAST;
    int code = go__io_begin_nonblocking(&use, fd, GO__FD_WRITE, GO__REASON_IO_CONNECT);
    if (code != 0) {
        return code;
    }
    if (until != GO_FOREVER && (code = go__fd_set_deadline(&use, 1u << GO__FD_WRITE, until)) != 0) {
        go__fd_end(&use);
        return code;
    }
    do {
        code = go__io_shared(&use) ? begin_shared(fd, to, size) : (int)go__syscall3(SYS_connect, fd, (long)to, size);
        if (code == -EINPROGRESS || code == -EINTR || code == -EALREADY) {
            code = await(&use);
            break;
        }
        if (code != -EAGAIN || ((const struct sockaddr *)to)->sa_family != AF_UNIX) {
            break; /* elsewhere it means that no local port is left */
        }
        code = go__io_pause(&use, &pause); /* the listener's queue is full, and nothing tells when it is not */
    } while (code == 0);
    if (until != GO_FOREVER && code == 0) {
        code = go__fd_set_deadline(&use, 1u << GO__FD_WRITE, GO_FOREVER);
    }
    go__fd_end(&use);
    return code;
}

int go_connect(int fd, const struct sockaddr *to, socklen_t to_size)
{
    return connect_and_wait(fd, to, to_size, GO_FOREVER);
}

/* --- dialling --- */

static int open_socket(const struct go__network *network, const struct go__address *to)
{
    bool tcp = network->type == SOCK_STREAM && to->at.any.sa_family != AF_UNIX;
    long fd = go__syscall3(SYS_socket, to->at.any.sa_family, network->type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return (int)fd;
    }
    int error = go__fd_adopt((int)fd, tcp ? GO__FD_TCP : GO__FD_SOCKET, 0);
    if (error != 0) {
        return error;
    }
    if (tcp) {
        const int on = 1;
        (void)go__syscall5(SYS_setsockopt, fd, IPPROTO_TCP, TCP_NODELAY, (long)&on, sizeof on);
    }
    return (int)fd;
}

/* A connect to a local port that nobody listens on may be given that very port as its own, and meets itself. */
static GO__NOINLINE bool met_itself(int fd)
{
    struct go__address own, peer;
    own.size = peer.size = sizeof own.at;
    if (go__syscall3(SYS_getsockname, fd, (long)&own.at, (long)&own.size) != 0 ||
        go__syscall3(SYS_getpeername, fd, (long)&peer.at, (long)&peer.size) != 0 || own.size != peer.size) {
        return false;
    }
    if (own.at.any.sa_family == AF_INET) {
        return own.at.in4.sin_port == peer.at.in4.sin_port && own.at.in4.sin_addr.s_addr == peer.at.in4.sin_addr.s_addr;
    }
    if (own.at.any.sa_family != AF_INET6 || own.at.in6.sin6_port != peer.at.in6.sin6_port) {
        return false;
    }
    for (size_t i = 0; i < 4; i++) {
        if (own.at.in6.sin6_addr.s6_addr32[i] != peer.at.in6.sin6_addr.s6_addr32[i]) {
            return false;
        }
    }
    return true;
}

/* Until when the next of `left` addresses may take. */
static int64_t share(int64_t deadline, int left)
{
    if (deadline == GO_FOREVER || left <= 1) {
        return deadline;
    }
    int64_t now = go_now();
    if (deadline <= now) {
        return deadline; /* INT64_MIN perhaps */
    }
    int64_t part = (deadline - now) / left;
    part = part > SHARE_LEAST ? part : SHARE_LEAST;
    int64_t until = go__deadline_after(now, part);
    return until < deadline ? until : deadline;
}

/* On the heap, because little stack is left below go_dial_until. */
struct dial {
    struct go__resolution *resolution;
    int64_t deadline; /* for all of it */
    int64_t until;    /* for the address tried */
    int index;        /* the address tried */
    int tries;        /* connections to itself */
};

/* A socket for the address tried, which is given until d->until. */
static GO__NOINLINE int begin_dial(struct dial *d)
{
    const struct go__addresses *addresses = d->resolution->addresses;
    d->until = share(d->deadline, addresses->count - d->index);
    return open_socket(&d->resolution->network, &addresses->list[d->index]);
}

/* After a connect: the result of it all, or ONCE_MORE. */
static GO__NOINLINE int end_dial(struct dial *d, int fd, int error)
{
    bool tcp = d->resolution->network.type == SOCK_STREAM;
    if (error == 0 && tcp && met_itself(fd)) {
        error = ++d->tries < SELF_TRIES ? ONCE_MORE : -ECONNREFUSED;
    } else if (error != 0 && error != -ECANCELED && (d->deadline == GO_FOREVER || go_now() < d->deadline)) {
        d->index++;
        error = d->index < d->resolution->addresses->count ? ONCE_MORE : error;
    }
    if (error != 0 && fd >= 0) {
        (void)go_close(fd);
    }
    return error != 0 ? error : fd;
}

static GO__NOINLINE int start(const char *network, const char *address, int64_t deadline, struct dial **dial)
{
    if (go__canceled(go__self())) {
        return -ECANCELED;
    }
    struct dial *d = go__alloc(sizeof *d);
    if (d == NULL) {
        return -ENOMEM;
    }
    d->deadline = deadline;
    int error = go__resolve(network, address, false, &d->resolution);
    if (error != 0) {
        go__free(d);
        return error;
    }
    *dial = d;
    return 0;
}

static GO__NOINLINE void finish(struct dial *d)
{
    go__resolve_end(d->resolution);
    go__free(d);
}

int go_dial_until(const char *network, const char *address, int64_t deadline)
{
    struct dial *d;
    int result = start(network, address, deadline, &d);
    if (result != 0) {
        return result;
    }
    result = go__resolve_wait(d->resolution, deadline);
    if (result == 0) {
        do {
            int fd = begin_dial(d);
            if (fd >= 0) {
                const struct go__address *to = &d->resolution->addresses->list[d->index];
                result = connect_and_wait(fd, &to->at, to->size, d->until);
            } else {
                result = fd;
            }
            result = end_dial(d, fd, result);
        } while (result == ONCE_MORE);
    }
    finish(d);
    return result;
}

int go_dial(const char *network, const char *address)
{
    return go_dial_until(network, address, GO_FOREVER);
}
