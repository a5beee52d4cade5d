/* go_ticker: a timer with a period. */
#include "chan/usertimer.h"
#include "os/fatal.h"

struct go_ticker {
    struct go_timer timer;
};

go_ticker *go_ticker_new(int64_t period)
{
    if (period <= 0) {
        return NULL;
    }
    go_timer *t = go__usertimer_new(period, period);
    return t != NULL ? go__container_of(t, go_ticker, timer) : NULL;
}

go_chan *go_ticker_chan(go_ticker *t)
{
    return t->timer.chan;
}

void go_ticker_reset(go_ticker *t, int64_t period)
{
    if (period <= 0) {
        go__fatal("go_ticker_reset with a period that is not positive");
    }
    go__known();
    struct go_timer *u = &t->timer;
    int64_t due = go__usertimer_due(period);
    struct go__timers *heap = go__timers_reserve();
    if (heap == NULL) {
        go__fatal("out of memory resetting a ticker");
    }
    go__chan_lock(u->chan);
    (void)go__timer_disarm(&u->timer);
    u->period = period;
    (void)go__chan_alarm_set(u->chan, due, period);
    bool first = go__timer_arm_reserved(heap, &u->timer, due);
    go__chan_unlock(u->chan);
    if (first) {
        go__timers_announce(heap, due);
    }
}

void go_ticker_free(go_ticker *t)
{
    if (t != NULL) {
        go_timer_free(&t->timer);
    }
}
