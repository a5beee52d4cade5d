/* The system's poller: one epoll instance a run. An event carries the number and the generation of its record. */
#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/eventfd.h>
#include <time.h>

#include "os/fatal.h"
#include "os/syscall.h"
#include "poll/netpoll.h"
#include "sched/blocking.h"
#include "sched/hooks.h"

#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 441 /* Linux 5.11, the same number on every CPU */
#endif

#define BATCH               128        /* events a look takes: half a ring of goroutines */
#define SLACK_MAX_NS        100000     /* more than the default of 50 us */
#define SLACK_KERNEL_MAX_NS 100000000  /* what the kernel allows itself at most */
#define BREAK               UINT64_MAX /* the eventfd's tag */
#define EDGES               (EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET)
#define READABLE            (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI)
#define WRITABLE            (EPOLLOUT | EPOLLHUP | EPOLLERR)
/* With one of these in sight a short read does not mean that nothing is left: the end of the stream, or what follows urgent data, was
 * announced by the same edge. */
#define CAREFUL             (EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI)

go__atomic(uint32_t) go__netpoll_number;

static go__atomic(int) epoll_fd = -1, break_fd = -1; /* written by go_run's thread; foreign threads may come late */
static go__atomic(uint32_t) broken;                  /* break_fd was written and not drained yet */
static int64_t timer_slack;                          /* of this run's threads; before they start */
static go__atomic(uint32_t) no_pwait2;               /* the kernel is older than 5.11, or a filter hides it */

static int control(int operation, int fd, uint32_t generation, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.u64 = (uint64_t)generation << 32 | (uint32_t)fd};
    int ep = load_rlx(&epoll_fd); /* rlx: constant in a run */
    if (go__unlikely(ep < 0)) {
        go__check_forked();
        return -ECANCELED; /* the run is over, for a foreign thread: its descriptor is as good as before */
    }
    int error = (int)go__syscall4(SYS_epoll_ctl, ep, operation, fd, (long)&event);
    return error == -EBADF && load_rlx(&epoll_fd) != ep ? -ECANCELED : error; /* rlx: it was closed meanwhile, perhaps */
}

/* What the run's threads inherit. Real-time threads have none. A large one that was asked for is honoured: 0 means leave it to the kernel. */
static int64_t slack_of_this_thread(void)
{
    long policy = go__syscall1(SYS_sched_getscheduler, 0);
    long slack = go__syscall5(SYS_prctl, PR_GET_TIMERSLACK, 0, 0, 0, 0);
    return policy == SCHED_OTHER && slack > 0 && slack <= SLACK_MAX_NS ? slack : 0;
}

int go__netpoll_init(void)
{
    long ep = go__syscall1(SYS_epoll_create1, EPOLL_CLOEXEC);
    if (ep < 0) {
        return (int)ep;
    }
    long wake = go__syscall2(SYS_eventfd2, 0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (wake < 0) {
        (void)go__syscall1(SYS_close, ep);
        return (int)wake;
    }
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = BREAK};
    long error = go__syscall4(SYS_epoll_ctl, ep, EPOLL_CTL_ADD, wake, (long)&event);
    if (error < 0) {
        (void)go__syscall1(SYS_close, wake);
        (void)go__syscall1(SYS_close, ep);
        return (int)error;
    }
    timer_slack = slack_of_this_thread();
    /* rlx: published with the run. */
    store_rlx(&epoll_fd, (int)ep);
    store_rlx(&break_fd, (int)wake);
    store_rlx(&broken, 0u);
    store_rel(&go__netpoll_number, load_rlx(&go__netpoll_number) + 1); /* rel: after epoll_fd; pairs with go__netpoll_register */
    return 0;
}

void go__netpoll_destroy(void)
{
    go__fd_reset_all();
    go__netpoll_count_reset();
    (void)go__syscall1(SYS_close, xchg_acqrel(&break_fd, -1));
    (void)go__syscall1(SYS_close, xchg_acqrel(&epoll_fd, -1));
}

/* The child has descriptors of the same epoll instance: what it took out would be gone for the parent. */
void go__netpoll_forked(void)
{
    /* rlx: the child has one thread. */
    store_rlx(&epoll_fd, -1);
    store_rlx(&break_fd, -1);
}

/* --- registering --- */

static void mark(struct go__fd *r, int fd, uint32_t number)
{
    go__fd_raise_top(fd);
    store_rlx(&r->registered, number); /* rlx: an order is needed only with one's own later waits */
}

int go__netpoll_register(struct go__fd *r, int fd, uint32_t generation)
{
    /* acq: read before epoll_fd. For a foreign thread that is late the next run may begin in between: then this is the old number, and the
     * next wait registers once more. */
    uint32_t number = load_acq(&go__netpoll_number);
    int error = control(EPOLL_CTL_ADD, fd, generation, EDGES);
    if (error == -EEXIST) { /* by the other direction's user, or by a descriptor that shared this number and its open file */
        error = control(EPOLL_CTL_MOD, fd, generation, EDGES);
    }
    if (error == 0) {
        mark(r, fd, number);
    }
    return error;
}

int go__netpoll_rearm(struct go__fd *r, int fd, unsigned more)
{
    uint32_t generation = go__fd_generation(load_rlx(&r->word)); /* rlx: changes under the lock only */
    bool in = r->ready[GO__FD_READ] != NULL || (more & 1u) != 0, out = r->ready[GO__FD_WRITE] != NULL || (more & 2u) != 0;
    uint32_t events = EPOLLONESHOT | (in ? EPOLLIN | EPOLLRDHUP : 0) | (out ? EPOLLOUT : 0);
    int error = -ENOENT;
    if (load_rlx(&r->registered) == load_rlx(&go__netpoll_number)) {
        error = control(EPOLL_CTL_MOD, fd, generation, events);
        if (error == -ENOENT) { /* the number is another descriptor by now: the next try looks at it anew */
            store_rlx(&r->kind, (uint32_t)GO__FD_UNKNOWN);
            store_rlx(&r->inode, UINT64_C(0));
        }
    }
    if (error == -ENOENT) {
        error = control(EPOLL_CTL_ADD, fd, generation, events);
    }
    if (error == -EEXIST) {
        error = control(EPOLL_CTL_MOD, fd, generation, events);
    }
    if (error == 0) {
        mark(r, fd, load_rlx(&go__netpoll_number));
    }
    return error;
}

int go__netpoll_probe(struct go__fd *r, int fd)
{
    uint32_t generation = go__fd_generation(load_rlx(&r->word));
    int error = control(EPOLL_CTL_ADD, fd, generation, EPOLLONESHOT); /* for nothing; hang-ups and errors come once at most */
    if (error == 0) {
        mark(r, fd, load_rlx(&go__netpoll_number));
    }
    return error == -EEXIST ? 0 : error;
}

void go__netpoll_forget(struct go__fd *r, int fd)
{
    uint32_t registered = load_rlx(&r->registered); /* rlx: the caller is the record's last user */
    if (registered != 0 && registered == load_rlx(&go__netpoll_number)) {
        (void)control(EPOLL_CTL_DEL, fd, 0, 0);
    }
}

/* --- looking and sleeping --- */

static long wait_ms(struct epoll_event *events, int64_t timeout_ns)
{
    int64_t ms = timeout_ns / 1000000 + (timeout_ns % 1000000 != 0);
    int timeout = timeout_ns == INT64_MAX ? -1 : ms > INT_MAX ? INT_MAX : (int)ms;
    return go__syscall6(SYS_epoll_pwait, load_rlx(&epoll_fd), (long)events, BATCH, timeout, 0, 8);
}

/* The kernel may end a sleep late, by the thread's timer slack or a thousandth of the sleep, so that several end together, and unless
 * another interrupt comes in between it does. Asked for that much less it ends on time, or too early at worst: then the caller finds
 * nothing due and sleeps again. */
static int64_t without_slack(int64_t timeout_ns)
{
    int64_t slack = timer_slack;
    if (slack != 0 && timeout_ns / 1000 > slack) {
        slack = timeout_ns / 1000 < SLACK_KERNEL_MAX_NS ? timeout_ns / 1000 : SLACK_KERNEL_MAX_NS;
    }
    return timeout_ns > slack ? timeout_ns - slack : 1;
}

static long wait_for_events(struct epoll_event *events, int64_t timeout_ns)
{
    if (timeout_ns == 0 || timeout_ns == INT64_MAX || load_rlx(&no_pwait2) != 0) {
        return wait_ms(events, timeout_ns);
    }
    int64_t ask = without_slack(timeout_ns);
    struct timespec timeout = {.tv_sec = (time_t)(ask / 1000000000), .tv_nsec = (long)(ask % 1000000000)};
    long n = go__syscall6(SYS_epoll_pwait2, load_rlx(&epoll_fd), (long)events, BATCH, (long)&timeout, 0, 8);
    if (n == -ENOSYS || n == -EPERM) {
        store_rlx(&no_pwait2, 1u); /* rlx: whoever misses it finds out too */
        return wait_ms(events, timeout_ns);
    }
    return n;
}

/* The sleeper was woken for its own sake. Those who only look leave the eventfd as it is. */
static void drain_break(void)
{
    uint64_t count;
    (void)go__syscall3(SYS_read, load_rlx(&break_fd), (long)&count, sizeof count);
    /* sc: after this the caller looks at everything again; whoever published something and found the flag still set relies on it. */
    store_sc(&broken, 0u);
}

void go__netpoll(int64_t timeout_ns, struct go__g_list *ready)
{
    struct epoll_event events[BATCH];
    uint32_t taken = 0;
    long n = wait_for_events(events, timeout_ns);
    if (n < 0 && n != -EINTR) {
        go__fatal("epoll_wait failed (error %ld)", -n);
    }
    for (long i = 0; i < n; i++) {
        uint64_t tag = events[i].data.u64;
        uint32_t mask = events[i].events;
        if (tag == BREAK) {
            if (timeout_ns != 0) {
                drain_break();
            }
            continue;
        }
        struct go__fd_event event = {
            .fd = (int)(uint32_t)tag,
            .generation = (uint32_t)(tag >> 32),
            .directions = ((mask & READABLE) != 0 ? 1u : 0u) | ((mask & WRITABLE) != 0 ? 2u : 0u),
            .careful = (mask & CAREFUL) != 0,
        };
        go__fd_event(&event, ready, &taken);
    }
    go__netpoll_wait_less(taken);
}

/* A commit that wakes a thread calls it on the stack of the goroutine that runs next, which ThreadSanitizer would take for a race. */
GO__NO_TSAN void go__netpoll_break(void)
{
    uint32_t quiet = 0;
    int fd = load_rlx(&break_fd);
    /* sc: one write until it is drained; see drain_break. */
    if (fd >= 0 && cas_sc(&broken, &quiet, 1u)) {
        const uint64_t one = 1;
        (void)go__syscall3(SYS_write, fd, (long)&one, sizeof one);
    }
}
