/* wakeup: a process that idles reads the time at which another process wrote it into a pipe (descriptor 3, from bench/wake_writer). */
#include <go.h>

#include "bench.h"

enum { MOST = 100000 };

static int program(void *arg)
{
    static int64_t late[MOST];
    size_t count = 0;
    int64_t written;

    (void)arg;
    while (count < MOST && go_read(3, &written, sizeof written) == sizeof written) {
        late[count++] = bench_now() - written;
    }
    BENCH_CHECK(count > 0);
    bench_percentiles("wakeup", "pipe", "latency", late, count);
    return 0;
}

int main(int argc, char **argv)
{
    bench_init(argc, argv);
    return go_run(program, NULL);
}
