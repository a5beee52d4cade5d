/* echo: a goroutine a connection sends back what comes. A server: prints its address, runs until it is killed; driven by echo_load. */
#include <errno.h>
#include <go.h>

#include "bench.h"

enum { BUFFER = 4096 };

static void serve(void *arg)
{
    int fd = (int)(intptr_t)arg;
    char *buffer = malloc(BUFFER);
    ssize_t n;

    while (buffer != NULL && (n = go_read(fd, buffer, BUFFER)) > 0 && go_write(fd, buffer, (size_t)n) == n) {}
    free(buffer);
    go_close(fd);
}

static int program(void *arg)
{
    char address[64];
    int listener = go_listen("tcp", "127.0.0.1:0"), fd;

    (void)arg;
    BENCH_CHECK(listener >= 0);
    BENCH_CHECK(go_local_address(listener, address, sizeof address) > 0);
    printf("listening on %s\n", address);
    fflush(stdout);
    while ((fd = go_accept(listener)) >= 0 || fd == -EMFILE || fd == -ENFILE) {
        if (fd >= 0) {
            go(serve, (void *)(intptr_t)fd);
        } else {
            go_sleep(10 * GO_MILLISECOND); /* the connection waits in the queue until another one ends */
        }
    }
    return 1;
}

int main(int argc, char **argv)
{
    bench_init(argc, argv);
    return go_run(program, NULL);
}
