/* http_server: HTTP/1.1 with keep-alive and pipelining: GET and HEAD of / (text) and /json, limits on what a client may send, a graceful
 * end on SIGTERM.
 *
 * Lesson: a protocol in straight lines, one goroutine a connection, and no callback anywhere. serve() waits, answer() thinks: what calls
 * libc is kept in functions that do not wait, so an idle connection sits on its first 2 KB of stack. Answers to requests that came
 * together leave in one write.
 *
 *     $ http_server 127.0.0.1:8080
 *     $ curl 127.0.0.1:8080/json */
#define _GNU_SOURCE
#include <errno.h>
#include <go.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>

enum {
    LARGEST_HEAD = 8192, /* a longer one is answered 431 */
    LARGEST_ANSWER = 256,
    LARGEST_BODY = 1 << 20, /* bodies are skipped; a longer one is answered 413 */
    HEAD_SECONDS = 10,      /* a request that has begun must be complete within */
    GRACE_SECONDS = 5,      /* for connections to finish after SIGTERM */
};

struct connection {
    struct connection *next, *prev; /* in connections, under its lock */
    int fd;
    bool close;  /* after what is in out */
    bool fresh;  /* requests were answered: what is in `in` has begun only now */
    size_t have; /* bytes of in */
    size_t out_size;
    size_t body; /* bytes of a body still to be skipped */
    char *out;   /* LARGEST_HEAD bytes while requests are answered, else NULL: a connection that waits keeps none */
    char in[LARGEST_HEAD];
};

static struct {
    go_mutex lock;
    struct connection *first;
    bool ending; /* no further request is read */
} connections;

static go_waitgroup serving;
static int listener;

/* --- requests and answers: these do not wait --- */

struct request {
    bool head_only, keep_alive, close, http_1_0;
    bool host, length; /* whether such a line was there */
    size_t body;
    const char *target, *target_end;
};

/* A client of HTTP/1.0 waits for the end unless it is told that there is none. */
static void put_answer(struct connection *c, const struct request *r, const char *status, const char *type, const char *text)
{
    const char *connection = c->close ? "Connection: close\r\n" : r->http_1_0 ? "Connection: keep-alive\r\n" : "";

    c->out_size +=
        (size_t)snprintf(c->out + c->out_size, LARGEST_ANSWER, "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n%s\r\n%s",
                         status, type, strlen(text), connection, r->head_only ? "" : text);
}

/* What every client asks for comes ready-made. */
static void put_ready(struct connection *c, const char *answer, size_t size)
{
    memcpy(c->out + c->out_size, answer, size);
    c->out_size += size;
}

static void refuse(struct connection *c, const struct request *r, const char *status)
{
    c->close = true;
    put_answer(c, r, status, "text/plain", status);
}

static bool is(const char *from, const char *end, const char *word)
{
    return (size_t)(end - from) == strlen(word) && strncasecmp(from, word, (size_t)(end - from)) == 0;
}

/* A client that takes this server for a proxy sends http://host/path (RFC 9112 3.2.2): what counts is the path. False: no target. */
static bool parse_target(struct request *r)
{
    static const char scheme[] = "http://";
    size_t size = (size_t)(r->target_end - r->target), skip = sizeof scheme - 1;

    if (size > skip && strncasecmp(r->target, scheme, skip) == 0 && r->target[skip] != '/') {
        const char *path = memchr(r->target + skip, '/', size - skip);
        if (path == NULL) {
            path = "/";
            r->target_end = path + 1;
        }
        r->target = path;
    }
    return r->target[0] == '/';
}

/* The request line. Returns an error's status or NULL. */
static const char *parse_line(struct request *r, const char *line, const char *end)
{
    const char *method_end = memchr(line, ' ', (size_t)(end - line));
    const char *version = memrchr(line, ' ', (size_t)(end - line));

    if (method_end == NULL || method_end == line || version <= method_end + 1) {
        return "400 Bad Request";
    }
    r->target = method_end + 1;
    r->target_end = version++;
    if (memchr(r->target, ' ', (size_t)(r->target_end - r->target)) != NULL || !parse_target(r) || end - version != 8 ||
        memcmp(version, "HTTP/", 5) != 0) {
        return "400 Bad Request";
    }
    if (memcmp(version, "HTTP/1.1", 8) != 0 && memcmp(version, "HTTP/1.0", 8) != 0) {
        return "505 HTTP Version Not Supported";
    }
    r->http_1_0 = version[7] == '0';
    r->keep_alive = !r->http_1_0;
    if (!r->head_only && (method_end - line != 3 || memcmp(line, "GET", 3) != 0)) {
        return "501 Not Implemented";
    }
    return NULL;
}

static const char *parse_length(struct request *r, const char *value, const char *end)
{
    size_t length = 0;

    if (value == end || end - value > 9) {
        return value == end ? "400 Bad Request" : "413 Content Too Large";
    }
    for (; value < end; value++) {
        if (*value < '0' || *value > '9') {
            return "400 Bad Request";
        }
        length = length * 10 + (size_t)(*value - '0');
    }
    if (r->length && r->body != length) {
        return "400 Bad Request"; /* whoever believes the other one sees other requests in what follows */
    }
    r->length = true;
    r->body = length;
    return length <= LARGEST_BODY ? NULL : "413 Content Too Large";
}

/* A list of words, and there may be several such lines: `close` anywhere wins. */
static void parse_connection(struct request *r, const char *at, const char *end)
{
    while (at < end) {
        const char *comma = memchr(at, ',', (size_t)(end - at)), *next = comma != NULL ? comma : end, *word_end = next;
        while (at < word_end && (*at == ' ' || *at == '\t')) {
            at++;
        }
        while (word_end > at && (word_end[-1] == ' ' || word_end[-1] == '\t')) {
            word_end--;
        }
        r->close = r->close || is(at, word_end, "close");
        r->keep_alive = r->keep_alive || is(at, word_end, "keep-alive");
        at = next + 1;
    }
}

/* One header line. Returns an error's status or NULL. */
static const char *parse_header(struct request *r, const char *line, const char *end)
{
    const char *colon = memchr(line, ':', (size_t)(end - line)), *value = colon + 1;

    if (colon == NULL || colon == line || line[0] == ' ' || line[0] == '\t' || colon[-1] == ' ' || colon[-1] == '\t') {
        return "400 Bad Request";
    }
    while (value < end && (*value == ' ' || *value == '\t')) {
        value++;
    }
    while (end > value && (end[-1] == ' ' || end[-1] == '\t')) {
        end--;
    }
    switch (line[0] | 0x20) {
    case 'h':
        if (is(line, colon, "Host")) {
            if (r->host) {
                return "400 Bad Request";
            }
            r->host = true;
        }
        break;
    case 'c':
        if (is(line, colon, "Connection")) {
            parse_connection(r, value, end);
        } else if (is(line, colon, "Content-Length")) {
            return parse_length(r, value, end);
        }
        break;
    case 't':
        if (is(line, colon, "Transfer-Encoding")) {
            return "501 Not Implemented";
        }
        break;
    default: break;
    }
    return NULL;
}

/* The head from `at` to `end`, its empty line included. */
static const char *parse_head(struct request *r, const char *at, const char *end)
{
    const char *line_end = memmem(at, (size_t)(end - at), "\r\n", 2), *error = parse_line(r, at, line_end);

    while (error == NULL && (at = line_end + 2) < end - 2) {
        line_end = memchr(at, '\n', (size_t)(end - at)) - 1;
        error = *line_end == '\r' && memchr(at, '\0', (size_t)(line_end - at)) == NULL ? parse_header(r, at, line_end)
                                                                                       : "400 Bad Request";
    }
    return error == NULL && !r->host && !r->http_1_0 ? "400 Bad Request" : error;
}

static void answer_request(struct connection *c, const struct request *r)
{
    static const char hello[] = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, World!";
    size_t target = (size_t)(r->target_end - r->target);

    c->close = r->close || !r->keep_alive;
    if (target == 1 && !r->head_only && !c->close && !r->http_1_0) {
        put_ready(c, hello, sizeof hello - 1);
    } else if (target == 1) {
        put_answer(c, r, "200 OK", "text/plain", "Hello, World!");
    } else if (target == 5 && memcmp(r->target, "/json", 5) == 0) {
        put_answer(c, r, "200 OK", "application/json", "{\"message\":\"Hello, World!\"}");
    } else {
        put_answer(c, r, "404 Not Found", "text/plain", "no such page\n");
    }
}

/* A line feed without its carriage return: the head would never end. */
static bool has_bare_newline(const char *from, const char *end)
{
    for (const char *at = from; (at = memchr(at, '\n', (size_t)(end - at))) != NULL; at++) {
        if (at == from || at[-1] != '\r') {
            return true;
        }
    }
    return false;
}

/* Answers the complete requests in `in`, as many as `out` has room for, and moves the rest to the front. True: call again after writing.
 * Never inlined: it calls libc and has to stay out of serve(), see above. */
__attribute__((noinline)) static bool answer(struct connection *c)
{
    const char *at = c->in, *end = c->in + c->have;
    bool full = false;

    if (c->out == NULL && (c->out = malloc(LARGEST_HEAD)) == NULL) {
        c->close = true;
        return false;
    }
    while (!c->close && !full) {
        size_t skip = c->body < (size_t)(end - at) ? c->body : (size_t)(end - at);
        at += skip;
        c->body -= skip;
        struct request r = {.head_only = end - at >= 5 && memcmp(at, "HEAD ", 5) == 0}; /* holds for errors too */
        const char *head_end = memmem(at, (size_t)(end - at), "\r\n\r\n", 4);
        if (head_end == NULL) {
            if (has_bare_newline(at, end)) {
                refuse(c, &r, "400 Bad Request");
            } else if (end - at == LARGEST_HEAD) {
                refuse(c, &r, "431 Request Header Fields Too Large");
            }
            break;
        }
        const char *error = parse_head(&r, at, head_end + 4);
        if (error != NULL) {
            refuse(c, &r, error);
            break;
        }
        answer_request(c, &r);
        c->fresh = true;
        c->body = r.body;
        at = head_end + 4;
        full = c->out_size > LARGEST_HEAD - LARGEST_ANSWER;
    }
    c->have = (size_t)(end - at);
    memmove(c->in, at, c->have);
    return full;
}

__attribute__((noinline)) static struct connection *connection_new(int fd)
{
    struct connection *c = malloc(sizeof *c);

    if (c != NULL) {
        c->fd = fd;
        c->close = c->fresh = false;
        c->have = c->out_size = c->body = 0;
        c->out = NULL;
    }
    return c;
}

__attribute__((noinline)) static void answered(struct connection *c)
{
    free(c->out);
    c->out = NULL;
}

__attribute__((noinline)) static void connection_free(struct connection *c)
{
    free(c);
}

/* --- connections --- */

static void enlist(struct connection *c)
{
    go_mutex_lock(&connections.lock);
    c->prev = NULL;
    c->next = connections.first;
    if (c->next != NULL) {
        c->next->prev = c;
    }
    connections.first = c;
    if (connections.ending) { /* accepted before the end, but not in the list yet */
        go_shutdown(c->fd, SHUT_RD);
    }
    go_mutex_unlock(&connections.lock);
}

static void delist(struct connection *c)
{
    go_mutex_lock(&connections.lock);
    if (c->next != NULL) {
        c->next->prev = c->prev;
    }
    *(c->prev != NULL ? &c->prev->next : &connections.first) = c->next;
    go_mutex_unlock(&connections.lock);
}

/* Answers everything that is complete. False: hang up. */
static bool respond(struct connection *c)
{
    bool more;

    do {
        more = answer(c);
        if (c->out_size > 0 && go_write(c->fd, c->out, c->out_size) < 0) {
            c->close = true;
            break;
        }
        c->out_size = 0;
    } while (more);
    answered(c);
    return !c->close;
}

/* The client may still be sending what was refused: a plain close would take the answer away from it. */
static void hang_up(struct connection *c)
{
    if (c->close && go_shutdown(c->fd, SHUT_WR) == 0 && go_set_read_deadline(c->fd, go_now() + GO_SECOND) == 0) {
        for (int i = 0; i < 64 && go_read(c->fd, c->in, sizeof c->in) > 0; i++) {}
    }
}

/* The limit is one request's: a client that always has its next one under way is not cut off. Returns whether it is limited now. */
static bool limit(struct connection *c, bool limited)
{
    bool begun = c->have > 0 || c->body > 0;

    if (begun ? !limited || c->fresh : limited) {
        go_set_read_deadline(c->fd, begun ? go_now() + HEAD_SECONDS * GO_SECOND : GO_FOREVER);
    }
    c->fresh = false;
    return begun;
}

static void serve(void *arg)
{
    struct connection *c = connection_new(*(int *)arg);
    bool limited = false;
    ssize_t n;

    if (c == NULL) {
        go_close(*(int *)arg);
        go_waitgroup_done(&serving);
        return;
    }
    enlist(c);
    while ((n = go_read(c->fd, c->in + c->have, sizeof c->in - c->have)) > 0) {
        c->have += (size_t)n;
        if (!respond(c)) {
            break;
        }
        limited = limit(c, limited);
    }
    hang_up(c);
    delist(c);
    go_close(c->fd);
    connection_free(c);
    go_waitgroup_done(&serving);
}

static void await_end(void *arg)
{
    int signo;

    if (go_chan_recv(arg, &signo) == 0) {
        go_close(listener); /* and server_main goes on */
    }
}

/* Those that wait for a request see the end of the stream; those that answer one finish. */
static void end_connections(void)
{
    go_mutex_lock(&connections.lock);
    connections.ending = true;
    for (struct connection *c = connections.first; c != NULL; c = c->next) {
        go_shutdown(c->fd, SHUT_RD);
    }
    go_mutex_unlock(&connections.lock);
    if (go_waitgroup_wait_until(&serving, go_now() + GRACE_SECONDS * GO_SECOND) != 0) {
        fprintf(stderr, "http_server: connections are dropped\n");
    }
}

static int server_main(void *arg)
{
    char address[64];
    go_chan *signals = go_chan_new(sizeof(int), 1);
    int fd;

    listener = go_listen("tcp", arg);
    if (listener < 0 || (fd = go_local_address(listener, address, sizeof address)) < 0) {
        fprintf(stderr, "http_server: cannot listen on %s: %s\n", (char *)arg, go_strerror(listener < 0 ? listener : fd));
        return 1;
    }
    if (signals == NULL || go_signal_notify(signals, SIGTERM) != 0) {
        fprintf(stderr, "http_server: no SIGTERM\n");
        return 1;
    }
    go(await_end, signals);
    printf("listening on %s\n", address);
    fflush(stdout);
    while ((fd = go_accept(listener)) != -ECANCELED && fd != -EBADF) {
        if (fd >= 0) {
            go_waitgroup_add(&serving, 1);
            go_copy(serve, &fd, sizeof fd);
        } else if (fd == -EMFILE || fd == -ENFILE) {
            go_sleep(10 * GO_MILLISECOND); /* the connection waits in the queue until another one ends */
        } else {
            fprintf(stderr, "http_server: %s\n", go_strerror(fd));
            return 1;
        }
    }
    end_connections();
    return 0;
}

int main(int argc, char **argv)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    return go_run(server_main, argc > 1 ? argv[1] : "127.0.0.1:8080");
}
