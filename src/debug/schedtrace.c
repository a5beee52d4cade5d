/* GOCO_DEBUG=schedtrace=1000: a line about the scheduler every so many milliseconds, on stderr. sysmon stays awake
 * for it. The figures are read without stopping anybody, each true at some moment of the line. */
#include <unistd.h>

#include "debug/debug.h"
#include "os/clock.h"
#include "sched/hooks.h"

/* go_run's thread before sysmon starts, then sysmon only. */
static struct {
    int64_t period_ns; /* 0: off */
    int64_t start;     /* of the run */
    int64_t due;
} schedtrace;

void go__schedtrace_start(int64_t period_ms)
{
    schedtrace.period_ns = period_ms > 0 && period_ms < INT64_MAX / 1000000 ? period_ms * 1000000 : 0;
    schedtrace.start = go__clock_now();
    schedtrace.due = schedtrace.start + schedtrace.period_ns;
}

static uint32_t ring_length(struct go__p *pp)
{
    uint32_t head = load_acq(&pp->head), tail = load_acq(&pp->tail); /* acq: as a thief reads them */
    uint32_t length = tail - head;
    return (length <= GO__RUNQ_SIZE ? length : 0) + load_rlx(&pp->own_count) +
           (load_rlx(&pp->runnext) != NULL); /* rlx: a hint by contract */
}

static void field(struct go__out *out, const char *name, uint64_t value)
{
    go__out_text(out, name);
    go__out_number(out, value);
}

static void print_line(int64_t now)
{
    struct go__out out;
    go__out_init(&out, STDERR_FILENO);
    field(&out, "SCHED ", (uint64_t)(now - schedtrace.start) / 1000000);
    uint64_t goroutines = go_count();
    /* Under the lock: all_p and its length belong together. Nothing is written to the descriptor before it is dropped. */
    go__futex_lock(&go__sched.lock);
    field(&out, "ms: procs=", (uint64_t)go__sched.procs);
    field(&out, " idle=", load_rlx(&go__sched.idle_p_count));
    field(&out, " threads=", go__sched.m_count);
    field(&out, " idlethreads=", go__sched.m_idle);
    field(&out, " spinning=", load_rlx(&go__sched.spinning));
    field(&out, " noproc=", go__sched.lost);
    field(&out, " goroutines=", goroutines);
    field(&out, " runq=", go__sched.global.count);
    go__out_text(&out, " [");
    for (int i = 0; i < go__sched.procs && out.used < sizeof out.buffer - 64; i++) {
        field(&out, i == 0 ? "" : " ", ring_length(go__sched.all_p[i]));
    }
    go__futex_unlock(&go__sched.lock);
    go__out_text(&out, "]\n");
    go__out_flush(&out);
}

void go__schedtrace_tick(int64_t now)
{
    if (schedtrace.period_ns != 0 && now >= schedtrace.due) {
        schedtrace.due = now + schedtrace.period_ns;
        print_line(now);
    }
}
