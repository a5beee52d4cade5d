/* What the servers among goco's programs share: prints its address, starts a goroutine a connection, runs until it is killed. */
#ifndef GOCO_BENCH_SERVE_H
#define GOCO_BENCH_SERVE_H

#include <errno.h>
#include <go.h>

#include "bench.h"

/* serve(fd as a pointer) closes it. */
static int bench_serve(go_func serve)
{
    char address[64];
    int listener = go_listen("tcp", "127.0.0.1:0"), fd;

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

#endif
