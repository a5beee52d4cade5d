/* SIGQUIT (Ctrl-\) writes every goroutine to stderr and the program goes on, unless the program handles the signal itself.
 *
 * The handler only sets a flag and wakes sysmon: its thread is the one of ours that leaves SIGQUIT open, and it makes the dump on
 * its native stack, where stopping the world and reading files are allowed. */
#include <signal.h>
#include <unistd.h>

#include "debug/debug.h"
#include "go/debug.h"
#include "os/sigaction.h"
#include "sched/hooks.h"

static go__atomic(uint32_t) wanted;    /* set by the handler, taken by sysmon */
static go__atomic(uint32_t) installed; /* go_run's thread writes; sysmon's reads at its start */

static void on_sigquit(int signo)
{
    (void)signo;
    /* rel pairs with the exchange in go__debug_poll; the wake of a note that nobody sleeps on only makes sysmon's next sleep short. */
    store_rel(&wanted, 1u);
    go__note_wake(&go__sched.sysmon_note);
}

void go__sigquit_start(void)
{
    struct sigaction now, ours = {0};
    if (go__sigaction(SIGQUIT, NULL, &now) != 0 || (now.sa_flags & SA_SIGINFO) != 0 || now.sa_handler != SIG_DFL) {
        return;
    }
    ours.sa_handler = on_sigquit;
    ours.sa_flags = SA_RESTART | SA_ONSTACK;
    (void)sigfillset(&ours.sa_mask);
    store_rlx(&wanted, 0u);
    store_rel(&installed, go__sigaction(SIGQUIT, &ours, NULL) == 0); /* pairs with go__debug_sysmon_thread_init */
}

void go__sigquit_stop(void)
{
    struct sigaction now;
    if (xchg_acqrel(&installed, 0u) != 0 && go__sigaction(SIGQUIT, NULL, &now) == 0 && now.sa_handler == on_sigquit) {
        now.sa_handler = SIG_DFL; /* a handler that the program has put there since stays */
        now.sa_flags = 0;
        (void)go__sigaction(SIGQUIT, &now, NULL);
    }
}

void go__debug_sysmon_thread_init(void)
{
    if (load_acq(&installed) != 0) {
        sigset_t set;
        (void)sigemptyset(&set);
        (void)sigaddset(&set, SIGQUIT);
        (void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    }
}

void go__debug_poll(void)
{
    /* rlx first: sysmon asks at every wake-up; acq then pairs with the handler's store. */
    if (load_rlx(&wanted) != 0 && xchg_acq(&wanted, 0u) != 0) {
        go_dump(STDERR_FILENO);
    }
}
