/* Sockets, descriptors, names, signals and child processes: calls that block the goroutine and nothing else.
 *
 * Descriptors are plain ints. Any pollable one works: a pipe, a timerfd, a socket made by another library. goco makes it non-blocking
 * on first use, but never 0, 1 and 2, whose flags other processes share: those are waited for and then used in a declared blocking
 * call. On a regular file a call is a declared blocking call. What goco opens is non-blocking and close-on-exec.
 *
 * "Parks: no" here means that nothing is waited for that others do. Such a call may still yield, as go_yield does, for the few
 * instructions in which another thread closes the same descriptor number or changes a subscription to signals.
 *
 *   #include <go/net.h>
 *   #include <go/run.h>
 *   #include <stdint.h>
 *
 *   static void echo(void *arg)
 *   {
 *       int fd = (int)(intptr_t)arg;
 *       char buffer[512];
 *       ssize_t n;
 *       while ((n = go_read(fd, buffer, sizeof buffer)) > 0 && go_write(fd, buffer, (size_t)n) > 0) {}
 *       go_close(fd);
 *   }
 *
 *   static int start(void *arg)
 *   {
 *       int fd, listener = go_listen("tcp", "127.0.0.1:7777");
 *       (void)arg;
 *       while (listener >= 0 && (fd = go_accept(listener)) >= 0) { go(echo, (void *)(intptr_t)fd); }
 *       return 1;
 *   }
 *
 *   int main(void) { return go_run(start, NULL); }
 *
 * One reader and one writer may use a descriptor at the same time; two readers take turns. SIGPIPE is never raised by these calls.
 * Results are negative errno codes; besides those named, every call may return what its system call may.
 *
 * Caller, for every function here: a goroutine or, while the runtime runs, any thread (which then blocks itself). */
#ifndef GO_NET_H
#define GO_NET_H

#include <stddef.h>
#include <stdint.h>
#include <sys/select.h> /* sigset_t, for strict C11 too */
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "go/base.h"
#include "go/chan.h"

#ifdef __cplusplus
extern "C" {
#endif

struct addrinfo; /* <netdb.h> */

/* go_listen: a socket that listens (tcp, unix) or is bound (udp, unixgram).
 *   network   "tcp", "tcp4", "tcp6", "udp", "udp4", "udp6", "unix", "unixgram"
 *   address   "127.0.0.1:8080", "[::1]:0", ":8080", "localhost:http"; for unix a path. Port 0: the system chooses. A port is digits, 65535
 *             at most, or the name of a service, which begins with a letter or a digit and has a letter
 * Returns the descriptor, tcp with SO_REUSEADDR; -EINVAL: unknown network or malformed address; -ENOENT: unknown host or service;
 *         -EADDRINUSE, -EACCES, -EMFILE and what socket, bind and listen may return; -ECANCELED.
 * Parks:  yes, if a name must be looked up.
 * Source: Go's net.Listen; src/net/listen.c. */
GO_API GO_NODISCARD int go_listen(const char *network, const char *address);

/* go_accept: the next connection.
 *   fd   from go_listen
 * Returns its descriptor, with TCP_NODELAY; -EMFILE and -ENFILE when descriptors are out (the connection stays in the queue);
 *         -ETIMEDOUT after the read deadline; -ECANCELED if fd was closed or the bound context is done; -EINVAL if fd does not
 *         listen. A connection that was aborted meanwhile is skipped.
 * Parks:  yes, until one comes. */
GO_API GO_NODISCARD int go_accept(int fd);

/* go_dial: connect to an address; of a name with several, one after the other.
 *   network, address   as go_listen; an empty host is the local one
 * Returns the descriptor, with TCP_NODELAY; -EINVAL: unknown network or malformed address; -ENOENT: unknown host or service;
 *         -ECONNREFUSED, -ETIMEDOUT, -EHOSTUNREACH of the last address tried; -ECANCELED.
 * Parks:  yes.
 * Source: Go's net.Dial; src/net/dial.c. */
GO_API GO_NODISCARD int go_dial(const char *network, const char *address);

/* go_dial_until: the same with a limit.
 *   deadline   on go_now()'s clock, for all of it, the look-up included
 * Returns as go_dial; -ETIMEDOUT when it has passed. */
GO_API GO_NODISCARD int go_dial_until(const char *network, const char *address, int64_t deadline);

/* go_local_address, go_peer_address: write the socket's own or the other end's address as text, "127.0.0.1:43211" or "[::1]:80" or
 * a path, with a final 0.
 *   buffer, size   64 bytes are enough for every numeric address
 * Returns the length without the 0; -ENOSPC: the buffer is too short; -ENOTCONN, -ENOTSOCK, -EBADF.
 * Parks:  no. */
GO_API int go_local_address(int fd, char *buffer, size_t size);
GO_API int go_peer_address(int fd, char *buffer, size_t size);

/* go_read: read what is there, at least one byte.
 *   buffer   receives up to size bytes; it may live on the caller's stack
 * Returns the number of bytes; 0 at end of file (or if size is 0); -ETIMEDOUT after the read deadline; -ECANCELED if fd was closed
 *         meanwhile or the bound context is done; -ECONNRESET, -EBADF and what read may return.
 * Parks:  yes, until there is something.
 * Source: Go's net.Conn; src/net/io.c. */
GO_API ssize_t go_read(int fd, void *buffer, size_t size);

/* go_read_full: read exactly size bytes.
 * Returns size, or fewer only at end of file; an error as go_read: bytes read before it are lost to the caller.
 * Parks:  yes. */
GO_API ssize_t go_read_full(int fd, void *buffer, size_t size);

/* go_write: write all of it.
 * Returns size; -EPIPE if the other side is gone (no signal is raised); -ETIMEDOUT after the write deadline; -ECANCELED; what write
 *         may return. After an error it is not known how much was written.
 * Parks:  yes, while the other side does not take it. */
GO_API ssize_t go_write(int fd, const void *buffer, size_t size);

/* go_readv, go_writev: go_read and go_write with several buffers.
 *   iov     not changed
 *   count   0 to 1024 for go_readv, 0 or more for go_writev; otherwise -EINVAL */
GO_API ssize_t go_readv(int fd, const struct iovec *iov, int count);
GO_API ssize_t go_writev(int fd, const struct iovec *iov, int count);

/* go_recvfrom, go_sendto, go_recvmsg, go_sendmsg: the system calls of those names, waiting as go_read and go_write do. One call is
 * one system call that succeeded: a datagram, or part of a stream.
 *   flags   as in <sys/socket.h>; with MSG_DONTWAIT they return -EAGAIN instead of waiting
 * Returns the number of bytes; errors as go_read and go_write.
 * Parks:  yes, while the socket is not ready. That a unix receiver's queue has room again nobody tells who sends to its address: it is tried
 *         again after 1 to 16 ms. */
GO_API ssize_t go_recvfrom(int fd, void *buffer, size_t size, int flags, struct sockaddr *from, socklen_t *from_size);
GO_API ssize_t go_sendto(int fd, const void *buffer, size_t size, int flags, const struct sockaddr *to, socklen_t to_size);
GO_API ssize_t go_recvmsg(int fd, struct msghdr *message, int flags);
GO_API ssize_t go_sendmsg(int fd, const struct msghdr *message, int flags);

/* go_sendfile: copy from a file to a socket inside the kernel.
 *   in_fd    a regular file
 *   offset   where to read from, moved by what was sent; NULL: the file's own position
 *   size     bytes at most
 * Returns the number of bytes, which may be fewer than asked; 0 at end of file; errors as go_write.
 * Parks:  yes, while out_fd does not take anything. */
GO_API ssize_t go_sendfile(int out_fd, int in_fd, int64_t *offset, size_t size);

/* go_connect: connect a socket of one's own making.
 * Returns 0; -ECONNREFUSED, -ETIMEDOUT and what connect may return; -ECANCELED: the socket is of no further use then.
 * Parks:  yes, until it is decided. */
GO_API int go_connect(int fd, const struct sockaddr *to, socklen_t to_size);

/* go_shutdown: end one or both directions.
 *   how   SHUT_RD, SHUT_WR, SHUT_RDWR
 * Returns 0; -ENOTCONN, -ENOTSOCK, -EBADF, -EINVAL.
 * Parks:  no.     Wakes: whoever waits in an ended direction. */
GO_API int go_shutdown(int fd, int how);

/* go_close: close a descriptor. A call on it that began before never touches the number once it is used again. A unix listener's path
 * is removed. Close with go_close what was used with goco.
 * Returns 0; -EBADF if it is not open; what close may return: it is closed in any case.
 * Parks:  no; never cancelled.     Wakes: whoever waits on it, with -ECANCELED. */
GO_API int go_close(int fd);

/* go_poll: wait until a descriptor is ready, and leave it as it is: the way to drive another library's descriptors.
 *   events     POLLIN, POLLOUT or both
 *   deadline   on go_now()'s clock; one in the past: only look. Deadlines of the descriptor do not count
 * Returns the ready events, POLLHUP and POLLERR among them; -ETIMEDOUT; -ECANCELED; -EBADF; -EINVAL if events names none.
 * Parks:  yes, until one is ready. */
GO_API int go_poll(int fd, short events, int64_t deadline);

/* go_set_deadline, go_set_read_deadline, go_set_write_deadline: from then on calls on fd return -ETIMEDOUT, those that wait already
 * included, until the deadline is moved.
 *   deadline   on go_now()'s clock; GO_FOREVER: none. It passes when a P looks at its timers: a goroutine that computed beyond it may get
 *              what is there first
 * Returns 0; -EBADF; -EINVAL if fd cannot be polled; -ENOMEM.
 * Parks:  no. */
GO_API int go_set_deadline(int fd, int64_t deadline);
GO_API int go_set_read_deadline(int fd, int64_t deadline);
GO_API int go_set_write_deadline(int fd, int64_t deadline);

/* go_getaddrinfo: getaddrinfo of <netdb.h>, on a thread that nobody waits for.
 *   result   to be freed with freeaddrinfo
 * Returns 0; -ENOENT: no such name (EAI_NONAME, EAI_NODATA); -EAGAIN: try later; -ENOMEM; -EIO: anything else, a service by itself
 *         included (EAI_SERVICE); -ECANCELED.
 * Parks:  yes; a goroutine of its own makes the blocking call. */
GO_API int go_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **result);

/* go_signal_notify: send each arriving signal as an int into c; when c is full it is dropped. Signals are taken by the thread that called
 * go_run, so it must not have blocked them, and by other threads of the program, never by one that runs goroutines: raise() in a
 * goroutine reaches nobody, kill(getpid(), signo) does.
 *   c       a channel of int, buffered; the subscription holds a reference
 *   signo   any but SIGKILL, SIGSTOP and the synchronous ones (SIGSEGV, SIGBUS, SIGFPE, SIGILL)
 * Returns 0; -EINVAL: such a signal or channel; -ENOMEM.
 * Parks:  no.
 * Source: Go's signal.Notify; src/net/signal.c. */
GO_API int go_signal_notify(go_chan *c, int signo);

/* go_signal_stop: end a subscription. The last one for a signal restores the disposition it had before the first.
 * Returns 0; -EINVAL if c has no subscription for signo.
 * Parks:  no. After it returned, nothing more is sent to c for signo. */
GO_API int go_signal_stop(go_chan *c, int signo);

/* go_signal_mask: the signal mask that the thread had which called go_run. Threads that run goroutines block all signals but faults, and
 * whatever they start inherits that: a child that no SIGTERM ends. So give it this mask:
 *   posix_spawn      posix_spawnattr_setsigmask with POSIX_SPAWN_SETSIGMASK
 *   pthread_create   pthread_sigmask(SIG_SETMASK, &mask, NULL) in the thread, or pthread_attr_setsigmask_np. Not in a goroutine: its
 *                    thread has no room for the program's handlers
 *   fork             nothing: the child has this mask already, and every signal that had a handler has its default again. It may only
 *                    exec or _exit; most goco calls end it with a message
 *   system, popen    cannot be told: spawn "/bin/sh" with "-c"
 * Parks:  no. */
GO_API void go_signal_mask(sigset_t *mask);

/* go_waitpid: waitpid that blocks the goroutine only. What a goroutine starts by posix_spawn blocks signals unless it is told otherwise,
 * see go_signal_mask.
 *   pid       as in waitpid: a child, -1 for any, 0 or -n for a process group
 *   options   WNOHANG, WUNTRACED, WCONTINUED
 * Returns the child's id; 0 with WNOHANG if none has ended; -ECHILD; -EINVAL; -ECANCELED: for anything but a single child that ends a
 *         thread stays behind then, until some child changes its state.
 * Parks:  yes, until a child has ended. */
GO_API int go_waitpid(pid_t pid, int *status, int options);

#ifdef __cplusplus
}
#endif

#endif
