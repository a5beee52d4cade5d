/* Hopping to the native stack for whatever needs libc, heap memory first of all. */
#include "sched/alloc.h"

#include <stdlib.h>

#include "arch/call.h"
#include "sched/edge.h"
#include "sched/park.h"

/* Is the caller on a small stack? Everything else has room for libc. */
static bool cramped(const struct go__g *gp)
{
    uintptr_t sp = (uintptr_t)__builtin_frame_address(0);
    return gp->slot_kind == GO__SLOT_SMALL && (uintptr_t)gp - sp <= GO__SMALL_BYTES;
}

void go__system_call(void (*fn)(void *arg), void *arg)
{
    struct go__m *mp = go__m();
    if (mp == NULL || mp->curg == NULL) {
        fn(arg);
        return;
    }
    if (!cramped(mp->curg)) {
        fn(arg);
        go__edge_commit_wrote(mp);
        return;
    }
    /* The g0 side sleeps in go__switch: below its stack pointer the native stack is free. */
    go__call_on(fn, arg, mp->g0buf.sp);
}

struct request {
    size_t size;
    void *memory;
};

static void allocate(void *arg)
{
    struct request *r = arg;
    r->memory = calloc(1, r->size); /* glibc and musl align to 16 */
}

void *go__alloc(size_t size)
{
    struct request r;
    r.size = size;
    r.memory = NULL;
    go__system_call(allocate, &r);
    return r.memory;
}

void go__free(void *memory)
{
    if (memory != NULL) {
        go__system_call(free, memory);
    }
}
