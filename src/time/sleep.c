/* The clock and sleeping. */
#include "go/time.h"

#include <errno.h>
#include <time.h>

#include "os/syscall.h"
#include "time/timer.h"
#include "time/wait.h"

int64_t go_now(void)
{
    struct timespec ts;
    go__clock_fn clock = load_rlx(&go__vdso_clock); /* rlx: see vdso.c */
    if (go__likely(clock != NULL)) {
        (void)clock(CLOCK_MONOTONIC, &ts);
    } else {
        (void)go__syscall2(SYS_clock_gettime, CLOCK_MONOTONIC, (long)&ts);
    }
    return (int64_t)ts.tv_sec * GO_SECOND + ts.tv_nsec;
}

static int sleep_ahead(struct go__g *gp, int64_t deadline)
{
    /* "multi", so that a sleep for ever has a ticket too: one way for all. */
    int code = go__wait_sleep(gp, go__wait_begin(gp, deadline, true), deadline);
    return code == -ETIMEDOUT ? 0 : code;
}

int go_sleep_until(int64_t deadline)
{
    struct go__g *gp = go__self();
    if (go__canceled(gp)) {
        return -ECANCELED;
    }
    return deadline <= go_now() ? 0 : sleep_ahead(gp, deadline);
}

int go_sleep(int64_t duration)
{
    struct go__g *gp = go__self();
    if (go__canceled(gp)) {
        return -ECANCELED;
    }
    return duration <= 0 ? 0 : sleep_ahead(gp, go__deadline_after(go_now(), duration));
}
