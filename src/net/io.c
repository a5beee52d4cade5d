/* Reading and writing.
 *
 * Every call asks the kernel first and waits only if that says "not now". One case needs no asking: on a TCP connection a read that
 * returned less than it had room for has taken everything, so until the poller reports more the next read waits at once. That
 * does not hold once the end of the stream or urgent data are in sight (GO__FD_CAREFUL): they came with the same event. Nor for unix
 * sockets, which end a read between messages of different senders. */
#include "net/io.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>

#include "go/net.h"

#define PAUSE_MOST (16 * GO_MILLISECOND)

GO__NOINLINE int go__io_ensure_nonblocking(struct go__fd_use *use)
{
    if (use->fd <= 2) {
        return 0;
    }
    long flags = go__syscall2(SYS_fcntl, use->fd, F_GETFL);
    return flags < 0 ? (int)flags : (flags & O_NONBLOCK) != 0 ? 0 : go__fd_classify(use);
}

GO__NOINLINE int go__io_look(struct go__fd_use *use)
{
    enum go__fd_kind kind = go__io_kind(use);
    if (kind == GO__FD_UNKNOWN || kind == GO__FD_FILE) { /* a file's flags say nothing; it is slow in any case */
        return go__fd_classify(use);
    }
    return kind == GO__FD_PIPE && !go__fd_has(use->record, GO__FD_OWN) ? go__io_ensure_nonblocking(use) : 0;
}

GO__NOINLINE int go__io_retry(struct go__fd_use *use, int error)
{
    if (error != -ENOTSOCK || go__io_kind(use) != GO__FD_SOCKET || go__fd_has(use->record, GO__FD_OWN)) {
        return error;
    }
    int code = go__fd_classify(use);
    return code != 0 ? code : go__io_is_socket(use) ? error : 0;
}

GO__NOINLINE int go__io_check(struct go__fd_use *use, enum go__fd_direction d)
{
    int error = go__fd_expired(use, d);
    if (error == 0) {
        error = go__io_look(use);
    }
    if (error != 0) {
        go__fd_end(use);
    }
    return error;
}

GO__NOINLINE int go__io_pause(struct go__fd_use *use, int64_t *pause)
{
    int code = go_sleep(*pause);
    *pause = *pause < PAUSE_MOST ? *pause * 2 : *pause;
    uint64_t word = load_acq(&use->record->word); /* acq pairs with the closer's compare-and-swap */
    if ((word & GO__FD_CLOSING) != 0 || go__fd_generation(word) != use->generation) {
        return -ECANCELED;
    }
    return code != 0 ? code : go__fd_expired(use, GO__FD_WRITE);
}

/* --- reading --- */

/* Inline, because there is little stack below. */
GO__INLINE ssize_t read_some(struct go__fd_use *use, void *buffer, size_t size)
{
    struct go__fd *r = use->record;
    size = size < GO__IO_MOST ? size : GO__IO_MOST;
    for (;;) {
        uint32_t edge = load_acq(&r->edge[GO__FD_READ]); /* acq: as in go__io_run */
        enum go__fd_kind kind = go__io_kind(use);
        long n = -EAGAIN;
        if (go__likely(kind == GO__FD_TCP)) {
            if (edge != load_rlx(&r->drained)) { /* rlx: ours, we have the turn */
                n = go__syscall6(SYS_recvfrom, use->fd, (long)buffer, (long)size, MSG_DONTWAIT, 0, 0);
                if (n > 0 && (size_t)n < size && !go__fd_has(r, GO__FD_CAREFUL)) {
                    store_rlx(&r->drained, edge);
                }
            }
        } else if (kind == GO__FD_SOCKET) {
            n = go__syscall6(SYS_recvfrom, use->fd, (long)buffer, (long)size, MSG_DONTWAIT, 0, 0);
        } else {
            n = go__io_file(use, SYS_read, (long)buffer, (long)size);
        }
        if (go__likely(n >= 0)) {
            GO__IO_ACQUIRE();
            return n;
        }
        n = n == -EAGAIN ? go__io_wait(use, GO__FD_READ, edge, GO__REASON_IO_READ) : go__io_retry(use, (int)n);
        if (n != 0 && n != -EINTR) {
            return n;
        }
    }
}

ssize_t go_read(int fd, void *buffer, size_t size)
{
    struct go__fd_use use;
    ssize_t n = go__io_begin(&use, fd, GO__FD_READ, GO__REASON_IO_READ);
    if (go__likely(n == 0)) {
        n = size != 0 ? read_some(&use, buffer, size) : 0;
        go__fd_end(&use);
    }
    return n;
}

ssize_t go_read_full(int fd, void *buffer, size_t size)
{
    struct go__fd_use use;
    size_t done = 0;
    ssize_t n = go__io_begin(&use, fd, GO__FD_READ, GO__REASON_IO_READ);
    if (n != 0) {
        return n;
    }
    while (done < size && (n = read_some(&use, (char *)buffer + done, size - done)) > 0) {
        done += (size_t)n;
    }
    go__fd_end(&use);
    return n < 0 ? n : (ssize_t)done;
}

struct vector {
    const struct iovec *iov;
    int count;
};

static GO__NOINLINE long try_readv(struct go__fd_use *use, void *arg)
{
    const struct vector *v = arg;
    if (go__io_is_socket(use)) {
        struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)v->iov, .msg_iovlen = (size_t)v->count};
        return go__syscall3(SYS_recvmsg, use->fd, (long)&message, MSG_DONTWAIT);
    }
    return go__io_file(use, SYS_readv, (long)v->iov, v->count);
}

ssize_t go_readv(int fd, const struct iovec *iov, int count)
{
    struct go__fd_use use;
    struct vector v = {iov, count};
    bool empty = true;
    if (count < 0 || count > IOV_MAX) {
        return -EINVAL;
    }
    for (int i = 0; i < count && empty; i++) {
        empty = iov[i].iov_len == 0;
    }
    ssize_t n = go__io_begin(&use, fd, GO__FD_READ, GO__REASON_IO_READ);
    if (n == 0) {
        n = empty ? 0 : go__io_run(&use, GO__FD_READ, GO__REASON_IO_READ, try_readv, &v);
        GO__IO_ACQUIRE();
        go__fd_end(&use);
    }
    return n;
}

/* --- writing --- */

static long write_once(struct go__fd_use *use, const char *buffer, size_t size)
{
    size = size < GO__IO_MOST ? size : GO__IO_MOST;
    if (go__io_is_socket(use)) {
        return go__syscall6(SYS_sendto, use->fd, (long)buffer, (long)size, MSG_DONTWAIT | MSG_NOSIGNAL, 0, 0);
    }
    return go__io_file(use, SYS_write, (long)buffer, (long)size);
}

/* After an unsuccessful try: 0 to try again. */
static int after_write(struct go__fd_use *use, long n, uint32_t edge)
{
    if (n == 0) {
        return -EIO; /* a device that takes nothing */
    }
    if (n == -EINTR) {
        return 0;
    }
    return n == -EAGAIN ? go__io_wait(use, GO__FD_WRITE, edge, GO__REASON_IO_WRITE) : go__io_retry(use, (int)n);
}

ssize_t go_write(int fd, const void *buffer, size_t size)
{
    struct go__fd_use use;
    const char *from = buffer;
    size_t done = 0;
    long n;
    int error = go__io_begin(&use, fd, GO__FD_WRITE, GO__REASON_IO_WRITE);
    if (go__unlikely(error != 0)) {
        return error;
    }
    GO__IO_RELEASE();
    do {                                                           /* once for size 0 too: an empty datagram */
        uint32_t edge = load_acq(&use.record->edge[GO__FD_WRITE]); /* acq: as in go__io_run */
        n = write_once(&use, from + done, size - done);
        if (go__likely(n > 0)) {
            done += (size_t)n;
        } else if (size != 0 || n < 0) {
            error = after_write(&use, n, edge);
        }
    } while (error == 0 && (done < size || n < 0));
    go__fd_end(&use);
    return error != 0 ? error : (ssize_t)done;
}

static GO__NOINLINE long writev_once(struct go__fd_use *use, const struct iovec *iov, int count)
{
    count = count < IOV_MAX ? count : IOV_MAX;
    if (go__io_is_socket(use)) {
        struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = (size_t)count};
        return go__syscall3(SYS_sendmsg, use->fd, (long)&message, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    return go__io_file(use, SYS_writev, (long)iov, count);
}

struct progress {
    const struct iovec *iov; /* the buffer reached */
    int count;               /* from there on */
    size_t offset;           /* bytes of it that are written */
};

/* n bytes more are written; buffers that are empty count as written. */
static void advance(struct progress *p, size_t n)
{
    p->offset += n;
    while (p->count > 0 && p->offset >= p->iov->iov_len) {
        p->offset -= p->iov->iov_len;
        p->iov++;
        p->count--;
    }
}

/* The rest of a buffer that was written in part goes alone, because the caller's array must not be changed. */
static GO__NOINLINE long try_progress(struct go__fd_use *use, const struct progress *p)
{
    if (p->offset != 0) {
        return write_once(use, (const char *)p->iov->iov_base + p->offset, p->iov->iov_len - p->offset);
    }
    return writev_once(use, p->iov, p->count);
}

ssize_t go_writev(int fd, const struct iovec *iov, int count)
{
    struct go__fd_use use;
    struct progress p = {iov, count, 0};
    size_t done = 0;
    if (count < 0) {
        return -EINVAL;
    }
    int error = go__io_begin(&use, fd, GO__FD_WRITE, GO__REASON_IO_WRITE);
    if (error != 0) {
        return error;
    }
    GO__IO_RELEASE();
    advance(&p, 0);
    while (p.count > 0 && error == 0) {
        uint32_t edge = load_acq(&use.record->edge[GO__FD_WRITE]); /* acq: as in go__io_run */
        long n = try_progress(&use, &p);
        if (n > 0) {
            done += (size_t)n;
            advance(&p, (size_t)n);
        } else {
            error = after_write(&use, n, edge);
        }
    }
    go__fd_end(&use);
    return error != 0 ? error : (ssize_t)done;
}
