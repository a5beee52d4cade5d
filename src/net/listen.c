/* Listening, accepting, and the names of sockets. */
#include <errno.h>
#include <netinet/tcp.h>

#include "base/mem.h"
#include "go/net.h"
#include "go/time.h"
#include "net/address.h"
#include "net/io.h"
#include "sched/alloc.h"

#define BACKLOG 65535 /* cut to net.core.somaxconn by the kernel */

static void set_option(int fd, int level, int name, int value)
{
    (void)go__syscall5(SYS_setsockopt, fd, level, name, (long)&value, sizeof value);
}

/* --- listening --- */

static int bind_socket(int fd, const struct go__network *network, const struct go__address *at)
{
    bool in6 = at->at.any.sa_family == AF_INET6;
    if (network->family != AF_UNIX && network->type == SOCK_STREAM) {
        set_option(fd, SOL_SOCKET, SO_REUSEADDR,
                   1); /* past connections do not keep the port; of a datagram socket it would steal it */
        set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1); /* inherited by what is accepted */
    }
    if (in6) {
        set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, network->family == AF_INET6);
    }
    return (int)go__syscall3(SYS_bind, fd, (long)&at->at, at->size);
}

/* The path a unix socket is bound to goes when it is closed. The copy is made before it is bound: whoever cannot remember the path must
 * not leave a file. */
static int bind_and_keep_path(int fd, const struct go__network *network, const struct go__address *at)
{
    const char *path = at->at.path.sun_path;
    if (at->at.any.sa_family != AF_UNIX || path[0] == '\0') {
        return bind_socket(fd, network, at);
    }
    size_t size = go__string_length(path) + 1;
    char *copy = go__alloc(size);
    if (copy == NULL) {
        return -ENOMEM;
    }
    go__copy(copy, path, size);
    int error = bind_socket(fd, network, at);
    if (error != 0) {
        go__free(copy); /* a file of that name is somebody else's */
        return error;
    }
    go__fd_peek(fd)->path = copy; /* it was adopted, so the record is there; nobody else knows fd yet */
    return 0;
}

static int listen_at(const struct go__network *network, const struct go__address *at)
{
    bool tcp = network->type == SOCK_STREAM && at->at.any.sa_family != AF_UNIX;
    long fd = go__syscall3(SYS_socket, at->at.any.sa_family, network->type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return (int)fd;
    }
    int error = go__fd_adopt((int)fd, tcp ? GO__FD_TCP : GO__FD_SOCKET, tcp ? GO__FD_NODELAY : 0);
    if (error != 0) {
        return error;
    }
    error = bind_and_keep_path((int)fd, network, at);
    if (error == 0 && network->type == SOCK_STREAM) {
        error = (int)go__syscall2(SYS_listen, fd, BACKLOG);
    }
    if (error != 0) {
        (void)go_close((int)fd);
        return error;
    }
    return (int)fd;
}

/* One address is listened on; the next is for a machine that does not have the first one's family. */
static int listen_any(const struct go__resolution *r)
{
    int result = -ENOENT;
    for (int i = 0; i < r->addresses->count; i++) {
        result = listen_at(&r->network, &r->addresses->list[i]);
        if (result != -EAFNOSUPPORT && result != -EADDRNOTAVAIL) {
            break;
        }
    }
    return result;
}

int go_listen(const char *network, const char *address)
{
    struct go__resolution *r;
    if (go__canceled(go__self())) {
        return -ECANCELED;
    }
    int result = go__resolve(network, address, true, &r);
    if (result != 0) {
        return result;
    }
    result = go__resolve_wait(r, GO_FOREVER);
    if (result == 0) {
        result = listen_any(r);
    }
    go__resolve_end(r);
    return result;
}

/* --- accepting --- */

static GO__NOINLINE long try_accept(struct go__fd_use *use, void *arg)
{
    const long flags = SOCK_NONBLOCK | SOCK_CLOEXEC;
    (void)arg;
    long fd = go__io_shared(use) ? go__io_when_ready(SYS_accept4, use->fd, POLLIN, 0, 0, flags)
                                 : go__syscall4(SYS_accept4, use->fd, 0, 0, flags);
    if (fd == -ECONNABORTED) {
        return -EINTR; /* it was gone before we came: the next one */
    }
    return fd == -EOPNOTSUPP ? -EINVAL : fd;
}

/* What a listener that we did not make has accepted. */
static enum go__fd_kind kind_of_accepted(int fd)
{
    int protocol = 0;
    socklen_t size = sizeof protocol;
    (void)go__syscall5(SYS_getsockopt, fd, SOL_SOCKET, SO_PROTOCOL, (long)&protocol, (long)&size);
    return protocol == IPPROTO_TCP ? GO__FD_TCP : GO__FD_SOCKET;
}

static GO__NOINLINE int make_known(struct go__fd *listener, int fd)
{
    enum go__fd_kind kind = (enum go__fd_kind)load_rlx(&listener->kind); /* rlx: we have a reference */
    if (!go__fd_has(listener, GO__FD_OWN)) {
        kind = kind_of_accepted(fd);
    }
    if (kind == GO__FD_TCP && !go__fd_has(listener, GO__FD_NODELAY)) {
        set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    }
    return go__fd_adopt(fd, kind, 0);
}

int go_accept(int fd)
{
    struct go__fd_use use;
    int result = go__io_begin_nonblocking(&use, fd, GO__FD_READ, GO__REASON_IO_ACCEPT);
    if (result != 0) {
        return result;
    }
    result = (int)go__io_run(&use, GO__FD_READ, GO__REASON_IO_ACCEPT, try_accept, NULL);
    if (result >= 0) {
        int error = make_known(use.record, result);
        result = error != 0 ? error : result;
    }
    go__fd_end(&use);
    return result;
}

/* --- names --- */

static int name_of(long nr, int fd, char *buffer, size_t size)
{
    struct go__fd_use use;
    struct go__address address;
    struct go__address_text text = {&address, buffer, size, 0};
    int error = go__fd_hold(&use, fd);
    if (error != 0) {
        return error;
    }
    address.size = sizeof address.at;
    error = (int)go__syscall3(nr, fd, (long)&address.at, (long)&address.size);
    go__fd_end(&use);
    if (error != 0) {
        return error;
    }
    go__system_call(go__address_format, &text);
    return text.result;
}

int go_local_address(int fd, char *buffer, size_t size)
{
    return name_of(SYS_getsockname, fd, buffer, size);
}

int go_peer_address(int fd, char *buffer, size_t size)
{
    return name_of(SYS_getpeername, fd, buffer, size);
}
