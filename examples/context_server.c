/* context_server: a deadline for each request, and a graceful end on SIGTERM.
 *
 * Lesson: a context bound to a goroutine ends whatever it waits for. Each request gets a context with a timeout, so a request that takes
 * too long is answered 504 though the code that sleeps knows of no deadline. On SIGTERM the server stops accepting, lets the requests
 * under way finish, and after a grace period cancels the context that all of them descend from.
 *
 *     $ context_server 127.0.0.1:8080
 *     $ curl 127.0.0.1:8080/100         works for 100 ms: 200
 *     $ curl 127.0.0.1:8080/2000        too slow: 504 after 500 ms */
#include <errno.h>
#include <go.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REQUEST_TIMEOUT_MS = 500, GRACE_MS = 1000, LARGEST_HEAD = 2048 };

static go_context *all_requests;
static go_waitgroup serving;

/* What a request does: any number of calls that may wait. */
static int work(int milliseconds)
{
    return go_sleep(milliseconds * GO_MILLISECOND);
}

static int work_with_deadline(int milliseconds)
{
    go_context *ctx = go_context_with_timeout(all_requests, REQUEST_TIMEOUT_MS * GO_MILLISECOND);
    int code = -ENOMEM;

    if (ctx != NULL) {
        go_context *before = go_context_bind(ctx);
        code = work(milliseconds);
        if (code == -ECANCELED) {
            code = go_context_err(ctx);
        }
        go_context_bind(before);
        go_context_unref(ctx);
    }
    return code;
}

static int read_request(int fd, char *head, size_t size)
{
    size_t have = 0;
    int milliseconds;

    head[0] = '\0';
    while (strstr(head, "\r\n\r\n") == NULL) {
        ssize_t n = go_read(fd, head + have, size - 1 - have);
        if (n <= 0) {
            return n == -ECANCELED ? -ECANCELED : -ECONNRESET;
        }
        have += (size_t)n;
        head[have] = '\0';
        if (have == size - 1) {
            return -EMSGSIZE;
        }
    }
    return sscanf(head, "GET /%d ", &milliseconds) == 1 && milliseconds >= 0 ? milliseconds : -EINVAL;
}

/* The client may still be sending a head that was too long: a plain close would take the answer away from it. */
static void drain(int fd, char *text, size_t size)
{
    if (go_shutdown(fd, SHUT_WR) == 0 && go_set_read_deadline(fd, go_now() + GO_SECOND) == 0) {
        for (int i = 0; i < 64 && go_read(fd, text, size) > 0; i++) {}
    }
}

static void serve(void *arg)
{
    int fd = *(int *)arg;
    char text[LARGEST_HEAD];
    go_context *before = go_context_bind(all_requests); /* who sends nothing must not hold up the end */
    int milliseconds = read_request(fd, text, sizeof text);

    go_context_bind(before); /* the answer is written though all is cancelled */

    if (milliseconds != -ECONNRESET) {
        int code = milliseconds < 0 ? milliseconds : work_with_deadline(milliseconds);
        const char *status = code == 0            ? "200 OK"
                             : code == -ETIMEDOUT ? "504 Gateway Timeout"
                             : code == -ECANCELED ? "503 Service Unavailable"
                             : code == -EINVAL    ? "400 Bad Request"
                             : code == -EMSGSIZE  ? "431 Request Header Fields Too Large"
                                                  : "500 Internal Server Error";
        int n = snprintf(text, sizeof text, "HTTP/1.1 %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s\n", status,
                         strlen(status) + 1, status);
        (void)go_write(fd, text, (size_t)n);
        if (milliseconds == -EMSGSIZE) {
            drain(fd, text, sizeof text);
        }
    }
    go_close(fd);
    go_waitgroup_done(&serving);
}

static void stop_on_signal(void *arg)
{
    go_chan *signals = go_chan_new(sizeof(int), 1);
    int signo, listener = *(int *)arg;

    if (signals != NULL && go_signal_notify(signals, SIGTERM) == 0 && go_chan_recv(signals, &signo) == 0) {
        go_close(listener); /* wakes the accept below */
    }
    go_chan_unref(signals);
}

static int server_main(void *arg)
{
    char address[64];
    int listener = go_listen("tcp", arg), fd;

    all_requests = go_context_with_cancel(NULL);
    if (listener < 0 || all_requests == NULL || go_local_address(listener, address, sizeof address) < 0) {
        fprintf(stderr, "context_server: cannot listen on %s: %s\n", (char *)arg, go_strerror(listener));
        return 1;
    }
    go_copy(stop_on_signal, &listener, sizeof listener);
    printf("listening on %s\n", address);
    fflush(stdout);
    while ((fd = go_accept(listener)) != -ECANCELED && fd != -EBADF) { /* until stop_on_signal has closed it */
        if (fd >= 0) {
            go_waitgroup_add(&serving, 1);
            go_copy(serve, &fd, sizeof fd);
        } else {
            go_sleep(10 * GO_MILLISECOND); /* no descriptor is left: the connection waits in the queue until a request ends */
        }
    }
    printf("stopping: requests under way have %d ms\n", GRACE_MS);
    if (go_waitgroup_wait_until(&serving, go_now() + GRACE_MS * GO_MILLISECOND) != 0) {
        go_context_cancel(all_requests, 0);
        go_waitgroup_wait(&serving);
    }
    go_context_unref(all_requests);
    printf("stopped\n");
    return 0;
}

int main(int argc, char **argv)
{
    return go_run(server_main, argc > 1 ? argv[1] : "127.0.0.1:8080");
}
