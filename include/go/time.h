/* Time: the monotonic clock, sleeping, timers and tickers with the meaning they have in Go 1.23.
 *
 * All times are int64_t nanoseconds. A duration is relative; a deadline is absolute on go_now()'s clock; GO_FOREVER never comes.
 * Timer and ticker channels carry the int64_t time at which they were due:
 *
 *   go_timer *t = go_timer_new(50 * GO_MILLISECOND);
 *   int64_t fired;
 *   if (go_chan_recv(go_timer_chan(t), &fired) == 0) { ... }
 *   go_timer_free(t); */
#ifndef GO_TIME_H
#define GO_TIME_H

#include <stdbool.h>
#include <stdint.h>

#include "go/base.h"
#include "go/chan.h"
#include "go/run.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GO_NANOSECOND  ((int64_t)1)
#define GO_MICROSECOND ((int64_t)1000)
#define GO_MILLISECOND ((int64_t)1000000)
#define GO_SECOND      ((int64_t)1000000000)
#define GO_FOREVER     INT64_MAX

/* go_now: nanoseconds on the monotonic clock (CLOCK_MONOTONIC), about 20 ns a call.
 * Parks:  no.     Caller: any thread, a runtime is not needed. */
GO_API int64_t go_now(void);

/* go_sleep: do nothing for at least `duration`.
 *   duration   0 or less returns at once
 * Returns 0; -ECANCELED if the bound context is done now or before the time is over; -ENOMEM.
 * Parks:  yes.     Caller: any goroutine or, while the runtime runs, any thread (which then blocks itself).
 * Source: Go's time.Sleep; src/time/sleep.c. */
GO_API int go_sleep(int64_t duration);

/* go_sleep_until: the same until go_now() has reached `deadline`; one in the past returns at once. */
GO_API int go_sleep_until(int64_t deadline);

/* A timer fires once. It is pending from go_timer_new or go_timer_reset until its value was received (or its function started), or
 * it was stopped. */
typedef struct go_timer go_timer;

/* go_timer_new: a timer whose channel receives the time once `duration` is over.
 * Returns the timer, to be freed with go_timer_free; NULL when memory is out.
 * Parks:  no.     Caller: any goroutine or, while the runtime runs, any thread. */
GO_API GO_NODISCARD go_timer *go_timer_new(int64_t duration);

/* go_timer_func: a timer that starts fn(arg) in a goroutine of its own, which has no context bound. Its channel is NULL. No
 * memory for that goroutine is a fatal error. */
GO_API GO_NODISCARD go_timer *go_timer_func(int64_t duration, go_func fn, void *arg);

/* go_timer_chan: the channel on which t sends; borrowed, valid until go_timer_free (take a reference to keep it longer). Its
 * go_chan_len is always 0. */
GO_API go_chan *go_timer_chan(go_timer *t);

/* go_timer_stop: t will not fire. Returns true if it was still pending. After it returned, no value is received from the channel; a
 * goroutine that go_timer_func has already started is not waited for.
 * Parks:  no.     Caller: any goroutine or, while the runtime runs, any thread; several at once too. */
GO_API bool go_timer_stop(go_timer *t);

/* go_timer_reset: t fires once after `duration` from now, whatever it did before. Returns true if it was still pending. No value
 * of the time before is received afterwards. Out of memory is a fatal error. Callers as for stop. */
GO_API bool go_timer_reset(go_timer *t, int64_t duration);

/* go_timer_free: stop and forget; NULL is fine. A goroutine that waits on the channel then needs a reference of its own, and waits
 * for ever. A func timer may be freed by its own function. */
GO_API void go_timer_free(go_timer *t);

/* A ticker fires every period. A receiver that is slow loses ticks: at most one waits for it. */
typedef struct go_ticker go_ticker;

/* go_ticker_new: Returns the ticker, to be freed with go_ticker_free; NULL when period <= 0 or memory is out. */
GO_API GO_NODISCARD go_ticker *go_ticker_new(int64_t period);

/* go_ticker_chan: as go_timer_chan. */
GO_API go_chan *go_ticker_chan(go_ticker *t);

/* go_ticker_reset: the next tick comes `period` from now, and so on; no tick of before is received afterwards. A period <= 0 is a
 * fatal error, so is memory out. */
GO_API void go_ticker_reset(go_ticker *t, int64_t period);

/* go_ticker_free: stop and forget; NULL is fine. */
GO_API void go_ticker_free(go_ticker *t);

#ifdef __cplusplus
}
#endif

#endif
