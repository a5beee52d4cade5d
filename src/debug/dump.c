/* Every goroutine in words: go_dump, the end of fatal errors, deadlock and leak reports.
 *
 * A goroutine that waits or is runnable stays on its parked stack while the world is stopped (no p, no scheduling), so its stack can
 * be walked. One that executes without a p (a hog, a blocking call) goes on running: it gets its headline only, except the caller
 * itself. */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "debug/debug.h"
#include "go/debug.h"
#include "os/clock.h"
#include "os/fatal.h"
#include "os/sanitize.h"
#include "sched/hooks.h"
#include "sched/park.h"
#include "sched/proc.h"

#define STOP_TIMEOUT_NS  INT64_C(1000000000)
#define STOP_TRIES       3
#define FATAL_TIMEOUT_NS INT64_C(100000000) /* the thread that died may hold what the others need to stop */

/* gp says it waits but is on its stack yet: without a p it may be about to leave it while the world is stopped. In the order opposite to
 * the one in which go__park, the switch and go__landed write. */
static bool is_on_stack(const struct go__m *mp, const struct go__g *gp)
{
    struct go__g *const volatile *current = &mp->curg;
    const volatile go__commit_fn *after = &mp->after;
    if (*current == gp) {
        return true;
    }
    return *after != NULL && mp->after_g == gp;
}

/* gp says it runs. */
static bool runs_blocked(const struct go__m *mp, const struct go__g *gp)
{
    return mp->curg == gp && mp->blocked;
}

/* gp->m is where gp ran last: that thread may have ended since, or the run dropped gp on it, and its m is freed. So it is looked for among
 * those there are, and the lock keeps them. */
static bool ask_machine(const struct go__g *gp, bool (*ask)(const struct go__m *mp, const struct go__g *gp))
{
    bool answer = false;
    go__futex_lock(&go__sched.lock);
    for (const struct go__m *mp = go__sched.all_m; mp != NULL; mp = mp->all_link) {
        if (mp == gp->m) {
            answer = ask(mp, gp);
            break;
        }
    }
    go__futex_unlock(&go__sched.lock);
    return answer;
}

/* Words and time in the brackets. gp may run on: every read is of a word that is always valid. */
static void out_state(struct go__out *out, struct go__g *gp, uint32_t status, bool still)
{
    if (status == GO__G_WAITING) {
        const char *reason = gp->reason < GO__REASON_COUNT ? go__reason_text[gp->reason] : NULL;
        go__out_text(out, reason != NULL ? reason : "waiting");
        int64_t waited = go__clock_now() - gp->wait_since_ns;
        if (gp->wait_since_ns != 0 && waited >= 1000000) { /* the clock at park is coarse: less would be noise */
            go__out_text(out, ", ");
            go__out_duration(out, waited);
        }
    } else if (status == GO__G_RUNNABLE) {
        go__out_text(out, "runnable");
    } else {
        go__out_text(out, still && ask_machine(gp, runs_blocked) ? go__reason_text[GO__REASON_BLOCKING_CALL] : "running");
    }
    if (gp->tied && gp->lock_count > 0) {
        go__out_text(out, ", locked to thread");
    }
}

static void out_headline(struct go__out *out, struct go__g *gp, uint32_t status, bool still)
{
    go__out_text(out, "goroutine ");
    go__out_number(out, gp->id);
    if (gp->name != NULL && still) { /* else it may change meanwhile */
        go__out_text(out, " \"");
        go__out_text(out, gp->name);
        go__out_text(out, "\"");
    }
    go__out_text(out, gp->system ? " (runtime) [" : " [");
    out_state(out, gp, status, still);
    go__out_text(out, "]:\n");
}

static void out_creation(struct go__out *out, struct go__symbols *symbols, const struct go__g *gp)
{
    if (gp->created_at == NULL) {
        return;
    }
    char text[64];
    if (gp->parent != 0) {
        (void)go__format(text, sizeof text, "created by goroutine %lu in ", (unsigned long)gp->parent);
    } else {
        (void)go__format(text, sizeof text, "created by another thread in ");
    }
    go__out_address(out, symbols, text, (uintptr_t)gp->created_at, 1);
}

/* `own` is the trace of gp if gp runs and is the caller's, NULL otherwise; `still`: parked stacks stay as they are. */
static void out_goroutine(struct go__out *out, struct go__symbols *symbols, struct go__g *gp, const struct go__backtrace *own,
                          bool still)
{
    uint32_t status = load_rlx(&gp->status); /* rlx: world stopped, or a report that may be late */
    if (status != GO__G_WAITING && status != GO__G_RUNNABLE && status != GO__G_RUNNING) {
        return;
    }
    out_headline(out, gp, status, still);
    if (own != NULL) {
        go__out_trace(out, symbols, own, gp->entry);
    } else if (status != GO__G_RUNNING && still && !ask_machine(gp, is_on_stack)) {
        struct go__backtrace trace;
        go__backtrace_parked(&trace, &gp->buf);
        go__out_trace(out, symbols, &trace, gp->entry);
        if (trace.count == 0 && gp->entry != NULL) {
            go__out_address(out, symbols, "    not begun: ", (uintptr_t)gp->entry, 0);
        }
    } else {
        go__out_text(out, "    (executing: no backtrace)\n");
    }
    out_creation(out, symbols, gp);
    go__out_text(out, "\n");
}

void go__dump_goroutine(struct go__out *out, struct go__symbols *symbols, struct go__g *gp)
{
    out_goroutine(out, symbols, gp, NULL, true);
}

/* All live goroutines, in the order they were started. */
struct roll {
    struct go__g **all; /* NULL while counting */
    size_t count, room;
};

static void call_roll(struct go__g *gp, void *arg)
{
    struct roll *roll = (struct roll *)arg;
    uint32_t status = load_rlx(&gp->status);
    if (status == GO__G_IDLE || status == GO__G_DEAD || !go__g_of_this_run(gp)) {
        return;
    }
    if (roll->all != NULL && roll->count < roll->room) {
        roll->all[roll->count] = gp;
    }
    roll->count++;
}

static void sift_down(struct go__g **heap, size_t root, size_t count)
{
    for (size_t child; (child = 2 * root + 1) < count; root = child) {
        if (child + 1 < count && heap[child]->id < heap[child + 1]->id) {
            child++;
        }
        if (heap[root]->id >= heap[child]->id) {
            return;
        }
        struct go__g *gp = heap[root];
        heap[root] = heap[child];
        heap[child] = gp;
    }
}

/* Heapsort: qsort may call malloc. */
static void sort_by_id(struct go__g **all, size_t count)
{
    for (size_t i = count / 2; i-- > 0;) {
        sift_down(all, i, count);
    }
    for (size_t end = count; end-- > 1;) {
        struct go__g *gp = all[0];
        all[0] = all[end];
        all[end] = gp;
        sift_down(all, 0, end);
    }
}

struct dump {
    int fd;
    bool still;                      /* nobody resumes a parked goroutine meanwhile */
    struct go__g *self;              /* the caller's goroutine, NULL: none */
    const struct go__backtrace *own; /* the caller's backtrace; NULL: not wanted */
};

struct unsorted {
    struct dump *dump;
    struct go__out *out;
    struct go__symbols *symbols;
};

static void out_unsorted(struct go__g *gp, void *arg)
{
    struct unsorted *unsorted = (struct unsorted *)arg;
    if (gp != unsorted->dump->self && go__g_of_this_run(gp)) {
        out_goroutine(unsorted->out, unsorted->symbols, gp, NULL, unsorted->dump->still);
    }
}

/* Slots pinned. */
static void dump_others(struct dump *dump, struct go__out *out, struct go__symbols *symbols)
{
    struct roll roll = {0};
    go__slots_each(call_roll, &roll);
    size_t bytes = (roll.count + 1) * sizeof *roll.all;
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        struct unsorted unsorted = {dump, out, symbols};
        go__slots_each(out_unsorted, &unsorted);
        return;
    }
    go__san_mapped(memory, bytes);
    roll = (struct roll){.all = (struct go__g **)memory, .room = roll.count};
    go__slots_each(call_roll, &roll);
    size_t count = roll.count < roll.room ? roll.count : roll.room;
    sort_by_id(roll.all, count);
    for (size_t i = 0; i < count; i++) {
        if (roll.all[i] != dump->self) {
            out_goroutine(out, symbols, roll.all[i], NULL, dump->still);
        }
    }
    (void)munmap(memory, bytes);
}

/* The caller's goroutine first: it is the one that has something to say. */
static void dump_all(struct dump *dump)
{
    struct go__out out;
    go__out_init(&out, dump->fd);
    struct go__symbols *symbols = go__symbols_open();
    if (dump->self != NULL) {
        out_goroutine(&out, symbols, dump->self, dump->own, dump->still);
    } else if (dump->own != NULL) {
        go__out_text(&out, "a thread outside goroutines:\n");
        go__out_trace(&out, symbols, dump->own, NULL);
        go__out_text(&out, "\n");
    }
    go__slots_pin(FATAL_TIMEOUT_NS);
    dump_others(dump, &out, symbols);
    go__slots_unpin();
    go__symbols_close(symbols);
    go__out_flush(&out);
}

void go__dump_all(int fd)
{
    struct dump dump = {.fd = fd, .still = true};
    dump_all(&dump);
}

static void dump_stopped(void *arg)
{
    struct dump *dump = (struct dump *)arg;
    int error;
    for (int tries = STOP_TRIES; (error = go__world_stop(STOP_TIMEOUT_NS)) == -EAGAIN && --tries > 0;) {
        go__world_start();
    }
    if (error != -ESRCH) {
        dump->still = error == 0; /* else a thread got no CPU in all this time: headlines are better than nothing */
        dump_all(dump);
        go__world_start();
    }
}

/* The goroutine that the calling thread runs; NULL on a foreign thread and on the g0 side. */
static struct go__g *current(void)
{
    struct go__m *mp = go__m();
    return mp != NULL ? mp->curg : NULL;
}

void go_dump(int fd)
{
    if (load_acq(&go__sched.active) == 0) { /* acq pairs with the store at start: what we look at exists */
        return;
    }
    struct dump dump = {.fd = fd, .self = current()};
    struct go__backtrace own;
    if (dump.self != NULL) {
        go__backtrace_here(&own);
        dump.own = &own;
    }
    go__system_call(dump_stopped, &dump);
}

static void fatal_dump_native(void *arg)
{
    struct dump dump = {.fd = STDERR_FILENO, .self = (struct go__g *)arg};
    struct go__backtrace own;
    go__backtrace_here(&own); /* leads through the hop to whoever failed */
    dump.own = &own;
    dump.still = go__world_freeze(FATAL_TIMEOUT_NS);
    if (load_acq(&go__sched.active) != 0) { /* acq: as in go__world_stop; the run has not ended meanwhile */
        dump_all(&dump);
    }
}

void go__fatal_dump(void)
{
    if (load_acq(&go__sched.active) != 0) {
        go__system_call(fatal_dump_native, current());
    }
}
