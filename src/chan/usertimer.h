/* What go_timer and go_ticker share: a heap entry and either a channel with an alarm (chan.h) or a function. */
#ifndef GO_SRC_CHAN_USERTIMER_H
#define GO_SRC_CHAN_USERTIMER_H

#include "chan/chan.h"
#include "go/time.h"
#include "time/timer.h"

struct go_timer {
    struct go__timer timer;
    int64_t period; /* of a ticker, else 0; written while the timer is disarmed, read by its fire */
    go_chan *chan;  /* constant; referenced; NULL: fn */
    go_func fn;     /* constant, as arg */
    void *arg;
    go__spinlock lock; /* a func timer's; the other kind is under its channel's lock */
};

/* A timer with a channel whose alarm is set; period 0: fires once. NULL when memory is out. */
go_timer *go__usertimer_new(int64_t duration, int64_t period);

/* When `duration` from now is over; never so late that it would mean "no deadline". */
int64_t go__usertimer_due(int64_t duration);

#endif
