/* http: a goroutine a connection answers GET /plaintext. A server: prints its address, runs until it is killed; driven by wrk. */
#define _GNU_SOURCE

#include "http_plain.h"
#include "serve.h"

/* In a function of its own, because it calls libc: serve() then parks on its small stack. */
__attribute__((noinline)) static long answer(struct http_conn *c)
{
    return http_answer_all(c);
}

static void serve(void *arg)
{
    int fd = (int)(intptr_t)arg;
    struct http_conn *c = malloc(sizeof *c);
    long out = 0;
    ssize_t n;

    if (c != NULL) {
        c->have = 0;
        while (out >= 0 && (n = go_read(fd, c->in + c->have, HTTP_BUFFER - c->have)) > 0) {
            c->have += (size_t)n;
            do {
                out = answer(c);
                if (out > 0 && go_write(fd, c->out, (size_t)out) != out) {
                    out = -1;
                }
            } while (out >= HTTP_BUFFER);
        }
    }
    free(c);
    go_close(fd);
}

static int program(void *arg)
{
    (void)arg;
    return bench_serve(serve);
}

int main(int argc, char **argv)
{
    bench_init(argc, argv);
    return go_run(program, NULL);
}
