/* What the compiler's world expects beside __morestack: its exception personality, and the rest of libgcc's split-stack
 * interface. The latter does nothing: the symbols exist so that no linker adds libgcc's own __morestack to a program that has
 * ours (gcc and clang wrap pthread_create by themselves with -fsplit-stack, lld resolves symbol by symbol). They are in one file
 * with the personality because __morestack refers to that: both come along or neither. */
#include <pthread.h>

#include "arch/morestack.h"
#include "sched/rt.h"
#include "stack/grow.h"

#if GO__STACK_SPLIT

#include "os/fatal.h"

/* Unwinding passes a __morestack frame for good (phase 2): what runs next stands on the stack it was called from, so its limit
 * must be in force. The segment itself still carries the unwinder; it is stale once a landing pad runs, and found so later. */
uintptr_t _Unwind_GetGR(void *context, int reg) __attribute__((weak)); /* there whenever somebody unwinds */
int go__morestack_personality(int version, int actions, uint64_t exception_class, void *exception, void *context)
{
    enum { CLEANUP_PHASE = 2, CONTINUE_UNWIND = 8, REG_RBP = 6 };
    (void)version;
    (void)exception_class;
    (void)exception;
    struct go__m *mp = go__m();
    if ((actions & CLEANUP_PHASE) != 0 && mp != NULL && mp->curg != NULL && _Unwind_GetGR != NULL) {
        *go__limit_address() = go__stack_true_limit(mp->curg, _Unwind_GetGR(context, REG_RBP));
    }
    return CONTINUE_UNWIND;
}

__thread void *__morestack_segments;
__thread void *__morestack_current_segment;
__thread void *__morestack_initial_sp[8];

#define IGNORE(name) \
    void name(void); \
    void name(void) {}

IGNORE(__stack_split_initialize)
IGNORE(__generic_morestack_set_initial_sp)
IGNORE(__morestack_block_signals)
IGNORE(__morestack_unblock_signals)
IGNORE(__morestack_load_mmap)
IGNORE(__splitstack_resetcontext)
IGNORE(__splitstack_releasecontext)
IGNORE(__splitstack_block_signals)
IGNORE(__splitstack_block_signals_context)
IGNORE(__splitstack_getcontext)
IGNORE(__splitstack_setcontext)

#define REFUSE(name)                                                              \
    void *name(void);                                                             \
    void *name(void)                                                              \
    {                                                                             \
        go__fatal("%s: goco manages split stacks itself in this program", #name); \
    }

REFUSE(__generic_morestack)
REFUSE(__generic_releasestack)
REFUSE(__generic_findstack)
REFUSE(__morestack_fail)
REFUSE(__morestack_release_segments)
REFUSE(__splitstack_makecontext)
REFUSE(__splitstack_find)
REFUSE(__splitstack_find_context)

uintptr_t __morestack_make_guard(uintptr_t stack, size_t size);
uintptr_t __morestack_make_guard(uintptr_t stack, size_t size)
{
    return stack - size + GO__MARGIN_BYTES;
}

/* A new thread's limit word is 0, which is right. */
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *), void *arg); /* unwrapped.c */
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *), void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *), void *arg)
{
    return __real_pthread_create(thread, attr, fn, arg);
}

#endif
