/* The handler runs on the thread that called go_run, or on another that is not ours: ours block signals. It counts, wakes the goroutine that
 * delivers, and touches nothing else: no errno, no lock. */
#include "net/signal.h"

#include <errno.h>
#include <signal.h>

#include "os/sigaction.h"
#include "os/syscall.h"

static struct sigaction before[GO__SIGNALS]; /* what was there; by go__signal_change */
go__atomic(int) go__signal_target = -1;
go__atomic(uint32_t) go__signal_handlers;
go__atomic(uint32_t) go__signal_wanted[GO__SIGNALS];
go__atomic(uint32_t) go__signal_arrived[GO__SIGNALS];

static GO__HANDLER void note(int signo)
{
    (void)add_rlx(&go__signal_arrived[signo], 1u); /* rlx: ordered by the write, and by the count of handlers */
    int fd = load_sc(&go__signal_target);
    if (fd >= 0) {
        const uint64_t one = 1;
        (void)go__syscall3(SYS_write, fd, (long)&one, sizeof one);
    }
}

static GO__HANDLER void on_signal(int signo)
{
    (void)add_sc(&go__signal_handlers, 1u); /* sc: see signal.h */
    bool wanted = load_sc(&go__signal_wanted[signo]) != 0;
    if (wanted) {
        note(signo);
    }
    (void)sub_rel(&go__signal_handlers, 1u); /* rel: the write is over; pairs with await_handlers */
    if (!wanted) {                           /* arrives once this handler has returned: it masks all signals */
        (void)go__syscall3(SYS_tgkill, go__syscall0(SYS_getpid), go__syscall0(SYS_gettid), signo);
    }
}

void go__signal_change(void *change)
{
    struct go__signal_change *c = change;
    if (c->catch) {
        struct sigaction ours = {.sa_handler = on_signal, .sa_flags = SA_RESTART | SA_ONSTACK};
        (void)sigfillset(&ours.sa_mask);
        store_rlx(&go__signal_arrived[c->signo], 0u); /* rlx: its handler is not there yet */
        store_sc(&go__signal_wanted[c->signo], 1u);   /* sc: see signal.h */
        c->error = go__sigaction(c->signo, &ours, &before[c->signo]) == 0 ? 0 : -errno;
    } else {
        c->error = go__sigaction(c->signo, &before[c->signo], NULL) == 0 ? 0 : -errno;
        store_sc(&go__signal_wanted[c->signo], 0u);
    }
}
