/* Dumps, traces, figures: what fails there may cost its output, never the program. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "fault/scenario.h"

static const int of_traces[] = {-ENOMEM, -EMFILE, -EIO, 0};

static void wait_for_close(void *arg)
{
    CHECK_EQUAL(go_chan_recv(arg, NULL), -EPIPE);
}

static int dump(void *arg)
{
    (void)arg;
    int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    CHECK(fd >= 0);
    go_chan *c = go_chan_new(0, 0);
    int error = c != NULL ? go_spawn(NULL, wait_for_close, c) : -ENOMEM;
    go_yield();
    go_dump(fd);
    go_stats stats;
    go_get_stats(&stats);
    (void)close(fd);
    if (error == 0) {
        CHECK_EQUAL(go_chan_close(c), 0);
        while (go_count() > 1) {
            go_yield();
        }
    }
    go_chan_unref(c);
    return error;
}

static void step(void *arg)
{
    go_yield();
    go_waitgroup_done(arg);
}

static int trace(void *arg)
{
    go_waitgroup wg = GO_WAITGROUP_INIT;
    (void)arg;
    int error = go_trace_start("/dev/null");
    bool on = error == 0;
    for (int i = 0; i < 30; i++) {
        go_waitgroup_add(&wg, 1);
        int code = go_spawn(NULL, step, &wg);
        if (code != 0) {
            go_waitgroup_done(&wg);
        }
        note_error(&error, code);
    }
    go_waitgroup_wait(&wg);
    if (on) {
        note_error(&error, go_trace_stop());
    }
    return error;
}

const struct scenario scenarios_debug[] = {
    {.name = "dump", .body = dump, .errors = of_traces},
    {.name = "trace", .body = trace, .errors = of_traces},
    {.name = NULL},
};
