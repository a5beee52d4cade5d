/* errgroup_fetch: fetch from several servers at once; the first error cancels the rest.
 *
 * Lesson: a go_group is a set of goroutines with one fate. The group's context is bound to each of them, so when one returns an error,
 * the others' reads, which know nothing of contexts, return -ECANCELED at once. go_group_wait gives the first error.
 *
 * The servers are local goroutines: two answer fast, one (with `fail`) refuses after 50 ms, one takes ten seconds.
 *
 *     $ errgroup_fetch [fail] */
#include <errno.h>
#include <go.h>
#include <stdio.h>
#include <string.h>

struct server {
    const char *name, *answer; /* no answer: hangs up */
    int64_t delay;
    int listener, result;
};

static void serve(void *arg)
{
    struct server *s = arg;
    int fd = go_accept(s->listener);

    go_close(s->listener); /* whoever still waits for an accept gets an error */
    if (fd >= 0) {
        go_sleep(s->delay);
        if (s->answer != NULL) {
            (void)go_write(fd, s->answer, strlen(s->answer));
        }
        go_close(fd);
    }
}

static int fetch(go_context *ctx, void *arg)
{
    struct server *s = arg;
    char address[64], answer[64];
    int fd, code;
    ssize_t n = 0;

    (void)ctx;
    code = go_local_address(s->listener, address, sizeof address);
    fd = code < 0 ? code : go_dial("tcp", address);
    if (fd < 0) {
        return s->result = fd;
    }
    n = go_read(fd, answer, sizeof answer);
    go_close(fd);
    return s->result = n > 0 ? 0 : n == 0 ? -ECONNRESET : (int)n;
}

/* Before anybody is started, so that there is nobody to be waited for if one fails. */
static int listen_all(struct server *servers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        servers[i].listener = go_listen("tcp", "127.0.0.1:0");
        if (servers[i].listener < 0) {
            return servers[i].listener;
        }
    }
    return 0;
}

static int fetch_all(struct server *servers, size_t count)
{
    go_group *group = go_group_new(NULL);

    if (group == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        go(serve, &servers[i]);
        go_group_go(group, fetch, &servers[i]);
    }
    return go_group_wait(group);
}

static int errgroup_main(void *arg)
{
    bool fail = *(bool *)arg;
    struct server servers[] = {
        {.name = "fast", .answer = "hello", .delay = 0},
        {.name = "also fast", .answer = "hello", .delay = 10 * GO_MILLISECOND},
        {.name = fail ? "broken" : "working", .answer = fail ? NULL : "hello", .delay = 50 * GO_MILLISECOND},
        {.name = "slow", .answer = "hello", .delay = fail ? 10 * GO_SECOND : 100 * GO_MILLISECOND},
    };
    size_t count = sizeof servers / sizeof servers[0];
    int64_t start = go_now();
    int code = listen_all(servers, count);

    if (code != 0) {
        fprintf(stderr, "errgroup_fetch: cannot listen: %s\n", go_strerror(code));
        return 1;
    }
    code = fetch_all(servers, count);
    for (size_t i = 0; i < count; i++) {
        printf("%s: %s\n", servers[i].name, servers[i].result == 0 ? "ok" : go_strerror(servers[i].result));
    }
    printf("group: %s, %s\n", code == 0 ? "ok" : go_strerror(code), go_now() - start < 5 * GO_SECOND ? "in time" : "late");
    return code == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    bool fail = argc > 1 && strcmp(argv[1], "fail") == 0;
    return go_run(errgroup_main, &fail);
}
