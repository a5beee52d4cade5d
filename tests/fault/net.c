/* Descriptors, names, signals, children. Both sides of a connection are goroutines here, so whoever fails closes its end, and the other
 * side sees the end of the stream. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "fault/scenario.h"

/* What the system calls may return goes through: "every call may return what its system call may". */
static const int of_sockets[] = {-ENOMEM, -EMFILE, -ENOBUFS, -ECONNRESET, -EPIPE, -ENOENT, -EAGAIN, 0};

#define NAME_MOST 128

struct server {
    go_waitgroup done;
    int listener, error;
    atomic_bool closed;
};

/* By whoever comes first: the server that failed, or the dialler. */
static void stop_listening(struct server *s)
{
    if (!atomic_exchange(&s->closed, true)) {
        CHECK_EQUAL(go_close(s->listener), 0);
    }
}

static void serve_one(void *arg)
{
    struct server *s = arg;
    char buffer[64];
    ssize_t n = 0;
    int fd = go_accept(s->listener);
    note_error(&s->error, fd);
    while (fd >= 0 && (n = go_read(fd, buffer, sizeof buffer)) > 0) {
        n = go_write(fd, buffer, (size_t)n);
        note_error(&s->error, n);
        if (n < 0) {
            break;
        }
    }
    note_error(&s->error, n);
    if (fd >= 0) {
        CHECK_EQUAL(go_close(fd), 0);
    }
    stop_listening(s); /* whoever was not accepted is reset */
}

static int talk(int fd)
{
    char buffer[6] = {0};
    struct iovec parts[2] = {{(char[]){"ab"}, 2}, {(char[]){"cde"}, 3}};
    int error = 0;
    note_error(&error, go_set_deadline(fd, go_now() + 10 * GO_SECOND));
    if (error == 0) {
        note_error(&error, go_writev(fd, parts, 2));
    }
    if (error == 0) {
        ssize_t n = go_read_full(fd, buffer, 5);
        note_error(&error, n);
        CHECK(n < 5 || memcmp(buffer, "abcde", 5) == 0);
        note_error(&error, n >= 0 && n < 5 ? -ECONNRESET : 0); /* the server failed */
    }
    return error;
}

static int echo(const char *network, const char *address)
{
    struct server s = {GO_WAITGROUP_INIT, go_listen(network, address), 0, false};
    char at[NAME_MOST];
    int error = 0;
    if (s.listener < 0) {
        return s.listener;
    }
    note_error(&error, go_local_address(s.listener, at, sizeof at));
    if (error < 0) {
        CHECK_EQUAL(go_close(s.listener), 0);
        return error;
    }
    go_waitgroup_go(&s.done, serve_one, &s);
    int fd = go_dial_until(network, at, go_now() + 10 * GO_SECOND);
    note_error(&error, fd);
    if (fd >= 0) {
        note_error(&error, talk(fd));
        CHECK_EQUAL(go_close(fd), 0);
    } else {
        stop_listening(&s); /* nobody comes */
    }
    go_waitgroup_wait(&s.done);
    return error != 0 || s.error == 0 ? error : s.error;
}

static int echo_tcp(void *arg)
{
    (void)arg;
    return echo("tcp", "127.0.0.1:0");
}

static int echo_unix(void *arg)
{
    char path[64];
    (void)arg;
    (void)snprintf(path, sizeof path, "/tmp/goco-fault-%d", (int)getpid());
    (void)unlink(path); /* of an earlier process of this number that ended by a report */
    int error = echo("unix", path);
    CHECK(access(path, F_OK) != 0); /* whatever failed: nobody could listen there again */
    return error;
}

static int datagrams(void *arg)
{
    char at[NAME_MOST], c = 0;
    int error = 0;
    (void)arg;
    int to = go_listen("udp", "127.0.0.1:0");
    if (to < 0) {
        return to;
    }
    note_error(&error, go_local_address(to, at, sizeof at));
    int from = error == 0 ? go_dial("udp", at) : error;
    note_error(&error, from);
    if (error == 0) {
        note_error(&error, go_sendto(from, "x", 1, 0, NULL, 0));
        note_error(&error, go_set_read_deadline(to, go_now() + 10 * GO_SECOND));
    }
    if (error == 0) {
        ssize_t n = go_recvfrom(to, &c, 1, 0, NULL, NULL);
        note_error(&error, n);
        CHECK(n < 0 || c == 'x');
    }
    if (from >= 0) {
        CHECK_EQUAL(go_close(from), 0);
    }
    CHECK_EQUAL(go_close(to), 0);
    return error;
}

/* --- what goco did not make --- */

struct pipe_ends {
    go_waitgroup done;
    int ends[2], error;
};

static void write_later(void *arg)
{
    struct pipe_ends *p = arg;
    note_error(&p->error, go_sleep(GO_MILLISECOND));
    note_error(&p->error, go_write(p->ends[1], "xyz", 3));
    CHECK_EQUAL(go_close(p->ends[1]), 0); /* then the readers see the end */
}

/* Waits for the pipe too, by go_poll: an event for one of the two registers the other anew. */
static void watch(void *arg)
{
    struct pipe_ends *p = arg;
    int n = go_poll(p->ends[0], POLLIN, go_now() + 10 * GO_SECOND);
    CHECK(n > 0 || n == -ENOMEM || n == -ECANCELED);
    note_error(&p->error, n == -ECANCELED ? 0 : n);
}

static int pipes(void *arg)
{
    struct pipe_ends p = {.error = 0};
    char buffer[3];
    (void)arg;
    CHECK_EQUAL(pipe(p.ends), 0);
    go_waitgroup_go(&p.done, write_later, &p);
    go_waitgroup_go(&p.done, watch, &p);
    ssize_t n = go_read_full(p.ends[0], buffer, 3);
    note_error(&p.error, n);
    go_waitgroup_wait(&p.done);
    CHECK_EQUAL(go_close(p.ends[0]), 0);
    return p.error;
}

/* One reads while another writes on the same foreign descriptor that is no socket: their one-shot registrations meet. */
struct terminal {
    go_waitgroup done, replied;
    int master, error;
};

static void fill(void *arg)
{
    struct terminal *t = arg;
    static const char text[4096];
    ssize_t n = 0;
    for (int i = 0; i < 16 && n >= 0; i++) {
        n = go_write(t->master, text, sizeof text);
    }
    note_error(&t->error, n == -ECANCELED || n == -EBADF ? 0 : n); /* closed, as planned */
}

static void read_reply(void *arg)
{
    struct terminal *t = arg;
    char c = 0;
    ssize_t n = go_read(t->master, &c, 1);
    note_error(&t->error, n);
    CHECK(n < 0 || c == 'r');
    go_waitgroup_done(&t->replied);
}

static int both_ways(void *arg)
{
    struct terminal t = {.error = 0};
    struct termios raw;
    (void)arg;
    t.master = posix_openpt(O_RDWR | O_NOCTTY);
    CHECK(t.master >= 0 && grantpt(t.master) == 0 && unlockpt(t.master) == 0);
    int slave = open(ptsname(t.master), O_RDWR | O_NOCTTY);
    CHECK(slave >= 0 && tcgetattr(slave, &raw) == 0);
    cfmakeraw(&raw);
    CHECK_EQUAL(tcsetattr(slave, TCSANOW, &raw), 0);
    go_waitgroup_add(&t.replied, 1);
    go_waitgroup_go(&t.done, read_reply, &t);
    go_waitgroup_go(&t.done, fill, &t);
    (void)go_sleep(GO_MILLISECOND);
    CHECK_EQUAL(write(slave, "r", 1), 1);
    go_waitgroup_wait(&t.replied); /* though the writer still waits */
    CHECK_EQUAL(go_close(t.master), 0);
    go_waitgroup_wait(&t.done);
    (void)close(slave);
    return t.error;
}

/* --- names --- */

static int look_up(void *arg)
{
    struct addrinfo *result = NULL;
    (void)arg;
    int error = go_getaddrinfo("127.0.0.1", "80", NULL, &result);
    if (error == 0) {
        freeaddrinfo(result);
    }
    int fd = go_listen("tcp", "localhost:0");
    if (fd >= 0) {
        CHECK_EQUAL(go_close(fd), 0);
    }
    note_error(&error, fd);
    return error;
}

/* --- signals --- */

static void receive_signal(go_chan *c)
{
    int signo = 0;
    CHECK_EQUAL(kill(getpid(), SIGUSR1), 0);
    CHECK_EQUAL(go_chan_recv(c, &signo), 0); /* lost without a word, it would wait for ever */
    CHECK_EQUAL(signo, SIGUSR1);
}

static int signals(void *arg)
{
    (void)arg;
    go_chan *c = go_chan_new(sizeof(int), 4);
    if (c == NULL) {
        return -ENOMEM;
    }
    int error = go_signal_notify(c, SIGUSR1);
    if (error == 0) {
        int more = go_signal_notify(c, SIGUSR2);
        receive_signal(c);
        CHECK_EQUAL(go_signal_stop(c, SIGUSR1), 0);
        CHECK_EQUAL(go_signal_stop(c, SIGUSR2), more == 0 ? 0 : -EINVAL);
        note_error(&error, more);
    }
    go_chan_unref(c);
    return error;
}

/* --- children --- */

static int children(void *arg)
{
    int error = 0, status;
    (void)arg;
    for (int i = 0; i < 2; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            (void)usleep(2000);
            _exit(7);
        }
        CHECK(pid > 0);
        int code = go_waitpid(i == 0 ? pid : -1, &status, 0); /* by a descriptor, by a thread */
        if (code < 0) {
            note_error(&error, code);
            CHECK_EQUAL(waitpid(pid, &status, 0), pid); /* it was left for us */
        }
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
    }
    return error;
}

const struct scenario scenarios_net[] = {
    {.name = "echo_tcp", .body = echo_tcp, .errors = of_sockets, .fatal = "out of memory"},
    {.name = "echo_unix", .body = echo_unix, .errors = of_sockets, .fatal = "out of memory"},
    {.name = "datagrams", .body = datagrams, .errors = of_sockets},
    {.name = "pipes", .body = pipes, .errors = of_sockets, .fatal = "out of memory"},
    {.name = "both_ways", .body = both_ways, .errors = of_sockets, .fatal = "out of memory"},
    {.name = "look_up", .body = look_up, .errors = of_sockets},
    {.name = "signals", .body = signals, .errors = of_sockets},
    {.name = "children", .body = children, .errors = of_sockets},
    {.name = NULL},
};
