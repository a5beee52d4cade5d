/* Signals into channels: what signal.c (goroutines' stacks) and signal_handler.c (native stacks, handler) share. */
#ifndef GO_SRC_NET_SIGNAL_H
#define GO_SRC_NET_SIGNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"

#define GO__SIGNALS 65 /* 1..64 */

/* Installs the handler, or puts back what was there before. Called through go__system_call, one caller at a time. */
struct go__signal_change {
    int signo;
    bool catch;
    int error;
};
void go__signal_change(void *change);

/* Where the handler writes: an eventfd, or -1; and how many handlers run just now. Stored and read with sc order: either whoever changes
 * the target sees a handler and waits for it, or the handler sees the change. */
extern go__atomic(int) go__signal_target;
extern go__atomic(uint32_t) go__signal_handlers;

/* Whether the signal is caught: set before the handler is there, cleared once what was before is there again; sc, as the two above. A handler
 * that began before the change and looks after it gives the signal back to what is there now. So none is lost: go_signal_stop sees
 * the handler and waits for it, or the handler sees that nobody wants the signal. */
extern go__atomic(uint32_t) go__signal_wanted[GO__SIGNALS];

/* How often each signal has come and was not taken: +1 by the handler, taken by exchange. */
extern go__atomic(uint32_t) go__signal_arrived[GO__SIGNALS];

#endif
