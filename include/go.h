/* goco: goroutines for C. This header brings in everything.
 *
 *   #include <go.h>
 *   #include <stdio.h>
 *
 *   static GO_CHAN(int) squares;
 *
 *   static void square(void *arg)
 *   {
 *       int n = *(int *)arg;
 *       (void)GO_SEND(squares, n * n);
 *   }
 *
 *   static int start(void *arg)
 *   {
 *       int sum = 0, value;
 *       (void)arg;
 *       if (GO_CHAN_NEW(squares, 0) != 0) { return 1; }
 *       for (int i = 1; i <= 10; i++) { go_copy(square, &i, sizeof i); }
 *       for (int i = 1; i <= 10 && GO_RECV(squares, &value) == 0; i++) { sum += value; }
 *       printf("%d\n", sum);
 *       GO_UNREF(squares);
 *       return 0;
 *   }
 *
 *   int main(void) { return go_run(start, NULL); }
 *
 * Rules that hold everywhere:
 *
 *   - What can fail returns 0 (or a count, or an index) or a negative errno code; errno itself is never set. go_strerror names one.
 *   - A goroutine changes its OS thread only inside a goco call that parks ("Parks: yes"). Between two such calls errno,
 *     thread_local values and pthread locks mean what they always mean. Across one, none of them may be relied on.
 *   - Misuse that has no sane continuation is a fatal error: a sentence and every goroutine's backtrace on stderr, then abort.
 *     When all goroutines are blocked for ever: the same, and exit status 2.
 *   - Times are int64_t nanoseconds. A duration is relative, a deadline is absolute on go_now()'s clock, GO_FOREVER never comes. A
 *     deadline in the past makes a call a poll: it succeeds if it can without parking, otherwise it returns -ETIMEDOUT.
 *   - go/sync.h, go/chan.h and go/time.h serve any pthread of the process while the runtime runs; such a thread blocks itself only.
 *   - While the goroutine's bound context (go/context.h) is done, every call that parks and has a result returns -ECANCELED. Calls
 *     without a result are never cancelled. */
#ifndef GO_H
#define GO_H

#include "go/base.h"
#include "go/chan.h"
#include "go/context.h"
#include "go/debug.h"
#include "go/group.h"
#include "go/net.h"
#include "go/run.h"
#include "go/sync.h"
#include "go/time.h"

#endif
