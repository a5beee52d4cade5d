/* Subscriptions of channels to signals.
 *
 * One goroutine, there as long as there are subscriptions, reads the eventfd that the handler writes to and sends. It marks the
 * subscription it is sending to, so that go_signal_stop, once the subscription is out of the list, waits the moment until that is over.
 * Whoever subscribes after the last subscription has ended waits for the end of that goroutine, which may still be sending, before
 * starting the next: two at once would overwrite each other's marks.
 * A signal that was caught before the subscription ended is sent to it, if need be by go_signal_stop itself.
 *
 * `changing` serialises notify and stop, which make system calls and enter the scheduler; `lock` covers the list. A goroutine that the
 * end of the run meets in between leaves `changing` locked and a change half done: go__signals_stop takes the lock over, and each step is
 * such that it finds what there is to undo. */
#include <errno.h>
#include <signal.h>
#include <sys/eventfd.h>

#include "chan/chan.h"
#include "go/context.h"
#include "go/net.h"
#include "net/aside.h"
#include "net/io.h"
#include "net/signal.h"
#include "os/futex.h"
#include "sched/alloc.h"
#include "sched/blocking.h"
#include "sched/hooks.h"

struct subscription {
    struct subscription *next; /* under lock */
    go_chan *c;                /* constant; holds a reference */
    int signo;                 /* constant */
    uint32_t round;            /* the deliverer's: when it was sent to last */
};

static go__futex_mutex changing;
static go__atomic(bool) changed_by_goroutine; /* who has `changing` is one; under changing, but for go__signals_stop */
static go__spinlock lock;
static struct subscription *all;     /* under lock */
static struct subscription *sending; /* what the deliverer sends to just now; under lock */
static int delivering;              /* the signal whose count the deliverer takes or has taken and not yet sent, or 0; under lock */
static uintptr_t deliverer;         /* the argument of the one that may still deliver, or 0; under lock */
static uint32_t users[GO__SIGNALS]; /* subscriptions of each signal; under changing */
static int event_fd = -1;           /* under changing */
static uint32_t round_number;       /* the deliverer only */

/* --- delivering --- */

/* The next subscription to signo that this round has not served. */
static struct subscription *next_of(int signo)
{
    go__spin_lock(&lock);
    struct subscription *s = all;
    while (s != NULL && (s->signo != signo || s->round == round_number)) {
        s = s->next;
    }
    sending = s;
    go__spin_unlock(&lock);
    return s;
}

static void deliver(int signo)
{
    struct subscription *s;
    round_number++;
    while ((s = next_of(signo)) != NULL) {
        s->round = round_number;
        (void)go_chan_try_send(s->c, &signo); /* full: dropped, as in Go */
    }
}

static void set_delivering(int signo)
{
    go__spin_lock(&lock);
    delivering = signo;
    go__spin_unlock(&lock);
}

static void deliver_all(void)
{
    for (int signo = 1; signo < GO__SIGNALS; signo++) {
        /* rlx: the read of the eventfd comes after the handler's write, which comes after its count. */
        if (load_rlx(&go__signal_arrived[signo]) == 0) {
            continue;
        }
        set_delivering(signo);
        /* acqrel: who finds nothing left finds `delivering` set; pairs with the exchange in deliver_rest. */
        for (uint32_t count = xchg_acqrel(&go__signal_arrived[signo], 0u); count > 0; count--) {
            deliver(signo);
        }
        set_delivering(0);
    }
}

static void set_deliverer(uintptr_t argument)
{
    go__spin_lock(&lock);
    deliverer = argument;
    go__spin_unlock(&lock);
}

/* No argument comes twice, so one that its run left behind does not end another's time. */
static void end_delivering(uintptr_t argument)
{
    go__spin_lock(&lock);
    if (deliverer == argument) {
        deliverer = 0;
    }
    go__spin_unlock(&lock);
}

/* `changing` held, which no deliverer takes; its descriptor is closed. */
static void await_deliverer(void)
{
    go__spin_lock(&lock);
    while (deliverer != 0) {
        go__spin_unlock(&lock);
        go_yield(); /* in the middle of sends that do not wait, or about to find the descriptor closed */
        go__spin_lock(&lock);
    }
    go__spin_unlock(&lock);
}

static void deliver_signals(void *arg)
{
    struct go__fd_use hold = {.fd = (int)(uint32_t)(uintptr_t)arg, .generation = (uint32_t)((uintptr_t)arg >> 32)};
    hold.record = go__fd_peek(hold.fd);
    uint64_t count;
    go__self()->system = 1;
    (void)go_context_bind(NULL); /* the first subscriber's context is none of ours */
    while (go_read(hold.fd, &count, sizeof count) > 0) {
        deliver_all();
    }
    end_delivering((uintptr_t)arg);
    go__fd_end(&hold);
}

/* Returns when all handlers have finished that did not see what the caller stored before, sc: see signal.h. */
static void await_handlers(void)
{
    while (load_sc(&go__signal_handlers) != 0) {
        go_yield(); /* a handler's few instructions */
    }
}

/* `changing` held. Returns when no handler uses the old one any more. */
static void set_target(int fd)
{
    store_sc(&go__signal_target, fd);
    await_handlers();
}

/* `changing` held. */
static int spawn_deliverer(int fd)
{
    /* The deliverer's from now on: as long as it may still read, the number cannot be another descriptor's. */
    struct go__fd_use hold;
    (void)go__fd_hold(&hold, fd);
    uintptr_t argument = (uintptr_t)hold.generation << 32 | (uint32_t)fd;
    set_deliverer(argument);
    int error = go__spawn_deep(deliver_signals, (void *)argument);
    if (error != 0) {
        end_delivering(argument);
        go__fd_end(&hold);
    }
    return error;
}

/* `changing` held. */
static int start(void)
{
    await_deliverer();
    long fd = go__syscall2(SYS_eventfd2, 0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0) {
        return (int)fd;
    }
    int error = go__fd_adopt((int)fd, GO__FD_PIPE, 0);
    if (error != 0) {
        return error;
    }
    event_fd = (int)fd; /* at once, for go__signals_stop */
    /* Now, not at the deliverer's first wait: here somebody can be told that it failed. */
    struct go__fd *r = go__fd_peek((int)fd);
    error = go__netpoll_register(r, (int)fd, go__fd_generation(load_rlx(&r->word))); /* rlx: nobody else knows fd */
    if (error == 0) {
        error = spawn_deliverer((int)fd);
    }
    if (error != 0) {
        event_fd = -1;
        (void)go_close((int)fd);
        return error;
    }
    set_target(event_fd);
    return 0;
}

/* `changing` held; the deliverer finds its descriptor closed and ends. */
static void stop(void)
{
    int fd = event_fd;
    set_target(-1);
    event_fd = -1; /* first: closing enters the scheduler, and the number may be another's afterwards */
    (void)go_close(fd);
}

/* --- subscribing --- */

/* Inside the runtime, where an orphan does not get: the next run's lock is not for it. */
static bool try_changing(void)
{
    struct go__m *mp = go__enter();
    bool taken = go__futex_trylock(&changing);
    go__leave(mp);
    return taken;
}

static void begin_change(void)
{
    bool goroutine = go__m() != NULL;
    if (goroutine) { /* it does not block its thread: the end of the run must find it, for whoever it waits for may be dropped */
        while (!try_changing()) {
            go_yield();
        }
    } else {
        go__futex_lock(&changing);
    }
    store_rlx(&changed_by_goroutine, goroutine); /* rlx: read when the run's threads have ended */
}

static void count_subscription(uint32_t change)
{
    go__futex_lock(&go__sched.lock);
    go__sched.signal_subscriptions += change;
    go__futex_unlock(&go__sched.lock);
}

static bool allowed(const go_chan *c, int signo)
{
    return c != NULL && c->elem_size == sizeof(int) && c->capacity > 0 && signo > 0 && signo < GO__SIGNALS && signo != SIGKILL &&
           signo != SIGSTOP && signo != SIGSEGV && signo != SIGBUS && signo != SIGFPE && signo != SIGILL;
}

/* `changing` held. */
static struct subscription *find(const go_chan *c, int signo)
{
    struct subscription *s = all; /* changes under both locks, so either will do for reading */
    while (s != NULL && (s->c != c || s->signo != signo)) {
        s = s->next;
    }
    return s;
}

static void link_subscription(struct subscription *s)
{
    go__spin_lock(&lock);
    s->next = all;
    all = s;
    go__spin_unlock(&lock);
}

/* `changing` held. When it returns, nothing is sent to s any more. */
static void unlink_subscription(struct subscription *s)
{
    go__spin_lock(&lock);
    for (struct subscription **at = &all; *at != NULL; at = &(*at)->next) {
        if (*at == s) {
            *at = s->next;
            break;
        }
    }
    while (sending == s) {
        go__spin_unlock(&lock);
        go_yield(); /* in the middle of a send that does not wait */
        go__spin_lock(&lock);
    }
    go__spin_unlock(&lock);
}

/* `changing` held, so the list stays as it is. Sends what was caught so far, to all who are subscribed. */
static void deliver_rest(int signo)
{
    for (uint32_t count = xchg_acqrel(&go__signal_arrived[signo], 0u); count > 0; count--) {
        for (struct subscription *s = all; s != NULL; s = s->next) {
            if (s->signo == signo) {
                (void)go_chan_try_send(s->c, &signo);
            }
        }
    }
    go__spin_lock(&lock);
    while (delivering == signo) {
        go__spin_unlock(&lock);
        go_yield(); /* in the middle of sends that do not wait */
        go__spin_lock(&lock);
    }
    go__spin_unlock(&lock);
}

/* `changing` held. */
static void undo(struct subscription *s)
{
    unlink_subscription(s);
    count_subscription(UINT32_MAX);
    if (all == NULL) {
        stop();
    }
}

/* `changing` held. */
static int add(struct subscription *s)
{
    int error = event_fd < 0 ? start() : 0;
    if (error != 0) {
        return error;
    }
    count_subscription(1);
    link_subscription(s);
    if (users[s->signo] == 0) {
        struct go__signal_change change = {s->signo, true, 0};
        go__system_call(go__signal_change, &change);
        if (change.error != 0) {
            undo(s);
            return change.error;
        }
    }
    users[s->signo]++;
    return 0;
}

/* `changing` held. */
static void take_away(struct subscription *s)
{
    if (--users[s->signo] == 0) {
        struct go__signal_change change = {s->signo, false, 0};
        go__system_call(go__signal_change, &change);
    }
    await_handlers();
    deliver_rest(s->signo);
    undo(s);
}

static void free_subscription(struct subscription *s)
{
    go_chan_unref(s->c);
    go__free(s);
}

int go_signal_notify(go_chan *c, int signo)
{
    if (!allowed(c, signo)) {
        return -EINVAL;
    }
    struct subscription *s = go__alloc(sizeof *s);
    if (s == NULL) {
        return -ENOMEM;
    }
    s->c = go_chan_ref(c);
    s->signo = signo;
    begin_change();
    bool known = find(c, signo) != NULL;
    int error = known ? 0 : add(s);
    go__futex_unlock(&changing);
    if (known || error != 0) {
        free_subscription(s);
    }
    return error;
}

int go_signal_stop(go_chan *c, int signo)
{
    go__known();
    begin_change();
    struct subscription *s = find(c, signo);
    if (s != NULL) {
        take_away(s);
    }
    go__futex_unlock(&changing);
    if (s == NULL) {
        return -EINVAL;
    }
    free_subscription(s);
    return 0;
}

/* The deliverer is dropped wherever it stands: nobody waits for it. */
static void forget_deliverer(void)
{
    go__spin_lock(&lock);
    sending = NULL;
    delivering = 0;
    deliverer = 0;
    go__spin_unlock(&lock);
}

/* No goroutine runs any more. A foreign thread comes out of its change, a goroutine does not. */
static void begin_last_change(void)
{
    forget_deliverer();
    if (!go__futex_trylock(&changing) && !load_rlx(&changed_by_goroutine)) { /* rlx: see begin_change */
        go__futex_lock(&changing);
    }
    forget_deliverer(); /* a foreign thread's change may have been to start one */
}

void go__signals_stop(void)
{
    begin_last_change();
    struct subscription *s;
    while ((s = all) != NULL) {
        all = s->next;
        if (users[s->signo] != 0 && --users[s->signo] == 0) { /* 0: go_signal_stop had come that far */
            struct go__signal_change change = {s->signo, false, 0};
            go__signal_change(&change);
        }
        free_subscription(s);
    }
    if (event_fd >= 0) {
        set_target(-1);
        go__fd_discard(event_fd);
        event_fd = -1;
    }
    go__futex_unlock(&changing);
}
