/* The fault handler, on an alternate stack of each thread: a fault in the guard of the running goroutine's slot or segments is a
 * stack overflow, any other goes to whoever handled faults before. */
#include "stack/overflow.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "os/fatal.h"
#include "os/syscall.h"
#include "sched/rt.h"
#include "stack/grow.h"

#define ALTERNATE_BYTES ((size_t)256 << 10) /* addresses; naming a function may read symbol tables with libc's help */

static const int fault_signals[] = {SIGSEGV, SIGBUS};
static struct sigaction previous[2]; /* what was there before install; constant while installed */
static bool installed;               /* go_run's thread */

/* A goroutine whose growth failed stands on a few hundred bytes: it leaves word here and sends its thread the signal, to report
 * from the alternate stack. The one that moved `reporting` from 0 owns the others. */
static go__atomic(uint32_t) reporting;
static struct go__g *reported;
static size_t reported_need;
static uint32_t reporting_thread;

static const char *setting_of(const struct go__g *gp)
{
    return gp->slot_kind == GO__SLOT_CUSTOM ? "the goroutine's go_attr.stack_size" : "GOCO_STACK_RESERVE (go_config.stack_reserve)";
}

static void GO__NORETURN print_report(struct go__g *gp, size_t needed)
{
    static char entry[256]; /* the process ends here: no second user */
    go__symbol_name((void *)(uintptr_t)gp->entry, entry, sizeof entry);
    if (needed != 0) {
        size_t used = go__slot_bytes(gp);
        for (const struct go__segment *seg = gp->stack.top; seg != NULL; seg = seg->link) {
            used += seg->hi - seg->lo;
        }
        go__fatal("stack overflow: goroutine %lu, started as %s, has %zu bytes of stack and needs %zu more, over the limit of "
                  "%zu; to raise it set GOCO_STACK_MAX (go_config.stack_max)",
                  (unsigned long)gp->id, entry, used, needed, go__stacks_max());
    }
    size_t bytes = gp->stack.top != NULL ? gp->stack.top->hi - gp->stack.top->lo : go__slot_bytes(gp);
    go__fatal("stack overflow: goroutine %lu, started as %s, ran past the end of its stack of %zu bytes; to raise it set %s",
              (unsigned long)gp->id, entry, bytes, setting_of(gp));
}

static bool in_guard(uintptr_t lo, uintptr_t address)
{
    return lo - address <= GO__GUARD_BYTES && address < lo;
}

static bool is_overflow(const struct go__g *gp, uintptr_t address)
{
    if (gp->thread != NULL) {
        return false; /* a foreign thread's stand-in has no slot */
    }
    if (gp->slot_kind != GO__SLOT_SMALL && in_guard((uintptr_t)go__slot_lo(gp), address)) {
        return true;
    }
    for (const struct go__segment *seg = gp->stack.top; seg != NULL; seg = seg->link) {
        if (in_guard(seg->lo, address)) {
            return true;
        }
    }
    return false;
}

static void chain(int signo, siginfo_t *info, void *context)
{
    const struct sigaction *old = &previous[signo == SIGSEGV ? 0 : 1];
    if ((old->sa_flags & SA_SIGINFO) != 0) {
        old->sa_sigaction(signo, info, context);
    } else if (old->sa_handler != SIG_DFL && old->sa_handler != SIG_IGN) {
        old->sa_handler(signo);
    } else if (old->sa_handler == SIG_DFL || info->si_code > 0) {
        /* Back to the default: the faulting instruction runs again and ends the process where it happened. */
        struct sigaction standard = {.sa_handler = SIG_DFL};
        (void)sigaction(signo, &standard, NULL);
        if (info->si_code <= 0) {
            (void)raise(signo); /* sent, not a fault: nothing would run again. Pending until we return. */
        }
    }
}

static void on_fault(int signo, siginfo_t *info, void *context)
{
    int saved = errno;
    if (load_acq(&reporting) != 0 && reporting_thread == (uint32_t)go__syscall0(SYS_gettid) && info->si_code <= 0) {
        print_report(reported, reported_need);
    }
    struct go__m *mp = go__m();
    struct go__g *gp = mp != NULL ? mp->curg : NULL;
    if (gp != NULL && info->si_code > 0 && is_overflow(gp, (uintptr_t)info->si_addr)) {
        print_report(gp, 0);
    }
    errno = saved;
    chain(signo, info, context);
}

/* The first handler may be in place already. */
static int undo_install(int error)
{
    installed = true;
    go__overflow_restore();
    return error;
}

int go__overflow_install(void)
{
    for (int i = 0; i < 2; i++) {
        struct sigaction old;
        if (sigaction(fault_signals[i], NULL, &old) != 0) {
            return undo_install(-errno);
        }
        previous[i] = old;
        struct sigaction ours = {.sa_sigaction = on_fault, .sa_mask = old.sa_mask};
        ours.sa_flags = SA_SIGINFO | SA_ONSTACK | (old.sa_flags & (SA_NODEFER | SA_RESTART));
        if (sigaction(fault_signals[i], &ours, NULL) != 0) {
            return undo_install(-errno);
        }
    }
    installed = true;
    return 0;
}

void go__overflow_restore(void)
{
    if (!installed) {
        return;
    }
    installed = false;
    for (int i = 0; i < 2; i++) {
        struct sigaction now;
        /* A handler that the program put over ours stays. */
        if (sigaction(fault_signals[i], NULL, &now) == 0 && (now.sa_flags & SA_SIGINFO) != 0 && now.sa_sigaction == on_fault) {
            (void)sigaction(fault_signals[i], &previous[i], NULL);
        }
    }
}

void *go__overflow_thread_init(void)
{
    stack_t now;
    if (sigaltstack(NULL, &now) != 0 || (now.ss_flags & SS_DISABLE) == 0) {
        return NULL;
    }
    void *lo = mmap(NULL, ALTERNATE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (lo == MAP_FAILED) {
        return NULL;
    }
    stack_t ours = {.ss_sp = lo, .ss_size = ALTERNATE_BYTES};
    if (sigaltstack(&ours, NULL) != 0) {
        (void)munmap(lo, ALTERNATE_BYTES);
        return NULL;
    }
    return lo;
}

void go__overflow_thread_exit(void *alternate_stack)
{
    if (alternate_stack == NULL) {
        return;
    }
    stack_t now;
    stack_t off = {.ss_flags = SS_DISABLE};
    if (sigaltstack(NULL, &now) == 0 && now.ss_sp == alternate_stack) {
        (void)sigaltstack(&off, NULL);
    }
    (void)munmap(alternate_stack, ALTERNATE_BYTES);
}

void go__overflow_report(struct go__g *gp, size_t needed)
{
    uint32_t nobody = 0;
    uint32_t self = (uint32_t)go__syscall0(SYS_gettid);
    if (cas_acqrel(&reporting, &nobody, 1u)) {
        reported = gp;
        reported_need = needed;
        reporting_thread = self;
        store_rel(&reporting, 2u); /* pairs with the acquire in on_fault */
        (void)go__syscall3(SYS_tgkill, go__syscall0(SYS_getpid), self, SIGSEGV);
    }
    /* The program replaced our handler, or another goroutine is reporting. */
    go__fatal("stack overflow: goroutine %lu needs %zu bytes more; raise GOCO_STACK_MAX or GOCO_STACK_RESERVE",
              (unsigned long)gp->id, needed);
}

void go__overflow_canary(struct go__g *gp)
{
    go__fatal("goroutine %lu (entry %p): code without a stack check overran its small stack of %u bytes; compile it with "
              "-fsplit-stack, call it directly instead of through a pointer, or give the goroutine a go_attr.stack_size",
              (unsigned long)gp->id, (void *)(uintptr_t)gp->entry, GO__SMALL_BYTES);
}
