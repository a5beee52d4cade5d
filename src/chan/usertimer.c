/* go_timer: an entry in a timer heap that wakes whoever waits on the timer's channel, or starts a goroutine.
 *
 * What a channel's alarm says and what the heap says change together, under the channel's lock (a func timer's own lock), so calls
 * from several sides at once take turns. The heap's lock comes after it. A fire runs under the heap's lock, so it may not lock the
 * channel: it defers the reminder, which looks at the alarm again (chan.h). Disarmed means that no fire is running; a deferred reminder
 * may be, and has a reference to the channel. Nothing deferred refers to the go_timer itself, which may go at any time. */
#include "chan/usertimer.h"

#include "os/fatal.h"
#include "sched/alloc.h"

#define LATEST (INT64_MAX - 1)

int64_t go__usertimer_due(int64_t duration)
{
    int64_t due = go__deadline_after(go_now(), duration);
    return due < LATEST ? due : LATEST;
}

static void remind(void *arg)
{
    go_chan *c = arg;
    go__chan_remind(c);
    go_chan_unref(c);
}

static int64_t fire_chan(struct go__timer *timer, int64_t now, struct go__g_list *ready)
{
    go_timer *t = go__container_of(timer, go_timer, timer);
    (void)ready;
    go__timer_defer(timer, GO__TIMER_THEN_CALL, remind, go_chan_ref(t->chan));
    if (t->period == 0) {
        return INT64_MAX;
    }
    /* The next multiple: who comes late loses ticks, and never the beat. */
    int64_t step = (now - timer->when) / t->period * t->period + t->period;
    return step < LATEST - timer->when ? timer->when + step : LATEST;
}

static int64_t fire_func(struct go__timer *timer, int64_t now, struct go__g_list *ready)
{
    go_timer *t = go__container_of(timer, go_timer, timer);
    (void)now;
    (void)ready;
    go__timer_defer(timer, GO__TIMER_THEN_SPAWN, t->fn, t->arg); /* which may free t */
    return INT64_MAX;
}

go_timer *go__usertimer_new(int64_t duration, int64_t period)
{
    go__known();
    go_timer *t = go__alloc(sizeof *t);
    if (t == NULL) {
        return NULL;
    }
    int64_t due = go__usertimer_due(duration);
    t->timer.fire = fire_chan;
    t->period = period;
    t->chan = go__chan_new_alarm();
    if (t->chan != NULL) {
        (void)go__chan_alarm_set(t->chan, due, period); /* without its lock: nobody knows it yet */
        if (go__timer_arm(&t->timer, due) == 0) {
            return t;
        }
        go_chan_unref(t->chan);
    }
    go__free(t);
    return NULL;
}

go_timer *go_timer_new(int64_t duration)
{
    return go__usertimer_new(duration, 0);
}

go_timer *go_timer_func(int64_t duration, go_func fn, void *arg)
{
    go__known();
    go_timer *t = go__alloc(sizeof *t);
    if (t == NULL) {
        return NULL;
    }
    t->timer.fire = fire_func;
    t->fn = fn;
    t->arg = arg;
    if (go__timer_arm(&t->timer, go__usertimer_due(duration)) != 0) {
        go__free(t);
        return NULL;
    }
    return t;
}

go_chan *go_timer_chan(go_timer *t)
{
    return t->chan;
}

static void lock(go_timer *t)
{
    go__spin_lock(t->chan != NULL ? &t->chan->lock : &t->lock);
}

static void unlock(go_timer *t)
{
    go__spin_unlock(t->chan != NULL ? &t->chan->lock : &t->lock);
}

bool go_timer_stop(go_timer *t)
{
    go__known();
    lock(t);
    bool pending = go__timer_disarm(&t->timer);
    if (t->chan != NULL) {
        pending = go__chan_alarm_set(t->chan, INT64_MAX, 0);
    }
    unlock(t);
    return pending;
}

/* A timer that is armed needs no memory to be armed for another time. */
static bool reset_armed(go_timer *t, int64_t due, bool *pending)
{
    struct go__timers *announce;
    lock(t);
    bool armed = go__timer_rearm(&t->timer, due, &announce);
    if (armed) {
        *pending = t->chan == NULL || go__chan_alarm_set(t->chan, due, 0);
    }
    unlock(t);
    if (announce != NULL) {
        go__timers_announce(announce, due);
    }
    return armed;
}

bool go_timer_reset(go_timer *t, int64_t duration)
{
    go__known();
    int64_t due = go__usertimer_due(duration);
    bool pending;
    if (go__likely(reset_armed(t, due, &pending))) {
        return pending;
    }
    struct go__timers *heap = go__timers_reserve();
    if (heap == NULL) {
        go__fatal("out of memory resetting a timer");
    }
    lock(t);
    pending = go__timer_disarm(&t->timer); /* somebody else may have armed it meanwhile */
    if (t->chan != NULL) {
        pending = go__chan_alarm_set(t->chan, due, 0);
    }
    bool first = go__timer_arm_reserved(heap, &t->timer, due);
    unlock(t);
    if (first) {
        go__timers_announce(heap, due);
    }
    return pending;
}

void go_timer_free(go_timer *t)
{
    if (t == NULL) {
        return;
    }
    (void)go_timer_stop(t);
    go_chan_unref(t->chan); /* NULL is fine */
    go__free(t);
}
