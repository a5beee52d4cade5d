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

int go_sleep_until(int64_t deadline)
{
    struct go__g *gp = go__self();
    if (go__canceled(gp)) {
        return -ECANCELED;
    }
    uint32_t ticket = go__wait_begin(gp, deadline, false);
    int code = go__wait_park(gp, ticket, deadline, NULL, NULL, GO__REASON_SLEEP);
    return code == -ETIMEDOUT ? 0 : code;
}

int go_sleep(int64_t duration)
{
    if (duration <= 0) {
        return go__canceled(go__self()) ? -ECANCELED : 0;
    }
    return go_sleep_until(go__deadline_after(go_now(), duration));
}
