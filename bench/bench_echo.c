/* echo: a goroutine a connection sends back what comes. A server: prints its address, runs until it is killed; driven by echo_load. */

#include "serve.h"

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
    (void)arg;
    return bench_serve(serve);
}

int main(int argc, char **argv)
{
    bench_init(argc, argv);
    return go_run(program, NULL);
}
