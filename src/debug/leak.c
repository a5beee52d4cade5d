/* GOCO_DEBUG=leak=1: who was still blocked when main returned, where, and where each was started. */
#include <unistd.h>

#include "debug/debug.h"
#include "sched/hooks.h"

#define MAIN_ID 1

struct leaks {
    size_t count;
    struct go__out *out; /* NULL: count only */
    struct go__symbols *symbols;
};

static void visit(struct go__g *gp, void *arg)
{
    struct leaks *leaks = (struct leaks *)arg;
    /* rlx: the world is stopped. What is runnable or executing would have gone on: cut short, not leaked. */
    if (load_rlx(&gp->status) != GO__G_WAITING || gp->id == MAIN_ID || gp->system || !go__g_of_this_run(gp)) {
        return;
    }
    leaks->count++;
    if (leaks->out != NULL) {
        go__dump_goroutine(leaks->out, leaks->symbols, gp);
    }
}

void go__leak_report(void)
{
    if (!go__debug_flag("leak")) {
        return;
    }
    struct leaks leaks = {0};
    go__slots_each(visit, &leaks);
    if (leaks.count == 0) {
        return;
    }
    struct go__out out;
    go__out_init(&out, STDERR_FILENO);
    go__out_text(&out, "goco: leak: ");
    go__out_number(&out, leaks.count);
    go__out_text(&out, leaks.count == 1 ? " goroutine was" : " goroutines were");
    go__out_text(&out, " still blocked when main returned\n\n");
    leaks.out = &out;
    leaks.symbols = go__symbols_open();
    go__slots_each(visit, &leaks);
    go__symbols_close(leaks.symbols);
    go__out_flush(&out);
}
