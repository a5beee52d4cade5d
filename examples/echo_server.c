/* echo_server: sends back what comes, to any number of connections.
 *
 * Lesson: a goroutine a connection. serve() calls nothing but goco, so it stays on its first 2 KB of stack, buffer and all: ten thousand
 * idle connections cost the process about 25 MB and no CPU.
 *
 *     $ echo_server 127.0.0.1:7777
 *     $ nc 127.0.0.1 7777 */
#include <errno.h>
#include <go.h>
#include <stdio.h>
#include <sys/resource.h>

static void serve(void *arg)
{
    int fd = *(int *)arg;
    char buffer[512];
    ssize_t n;

    while ((n = go_read(fd, buffer, sizeof buffer)) > 0 && go_write(fd, buffer, (size_t)n) == n) {}
    go_close(fd);
}

static int server_main(void *arg)
{
    char address[64];
    int listener = go_listen("tcp", arg), fd;

    if (listener < 0 || (fd = go_local_address(listener, address, sizeof address)) < 0) {
        fprintf(stderr, "echo_server: cannot listen on %s: %s\n", (char *)arg, go_strerror(listener < 0 ? listener : fd));
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
            fprintf(stderr, "echo_server: %s\n", go_strerror(fd));
            return 1;
        }
    }
}

int main(int argc, char **argv)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    return go_run(server_main, argc > 1 ? argv[1] : "127.0.0.1:7777");
}
