/* Return addresses of a stack, by the compiler's unwind tables (DWARF CFI; no frame pointers needed). A parked stack is entered through
 * go__unwind_from, segments are crossed by morestack's own rules, and the chain ends at go__gobuf_entry. libgcc's unwinder allocates
 * nothing but needs some kilobytes of stack: native and reserved stacks only. */
#include <unwind.h>

#include "arch/gobuf.h"
#include "arch/unwind.h"
#include "debug/debug.h"

/* Up to the return address of go__gobuf_entry's only call, landing pad included. */
#if defined(__x86_64__)
#define ENTRY_BYTES 13u
#else
#define ENTRY_BYTES 21u
#endif

static _Unwind_Reason_Code collect(struct _Unwind_Context *context, void *arg)
{
    struct go__backtrace *trace = (struct go__backtrace *)arg;
    int before = 0;
    uintptr_t pc = (uintptr_t)_Unwind_GetIPInfo(context, &before);
    if (pc == 0 || pc - (uintptr_t)go__gobuf_entry < ENTRY_BYTES) {
        return _URC_END_OF_STACK;
    }
    if (trace->count == GO__BACKTRACE_MAX + 2) {
        trace->cut = true;
        return _URC_END_OF_STACK;
    }
    trace->pc[trace->count++] = pc;
    return _URC_NO_REASON;
}

static GO__NOINLINE void unwind(void *arg)
{
    (void)_Unwind_Backtrace(collect, arg);
    __asm__ volatile(""); /* no tail call: drop_own_frames counts on this frame */
}

/* The first two frames are ours: unwind, and go__unwind_from or go__backtrace_here. */
static void drop_own_frames(struct go__backtrace *trace)
{
    trace->count = trace->count > 2 ? trace->count - 2 : 0;
    for (int i = 0; i < trace->count; i++) {
        trace->pc[i] = trace->pc[i + 2];
    }
}

void go__backtrace_parked(struct go__backtrace *trace, const struct go__gobuf *buf)
{
    trace->count = 0;
    trace->cut = false;
    go__unwind_from(buf->sp, unwind, trace);
    drop_own_frames(trace);
}

GO__NOINLINE void go__backtrace_here(struct go__backtrace *trace)
{
    trace->count = 0;
    trace->cut = false;
    unwind(trace);
    drop_own_frames(trace);
}
