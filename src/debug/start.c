/* What GOCO_DEBUG asks for begins and ends with the run. */
#include <stdlib.h>
#include <unistd.h>

#include "debug/debug.h"
#include "go/debug.h"
#include "os/fatal.h"
#include "sched/hooks.h"

static bool tracing; /* go_run's thread only: the trace is GOCO_DEBUG's, not the program's */

void go__debug_start(void)
{
    const char *list = getenv("GOCO_DEBUG");
    go__gdb_publish();
    go__options_check(list, STDERR_FILENO);
    go__schedtrace_start(go__debug_value("schedtrace", 0));
    go__sigquit_start();
    char path[4096];
    if (go__option(list, "trace", path, sizeof path) && path[0] != '\0') {
        int error = go_trace_start(path);
        tracing = error == 0;
        if (error < 0) {
            go__warn("GOCO_DEBUG: trace=%s: %s", path, go_strerror(error));
        }
    }
}

void go__debug_stop(void)
{
    if (tracing) {
        int error = go_trace_stop();
        if (error < 0) {
            go__warn("GOCO_DEBUG: trace: %s", go_strerror(error));
        }
        tracing = false;
    }
    go__sigquit_stop();
}
