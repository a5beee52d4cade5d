/* kv_server: a small key-value store that redis-cli and redis-benchmark can talk to (PING, SET, GET, DEL, QUIT; RESP and inline).
 *
 * Lesson: a protocol parser in straight lines. Each connection is one goroutine that reads when it needs more bytes; nothing is a
 * callback or a state machine. The table is shared, so a mutex guards it; replies to pipelined commands leave in one write.
 *
 *     $ kv_server 127.0.0.1:7379
 *     $ redis-benchmark -p 7379 -t ping,set,get -P 16 */
#include <errno.h>
#include <go.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MAX_ARGS = 8, BUFFER = 16384, LONGEST_VALUE = 4096, BUCKETS = 65536 };

struct slice {
    char *at;
    size_t size;
};

struct entry {
    struct entry *next;
    size_t key_size, value_size;
    char *value;
    char key[];
};

static struct entry *table[BUCKETS]; /* under table_lock */
static go_mutex table_lock;

struct client {
    int fd;
    bool gone;          /* nothing more comes from the peer: what it began is no error */
    size_t start, have; /* in[start..have) is not parsed yet */
    size_t out_size;
    char in[BUFFER], out[BUFFER];
};

static struct entry **find(struct slice key)
{
    uint32_t hash = 2166136261u;

    for (size_t i = 0; i < key.size; i++) {
        hash = (hash ^ (unsigned char)key.at[i]) * 16777619u;
    }
    struct entry **e = &table[hash % BUCKETS];
    while (*e != NULL && ((*e)->key_size != key.size || memcmp((*e)->key, key.at, key.size) != 0)) {
        e = &(*e)->next;
    }
    return e;
}

static bool set(struct slice key, struct slice value)
{
    char *copy = malloc(value.size + 1);

    if (copy == NULL) {
        return false;
    }
    memcpy(copy, value.at, value.size);
    go_mutex_lock(&table_lock);
    struct entry **e = find(key);
    if (*e == NULL && (*e = calloc(1, sizeof **e + key.size)) != NULL) {
        (*e)->key_size = key.size;
        memcpy((*e)->key, key.at, key.size);
    }
    bool ok = *e != NULL;
    char *old = copy;
    if (ok) {
        old = (*e)->value;
        (*e)->value = copy;
        (*e)->value_size = value.size;
    }
    go_mutex_unlock(&table_lock);
    free(old);
    return ok;
}

static bool delete (struct slice key)
{
    go_mutex_lock(&table_lock);
    struct entry **e = find(key), *gone = *e;
    if (gone != NULL) {
        *e = gone->next;
    }
    go_mutex_unlock(&table_lock);
    if (gone != NULL) {
        free(gone->value);
    }
    free(gone);
    return gone != NULL;
}

static bool flush_out(struct client *c)
{
    bool ok = c->out_size == 0 || go_write(c->fd, c->out, c->out_size) == (ssize_t)c->out_size;
    c->out_size = 0;
    return ok;
}

static bool reply(struct client *c, const char *text, size_t size)
{
    if (c->out_size + size > BUFFER && !flush_out(c)) {
        return false;
    }
    memcpy(c->out + c->out_size, text, size);
    c->out_size += size;
    return true;
}

static bool reply_text(struct client *c, const char *text)
{
    return reply(c, text, strlen(text));
}

static bool reply_value(struct client *c, struct slice key)
{
    char text[LONGEST_VALUE + 32];
    int n = snprintf(text, sizeof text, "$-1\r\n");

    go_mutex_lock(&table_lock);
    struct entry *e = *find(key);
    if (e != NULL) {
        n = snprintf(text, sizeof text, "$%zu\r\n", e->value_size);
        memcpy(text + n, e->value, e->value_size);
        n += (int)e->value_size;
        memcpy(text + n, "\r\n", 2);
        n += 2;
    }
    go_mutex_unlock(&table_lock);
    return reply(c, text, (size_t)n);
}

/* Read more bytes behind what is there; what was collected is sent first, because the peer may wait for it. */
static bool read_more(struct client *c)
{
    if (!flush_out(c) || c->have == BUFFER) {
        return false;
    }
    ssize_t n = go_read(c->fd, c->in + c->have, BUFFER - c->have);
    c->have += n > 0 ? (size_t)n : 0;
    c->gone = n <= 0;
    return n > 0;
}

/* The line at offset *at, without its CR LF; *at moves behind it. */
static bool read_line(struct client *c, size_t *at, struct slice *line)
{
    char *end;

    while ((end = memchr(c->in + *at, '\n', c->have - *at)) == NULL) {
        if (!read_more(c)) {
            return false;
        }
    }
    line->at = c->in + *at;
    line->size = (size_t)(end - line->at) - (end > line->at && end[-1] == '\r');
    *at = (size_t)(end + 1 - c->in);
    return true;
}

/* What follows the first character of `line`. False: not a number up to `most`. */
static bool read_number(struct slice line, size_t most, size_t *number)
{
    *number = 0;
    for (size_t i = 1; i < line.size; i++) {
        if (line.at[i] < '0' || line.at[i] > '9') {
            return false;
        }
        *number = *number * 10 + (size_t)(line.at[i] - '0');
        if (*number > most) {
            return false;
        }
    }
    return line.size > 1;
}

static bool read_bulk(struct client *c, size_t *at, struct slice *bulk)
{
    struct slice line;

    if (!read_line(c, at, &line) || line.size == 0 || line.at[0] != '$' || !read_number(line, LONGEST_VALUE, &bulk->size)) {
        return false;
    }
    while (c->have - *at < bulk->size + 2) {
        if (!read_more(c)) {
            return false;
        }
    }
    bulk->at = c->in + *at;
    *at += bulk->size + 2;
    return memcmp(bulk->at + bulk->size, "\r\n", 2) == 0;
}

/* One command; its arguments point into the buffer. Returns how many, 0 for an empty line, -1 at the end or for what is no command. */
static int read_command(struct client *c, struct slice *args)
{
    size_t at, bulks;
    struct slice line;
    int count = 0;

    memmove(c->in, c->in + c->start, c->have - c->start);
    c->have -= c->start;
    c->start = at = 0;
    if (!read_line(c, &at, &line)) {
        return -1;
    }
    if (line.size > 0 && line.at[0] == '*') {
        if (!read_number(line, MAX_ARGS, &bulks)) {
            return -1;
        }
        for (; count < (int)bulks; count++) {
            if (!read_bulk(c, &at, &args[count])) {
                return -1;
            }
        }
    } else if (line.size > LONGEST_VALUE) {
        if (!reply_text(c, "-ERR too long a line\r\n")) { /* its words would not fit where a value is kept */
            return -1;
        }
    } else {
        char *save = NULL;
        line.at[line.size] = '\0';
        for (char *word = strtok_r(line.at, " ", &save); word != NULL && count < MAX_ARGS; word = strtok_r(NULL, " ", &save)) {
            args[count++] = (struct slice){word, strlen(word)};
        }
    }
    c->start = at;
    return count;
}

static bool is(struct slice word, const char *name)
{
    return word.size == strlen(name) && strncasecmp(word.at, name, word.size) == 0;
}

/* Returns false to hang up. */
static bool execute(struct client *c, struct slice *args, int count)
{
    if (count == 0) {
        return true;
    }
    if (is(args[0], "PING")) {
        return reply_text(c, "+PONG\r\n");
    }
    if (is(args[0], "GET") && count == 2) {
        return reply_value(c, args[1]);
    }
    if (is(args[0], "SET") && count == 3) {
        return reply_text(c, set(args[1], args[2]) ? "+OK\r\n" : "-ERR out of memory\r\n");
    }
    if (is(args[0], "DEL") && count == 2) {
        return reply_text(c, delete (args[1]) ? ":1\r\n" : ":0\r\n");
    }
    if (is(args[0], "QUIT")) {
        return reply_text(c, "+OK\r\n") && flush_out(c) && false;
    }
    return reply_text(c, "-ERR unknown command or wrong number of arguments\r\n");
}

/* What was answered before still leaves. The client may be sending yet: a plain close would take the answers away from it. */
static void refuse(struct client *c)
{
    if (reply_text(c, "-ERR protocol error\r\n") && flush_out(c) && go_shutdown(c->fd, SHUT_WR) == 0 &&
        go_set_read_deadline(c->fd, go_now() + GO_SECOND) == 0) {
        for (int i = 0; i < 64 && go_read(c->fd, c->in, BUFFER) > 0; i++) {}
    }
}

static void serve(void *arg)
{
    struct client *c = malloc(sizeof *c);
    struct slice args[MAX_ARGS];
    int fd = *(int *)arg, count;

    if (c != NULL) {
        c->fd = fd;
        c->gone = false;
        c->start = c->have = c->out_size = 0;
        do {
            count = read_command(c, args);
        } while (count >= 0 && execute(c, args, count));
        if (count < 0 && !c->gone) {
            refuse(c);
        }
    }
    free(c);
    go_close(fd);
}

static int server_main(void *arg)
{
    char address[64];
    int listener = go_listen("tcp", arg), fd;

    if (listener < 0 || go_local_address(listener, address, sizeof address) < 0) {
        fprintf(stderr, "kv_server: cannot listen on %s: %s\n", (char *)arg, go_strerror(listener));
        return 1;
    }
    printf("listening on %s\n", address);
    fflush(stdout);
    for (;;) {
        fd = go_accept(listener);
        if (fd >= 0) {
            go_copy(serve, &fd, sizeof fd);
        } else if (fd == -EMFILE || fd == -ENFILE) {
            go_sleep(10 * GO_MILLISECOND); /* the connection waits in the queue until somebody hangs up */
        } else {
            fprintf(stderr, "kv_server: %s\n", go_strerror(fd));
            return 1;
        }
    }
}

int main(int argc, char **argv)
{
    return go_run(server_main, argc > 1 ? argv[1] : "127.0.0.1:7379");
}
